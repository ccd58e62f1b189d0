// gproxy.json/1 over base/json_scan. Everything but validate walks text that is known to be valid
// JSON; given other text it answers nonsense within the text or GP_ERR_INVALID, never reads past
// its end.
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "base/arena.h"
#include "base/json.h"
#include "base/json_scan.h"
#include "base/strings.h"
#include "gproxy/ext/json.h"
#include "modhost/abi_text.h"
#include "modhost/host_api.h"

namespace gproxy::modhost {
namespace {

constexpr size_t kMaxPointers = 64;
constexpr size_t kMaxSegments = 64;

int32_t type_of(char c) {
  switch (c) {
    case '"':
      return GP_JSON_STRING;
    case '{':
      return GP_JSON_OBJECT;
    case '[':
      return GP_JSON_ARRAY;
    case 't':
    case 'f':
      return GP_JSON_BOOL;
    case 'n':
      return GP_JSON_NULL;
    default:
      return GP_JSON_NUMBER;
  }
}

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

size_t skip_space(std::string_view text, size_t at) {
  while (at < text.size() && is_space(text[at])) ++at;
  return at;
}

// The end of the value that begins at `at`; 0 when the text ends first.
size_t end_of_string(std::string_view text, size_t at) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      return at + 1;
    }
  }
  return 0;
}

size_t end_of_value(std::string_view text, size_t at) {
  if (at >= text.size()) return 0;
  if (text[at] == '"') return end_of_string(text, at);
  if (text[at] != '{' && text[at] != '[') {
    size_t begin = at;
    while (at < text.size() && !is_space(text[at]) && text[at] != ',' && text[at] != '}' &&
           text[at] != ']')
      ++at;
    return at > begin ? at : 0;
  }
  size_t depth = 0;
  while (at < text.size()) {
    char c = text[at];
    if (c == '"') {
      at = end_of_string(text, at);
      if (at == 0) return 0;
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') {
      if (--depth == 0) return at + 1;
    }
    ++at;
  }
  return 0;
}

gp_json_node node_at(std::string_view text, size_t at, size_t end) {
  auto type = type_of(text[at]);
  uint32_t flags = GP_NODE_FOUND;
  if (type == GP_JSON_STRING && text.substr(at, end - at).find('\\') != std::string_view::npos)
    flags |= GP_NODE_ESCAPED;
  return {at, end - at, type, flags};
}

// The text without white space around it.
gp_json_node top_level(std::string_view text) {
  auto at = skip_space(text, 0);
  auto end = text.size();
  while (end > at && is_space(text[end - 1])) --end;
  return at < end ? node_at(text, at, end) : gp_json_node{};
}

// One JSON Pointer (RFC 6901) to decoded segments; false if it is not one.
bool split_pointer(std::string_view pointer, std::vector<std::string>& out) {
  out.clear();
  if (pointer.empty()) return true;
  if (pointer[0] != '/') return false;
  for (auto part : split(pointer.substr(1), '/')) {
    if (out.size() == kMaxSegments) return false;
    std::string segment;
    for (size_t i = 0; i < part.size(); ++i) {
      if (part[i] != '~') {
        segment += part[i];
        continue;
      }
      if (i + 1 >= part.size() || (part[i + 1] != '0' && part[i + 1] != '1')) return false;
      segment += part[++i] == '0' ? '~' : '/';
    }
    out.push_back(std::move(segment));
  }
  return true;
}

gp_json_node find_node(std::string_view text, const std::vector<std::string>& segments) {
  if (segments.empty()) return top_level(text);
  std::array<std::string_view, kMaxSegments> path;
  for (size_t i = 0; i < segments.size(); ++i) path[i] = segments[i];
  auto span = json::find(text, std::span<const std::string_view>(path.data(), segments.size()));
  if (!span.found || span.len == 0 || span.at > text.size() || span.len > text.size() - span.at)
    return {};
  return node_at(text, span.at, span.at + span.len);
}

bool lies_in(std::string_view text, const gp_json_node& node) {
  return (node.flags & GP_NODE_FOUND) != 0 && node.len > 0 && node.at < text.size() &&
         node.len <= text.size() - node.at;
}

gp_status give(gp_arena* arena, std::string_view bytes, gp_str* out) {
  *out = {"", 0};
  if (bytes.empty()) return GP_OK;
  auto* at = static_cast<char*>(reinterpret_cast<Arena*>(arena)->alloc(bytes.size(), 1));
  if (at == nullptr) return GP_ERR_NO_MEMORY;
  std::memcpy(at, bytes.data(), bytes.size());
  *out = {at, bytes.size()};
  return GP_OK;
}

gp_status decode_node(gp_arena* arena, std::string_view text, const gp_json_node& node,
                      gp_str* out) {
  if (!lies_in(text, node) || text[node.at] != '"' || node.len < 2) return GP_ERR_INVALID;
  if ((node.flags & GP_NODE_ESCAPED) == 0) {
    *out = to_gp(text.substr(node.at + 1, node.len - 2));
    return GP_OK;
  }
  if (arena == nullptr) return GP_ERR_INVALID;
  json::Span span{node.at,        node.len,         json::Kind::string,
                  /*found=*/true, /*escaped=*/true, /*key_escaped=*/false};
  return give(arena, json::decode_string(text, span), out);
}

gp_status json_validate(gp_str text, gp_json_node* root, gp_error* error) {
  if (root != nullptr) *root = {};
  auto fail = [&](gp_status status, std::string_view message) {
    if (error != nullptr && error->size >= GP_FIRST_SIZE(gp_error, param)) {
      error->code = 0;
      error->message = to_gp(message);  // static: there is no arena here
    }
    return status;
  };
  if (!is_sound(text)) return fail(GP_ERR_INVALID, "no text");
  auto result = json::validate(view(text));
  if (!result.ok()) {
    if (result.error().kind == ErrorKind::too_large)
      return fail(GP_ERR_TOO_LARGE, "the JSON text is too large");
    if (result.error().code == "json_too_deep")
      return fail(GP_ERR_INVALID, "the JSON text is nested too deeply");
    return fail(GP_ERR_INVALID, "not valid JSON");
  }
  if (root != nullptr) *root = top_level(view(text));
  return GP_OK;
}

gp_status json_index(gp_str text, const gp_str* pointers, size_t count, gp_json_node* out) {
  if (!is_sound(text) || count > kMaxPointers ||
      (count > 0 && (pointers == nullptr || out == nullptr)))
    return GP_ERR_INVALID;
  std::vector<std::string> segments;
  for (size_t i = 0; i < count; ++i) {
    if (!is_sound(pointers[i]) || !split_pointer(view(pointers[i]), segments))
      return GP_ERR_INVALID;
    out[i] = find_node(view(text), segments);
  }
  return GP_OK;
}

gp_status json_get(gp_arena* arena, gp_str text, gp_str pointer, int32_t* type, gp_str* value) {
  std::vector<std::string> segments;
  if (value == nullptr || !is_sound(text) || !is_sound(pointer) ||
      !split_pointer(view(pointer), segments))
    return GP_ERR_INVALID;
  auto node = find_node(view(text), segments);
  if ((node.flags & GP_NODE_FOUND) == 0) return GP_ERR_NOT_FOUND;
  if (type != nullptr) *type = node.type;
  if (node.type == GP_JSON_STRING) return decode_node(arena, view(text), node, value);
  *value = to_gp(view(text).substr(node.at, node.len));
  return GP_OK;
}

// The member or element that begins at or after `at`, before the container's closing bracket.
gp_status member_at(std::string_view text, const gp_json_node& container, size_t at,
                    gp_json_member* out) {
  auto inside = text.substr(0, container.at + container.len - 1);
  at = skip_space(inside, at);
  if (at >= inside.size()) return GP_ERR_NOT_FOUND;
  gp_json_member member{};
  if (container.type == GP_JSON_OBJECT) {
    if (inside[at] != '"') return GP_ERR_INVALID;
    auto end = end_of_string(inside, at);
    if (end == 0) return GP_ERR_INVALID;
    member.key = node_at(inside, at, end);
    at = skip_space(inside, end);
    if (at >= inside.size() || inside[at] != ':') return GP_ERR_INVALID;
    at = skip_space(inside, at + 1);
  }
  auto end = end_of_value(inside, at);
  if (end == 0) return GP_ERR_INVALID;
  member.value = node_at(inside, at, end);
  *out = member;
  return GP_OK;
}

bool is_container(std::string_view text, const gp_json_node* node) {
  return node != nullptr && lies_in(text, *node) && node->len >= 2 &&
         ((node->type == GP_JSON_OBJECT && text[node->at] == '{') ||
          (node->type == GP_JSON_ARRAY && text[node->at] == '['));
}

gp_status json_first(gp_str text, const gp_json_node* container, gp_json_member* out) {
  if (!is_sound(text) || out == nullptr) return GP_ERR_INVALID;
  if (!is_container(view(text), container)) return GP_ERR_NOT_FOUND;
  return member_at(view(text), *container, container->at + 1, out);
}

gp_status json_next(gp_str text, const gp_json_node* container, gp_json_member* member) {
  if (!is_sound(text) || member == nullptr) return GP_ERR_INVALID;
  auto bytes = view(text);
  if (!is_container(bytes, container)) return GP_ERR_NOT_FOUND;
  if (!lies_in(bytes, member->value)) return GP_ERR_INVALID;
  auto at = skip_space(bytes, member->value.at + member->value.len);
  if (at >= container->at + container->len - 1) return GP_ERR_NOT_FOUND;
  if (bytes[at] != ',') return GP_ERR_INVALID;
  return member_at(bytes, *container, at + 1, member);
}

gp_status json_decode(gp_arena* arena, gp_str text, const gp_json_node* node, gp_str* out) {
  if (!is_sound(text) || node == nullptr || out == nullptr) return GP_ERR_INVALID;
  return decode_node(arena, view(text), *node, out);
}

// Replaces every byte that is not part of valid UTF-8.
std::string valid_utf8(std::string_view raw) {
  std::string out;
  out.reserve(raw.size());
  while (!raw.empty()) {
    size_t len = 1;
    for (; len <= 4 && len <= raw.size(); ++len) {
      if (is_valid_utf8(raw.substr(0, len))) break;
    }
    if (len <= 4 && len <= raw.size()) {
      out += raw.substr(0, len);
      raw.remove_prefix(len);
    } else {
      out += "\xEF\xBF\xBD";
      raw.remove_prefix(1);
    }
  }
  return out;
}

gp_status json_quote(gp_arena* arena, gp_str raw, gp_str* out) {
  if (arena == nullptr || out == nullptr || !is_sound(raw)) return GP_ERR_INVALID;
  std::string quoted;
  if (is_valid_utf8(view(raw))) {
    json::write_string(view(raw), quoted);
  } else {
    json::write_string(valid_utf8(view(raw)), quoted);
  }
  return give(arena, quoted, out);
}

constexpr gp_json_ext kJson = {sizeof(gp_json_ext), 0,         json_validate, json_index, json_get,
                               json_first,          json_next, json_decode,   json_quote};

static_assert(static_cast<int>(json::Kind::null) == GP_JSON_NULL &&
              static_cast<int>(json::Kind::boolean) == GP_JSON_BOOL &&
              static_cast<int>(json::Kind::number) == GP_JSON_NUMBER &&
              static_cast<int>(json::Kind::string) == GP_JSON_STRING &&
              static_cast<int>(json::Kind::array) == GP_JSON_ARRAY &&
              static_cast<int>(json::Kind::object) == GP_JSON_OBJECT);

}  // namespace

const gp_json_ext* json_extension() {
  return &kJson;
}

}  // namespace gproxy::modhost
