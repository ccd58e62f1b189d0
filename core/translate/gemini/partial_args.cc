#include "translate/gemini/partial_args.h"

#include "base/strings.h"
#include "translate/answer_common.h"

namespace gproxy::translate {

namespace {

constexpr int64_t kMaxIndex = 4096;
constexpr size_t kMaxDepth = 64;

// The next step of "$.a.b[0]['c']": a key, or an index where it is not negative. False at the end
// or when it is no path.
bool next_step(std::string_view& path, std::string_view& key, int64_t& index) {
  index = -1;
  if (path.empty()) return false;
  if (path.front() == '.') path.remove_prefix(1);
  if (!path.empty() && path.front() == '[') {
    const auto end = path.find(']');
    if (end == std::string_view::npos) return false;
    auto inside = path.substr(1, end - 1);
    path.remove_prefix(end + 1);
    if (inside.size() >= 2 && (inside.front() == '\'' || inside.front() == '"')) {
      key = inside.substr(1, inside.size() - 2);
      return true;
    }
    index = parse_int(inside).value_or(-1);
    return index >= 0 && index < kMaxIndex;
  }
  const auto end = path.find_first_of(".[");
  key = path.substr(0, end);
  path.remove_prefix(end == std::string_view::npos ? path.size() : end);
  return !key.empty();
}

}  // namespace

void PartialArgs::add(const json::Value& piece) {
  std::string_view path = piece["jsonPath"].str(piece["json_path"].str());
  if (!path.empty() && path.front() == '$') path.remove_prefix(1);
  json::Value* at = &root_;
  std::string_view key;
  int64_t index = -1;
  size_t depth = 0;
  while (next_step(path, key, index)) {
    if (++depth > kMaxDepth) return;
    if (index >= 0) {
      if (!at->is_array()) *at = json::Value::array();
      while (static_cast<int64_t>(at->size()) <= index) at->push(arena_, json::Value());
      at = &at->items()[static_cast<size_t>(index)];
    } else {
      if (!at->is_object()) *at = json::Value::object();
      json::Value* member = at->find(key);
      at = member != nullptr ? member : &at->add(arena_, arena_.copy(key), json::Value());
    }
  }
  if (at == &root_ || arena_.exhausted()) return;
  for (const std::string_view name :
       {"stringValue", "string_value", "numberValue", "number_value", "boolValue", "bool_value"}) {
    const auto* value = piece.find(name);
    if (value == nullptr) continue;
    if (value->is_string() && at->is_string()) {
      *at = json::Value::string(arena_.concat({at->str(), value->str()}));
    } else {
      *at = deep_copy(*value, arena_);
    }
    return;
  }
}

}  // namespace gproxy::translate
