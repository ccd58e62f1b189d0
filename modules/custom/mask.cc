#include "mask.h"

#include <algorithm>
#include <charconv>

namespace gproxy_custom {
namespace {

constexpr size_t kMaxEntryBytes = 1024;
constexpr size_t kMaxSegments = 64;
constexpr size_t kMaxEntries = 256;

// An unquoted segment's meaning. Spaces around it do not count.
Segment segment_of(std::string_view text) {
  text = gp::trim(text);
  if (text == "*") return {Segment::Kind::wildcard, {}, 0};
  uint64_t index = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (error == std::errc() && end == text.data() + text.size())
    return {Segment::Kind::index, {}, index};
  return {Segment::Kind::key, std::string(text), 0};
}

std::string_view parse_pointer(std::string_view text, Path& out) {
  text.remove_prefix(1);
  while (true) {
    const size_t slash = std::min(text.find('/'), text.size());
    std::string decoded;
    for (size_t i = 0; i < slash; ++i) {
      const bool escape =
          text[i] == '~' && i + 1 < slash && (text[i + 1] == '0' || text[i + 1] == '1');
      decoded += !escape ? text[i] : text[++i] == '0' ? '~' : '/';
    }
    if (gp::trim(decoded).empty()) return "empty pointer segment";
    out.push_back(segment_of(decoded));
    if (slash == text.size()) return {};
    text.remove_prefix(slash + 1);
  }
}

// The inside of a bracket; `text` begins after '['. Takes what it read, the ']' too.
std::string_view parse_bracket(std::string_view& text, Path& out) {
  size_t start = 0;
  while (start < text.size() && text[start] == ' ') ++start;
  if (start < text.size() && (text[start] == '"' || text[start] == '\'')) {
    const size_t quote = text.find(text[start], start + 1);
    if (quote == std::string_view::npos) return "missing closing ]";
    size_t close = quote + 1;
    while (close < text.size() && text[close] == ' ') ++close;
    if (close >= text.size() || text[close] != ']') return "missing closing ]";
    const std::string_view key = text.substr(start + 1, quote - start - 1);
    if (key.empty()) return "empty bracket segment";
    out.push_back({Segment::Kind::key, std::string(key), 0});
    text.remove_prefix(close + 1);
    return {};
  }
  const size_t close = text.find(']');
  if (close == std::string_view::npos) return "missing closing ]";
  if (gp::trim(text.substr(0, close)).empty()) return "empty bracket segment";
  out.push_back(segment_of(text.substr(0, close)));
  text.remove_prefix(close + 1);
  return {};
}

std::string_view parse_dotted(std::string_view text, Path& out) {
  bool after_bracket = false;
  while (!text.empty()) {
    const char c = text.front();
    if (c == '[') {
      text.remove_prefix(1);
      if (const auto wrong = parse_bracket(text, out); !wrong.empty()) return wrong;
      after_bracket = true;
      continue;
    }
    if (c == ']') return "unexpected ]";
    if (c == '.') {
      text.remove_prefix(1);
      if (text.empty()) return "trailing dot";
      // A dot parts segments: something must stand before it and after it ("a.[0]" is taken too).
      if (out.empty() || text.front() == '.') return "empty segment";
      after_bracket = false;
      continue;
    }
    const size_t end = std::min(text.find_first_of(".[]"), text.size());
    const std::string_view name = gp::trim(text.substr(0, end));
    text.remove_prefix(end);
    if (name.empty()) {
      if (after_bracket && text.empty()) break;  // spaces at the end
      return "empty segment";
    }
    out.push_back(segment_of(name));
    after_bracket = false;
  }
  return out.empty() ? "empty path" : std::string_view();
}

// One path on its way down: the segments before `depth` have matched.
struct Active {
  const Path* path;
  size_t depth;
};

struct Hit {
  size_t container_at;  // where its object or array begins
  size_t index;         // its place among the members
  size_t from, to;      // the member or element
  gp_json_node value;
};

class Walk {
 public:
  Walk(const gp::Json& body, std::vector<Hit>& hits) : body_(body), hits_(hits) {}

  void descend(const gp_json_node& container, const std::vector<Active>& active, int depth) {
    const bool object = container.type == GP_JSON_OBJECT;
    if ((!object && container.type != GP_JSON_ARRAY) || depth > static_cast<int>(kMaxSegments))
      return;
    size_t index = 0;
    body_.each(container, [&](const gp_json_member& member) {
      bool hit = false;
      std::vector<Active> below;
      const std::string_view key = object ? body_.decode(member.key) : std::string_view();
      for (const Active& path : active) {
        if (!matches((*path.path)[path.depth], object, key, index)) continue;
        if (path.depth + 1 == path.path->size()) {
          hit = true;
          break;
        }
        below.push_back({path.path, path.depth + 1});
      }
      if (hit) {
        const size_t from = object ? member.key.at : member.value.at;
        hits_.push_back(
            {container.at, index, from, member.value.at + member.value.len, member.value});
      } else if (!below.empty()) {
        descend(member.value, below, depth + 1);
      }
      ++index;
      return true;
    });
  }

 private:
  static bool matches(const Segment& segment, bool object, std::string_view key, size_t index) {
    switch (segment.kind) {
      case Segment::Kind::wildcard:
        return true;
      case Segment::Kind::index:
        return !object && segment.index == index;
      case Segment::Kind::key:
        return object && segment.key == key;
    }
    return false;
  }

  const gp::Json& body_;
  std::vector<Hit>& hits_;
};

}  // namespace

std::string_view parse_path(std::string_view text, Path& out) {
  text = gp::trim(text);
  if (text.empty()) return "empty path";
  if (text.size() > kMaxEntryBytes) return "longer than 1024 bytes";
  const std::string_view wrong =
      text.front() == '/' ? parse_pointer(text, out) : parse_dotted(text, out);
  if (wrong.empty() && out.size() > kMaxSegments) return "more than 64 segments";
  return wrong;
}

gp::Status Mask::add(std::string_view entry, size_t position, const gp::Arena& arena) {
  const std::string_view text = gp::trim(entry);
  if (text.empty() || text.front() == '#') return gp::ok();
  const std::string_view param =
      arena.concat({"json_param_mask[", arena.copy(std::to_string(position)), "]"});
  if (paths_.size() >= kMaxEntries)
    return gp::invalid("json_param_mask has more than 256 entries", param);
  Path path;
  if (const auto wrong = parse_path(text, path); !wrong.empty()) {
    return gp::invalid(
        arena.concat({"invalid custom json_param_mask entry `", text.substr(0, 100), "`: ", wrong}),
        param);
  }
  paths_.push_back(std::move(path));
  return gp::ok();
}

bool Mask::takes(std::initializer_list<std::string_view> keys) const {
  return std::any_of(paths_.begin(), paths_.end(), [&](const Path& path) {
    return path.size() <= keys.size() &&
           std::equal(path.begin(), path.end(), keys.begin(),
                      [](const Segment& segment, std::string_view key) {
                        return segment.kind == Segment::Kind::wildcard ||
                               (segment.kind == Segment::Kind::key && segment.key == key);
                      });
  });
}

void Mask::apply(const gp::Json& body, gp::BodyEdit& edit) const {
  std::vector<Active> active;
  for (const Path& path : paths_) active.push_back({&path, 0});
  std::vector<Hit> hits;  // in the order of the body, none within another
  Walk(body, hits).descend(body.node(""), active, 0);
  if (mode_ == MaskMode::null) {
    for (const Hit& hit : hits) {
      if (hit.value.type != GP_JSON_NULL) edit.replace(hit.value.at, hit.value.len, "null");
    }
    return;
  }
  std::sort(hits.begin(), hits.end(), [](const Hit& a, const Hit& b) {
    return a.container_at != b.container_at ? a.container_at < b.container_at : a.index < b.index;
  });
  for (size_t i = 0; i < hits.size();) {
    size_t end = i + 1;  // neighbours go together, or their commas would be taken twice
    while (end < hits.size() && hits[end].container_at == hits[i].container_at &&
           hits[end].index == hits[end - 1].index + 1) {
      ++end;
    }
    edit.remove_run(hits[i].from, hits[end - 1].to);
    i = end;
  }
}

}  // namespace gproxy_custom
