#include "config/json_place.h"

#include <fmt/format.h>

#include "base/json.h"

namespace gproxy::config {
namespace {

// Walks valid JSON with comments and trailing commas; every function stays within the text whatever
// it is given.
class Walker {
 public:
  explicit Walker(std::string_view text) : text_(text) {}

  size_t at() const { return at_; }
  bool over() const { return at_ >= text_.size(); }
  char here() const { return over() ? '\0' : text_[at_]; }
  void step() {
    if (!over()) ++at_;
  }

  void skip_space() {
    while (!over()) {
      char c = here();
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        ++at_;
      } else if (text_.substr(at_, 2) == "//") {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (text_.substr(at_, 2) == "/*") {
        auto end = text_.find("*/", at_ + 2);
        at_ = end == text_.npos ? text_.size() : end + 2;
      } else {
        return;
      }
    }
  }

  std::string_view take_string() {
    size_t begin = at_;
    for (++at_; !over(); ++at_) {
      if (here() == '\\') {
        ++at_;
      } else if (here() == '"') {
        ++at_;
        break;
      }
    }
    at_ = std::min(at_, text_.size());
    return text_.substr(begin, at_ - begin);
  }

  void skip_value() {
    skip_space();
    if (here() == '"') {
      take_string();
      return;
    }
    if (here() != '{' && here() != '[') {
      while (!over() && std::string_view(",]} \t\r\n/").find(here()) == std::string_view::npos)
        ++at_;
      return;
    }
    size_t depth = 0;
    while (!over()) {
      skip_space();
      char c = here();
      if (c == '"') {
        take_string();
        continue;
      }
      if (c == '{' || c == '[') ++depth;
      step();
      if ((c == '}' || c == ']') && --depth == 0) return;
    }
  }

 private:
  std::string_view text_;
  size_t at_ = 0;
};

std::string decoded(std::string_view quoted) {
  Arena arena;
  auto value = json::parse(quoted, arena);
  return value.ok() ? std::string(value->str()) : std::string();
}

}  // namespace

std::optional<size_t> find_place(std::string_view text, const PlacePath& path, PlaceOf of) {
  Walker walk(text);
  walk.skip_space();
  size_t key_at = walk.at();
  for (const auto& step : path) {
    if (walk.here() != (step.is_member ? '{' : '[')) return std::nullopt;
    walk.step();
    size_t seen = 0;
    for (;;) {
      walk.skip_space();
      if (walk.over() || walk.here() == '}' || walk.here() == ']') return std::nullopt;
      if (step.is_member) {
        key_at = walk.at();
        bool match = decoded(walk.take_string()) == step.key && seen++ == step.occurrence;
        walk.skip_space();
        walk.step();  // the colon
        walk.skip_space();
        if (match) break;
      } else if (seen++ == step.index) {
        key_at = walk.at();
        break;
      }
      walk.skip_value();
      walk.skip_space();
      if (walk.here() == ',') walk.step();
    }
  }
  return of == PlaceOf::key ? key_at : walk.at();
}

std::string path_text(const PlacePath& path) {
  std::string out;
  for (const auto& step : path) {
    if (step.is_member) {
      if (!out.empty()) out += '.';
      out += step.key;
    } else {
      out += fmt::format("[{}]", step.index);
    }
  }
  return out;
}

PlacePath path_of(std::string_view text) {
  PlacePath out;
  while (!text.empty()) {
    if (text.front() == '.') text.remove_prefix(1);
    const bool element = text.starts_with('[');
    if (element) text.remove_prefix(1);
    const auto word = text.substr(0, text.find_first_of(element ? "]" : ".["));
    text.remove_prefix(std::min(text.size(), word.size() + (element ? 1 : 0)));
    if (!element) {
      if (!word.empty()) out.push_back(PlaceStep::member(word));
      continue;
    }
    size_t index = 0;
    for (const char c : word) index = index * 10 + static_cast<size_t>(c - '0') % 10;
    out.push_back(PlaceStep::element(index));
  }
  return out;
}

}  // namespace gproxy::config
