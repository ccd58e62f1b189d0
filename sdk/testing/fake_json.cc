// SPDX-License-Identifier: MIT
#include "testing/fake_json.h"

#include <algorithm>
#include <cstring>

#include "testing/fake_arena.h"

namespace gp::testing {
namespace {

constexpr size_t kBad = std::string_view::npos;
constexpr int kMaxDepth = 128;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
size_t skip_space(std::string_view t, size_t at) {
  while (at < t.size() && is_space(t[at])) ++at;
  return at;
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
int hex(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The length of the UTF-8 sequence at `at`, 0 if it is not one.
size_t utf8_at(std::string_view t, size_t at) {
  const auto byte = [&](size_t i) { return i < t.size() ? static_cast<unsigned char>(t[i]) : 0u; };
  const unsigned first = byte(at);
  const auto tail = [&](size_t i) { return (byte(i) & 0xc0u) == 0x80u; };
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return tail(at + 1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if (!tail(at + 1) || !tail(at + 2)) return 0;
    if (first == 0xe0 && byte(at + 1) < 0xa0) return 0;
    if (first == 0xed && byte(at + 1) > 0x9f) return 0;
    return 3;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (!tail(at + 1) || !tail(at + 2) || !tail(at + 3)) return 0;
    if (first == 0xf0 && byte(at + 1) < 0x90) return 0;
    if (first == 0xf4 && byte(at + 1) > 0x8f) return 0;
    return 4;
  }
  return 0;
}

// Each skip_ function answers the position after what it read, or kBad.
size_t skip_string(std::string_view t, size_t at) {
  if (at >= t.size() || t[at] != '"') return kBad;
  for (++at; at < t.size();) {
    const char c = t[at];
    if (c == '"') return at + 1;
    if (static_cast<unsigned char>(c) < 0x20) return kBad;
    if (c == '\\') {
      if (at + 1 >= t.size()) return kBad;
      const char e = t[at + 1];
      if (e == 'u') {
        if (at + 6 > t.size()) return kBad;
        for (size_t i = at + 2; i < at + 6; ++i) {
          if (hex(t[i]) < 0) return kBad;
        }
        at += 6;
      } else if (std::string_view("\"\\/bfnrt").find(e) != std::string_view::npos) {
        at += 2;
      } else {
        return kBad;
      }
      continue;
    }
    const size_t n = utf8_at(t, at);
    if (n == 0) return kBad;
    at += n;
  }
  return kBad;
}

size_t skip_number(std::string_view t, size_t at) {
  if (at < t.size() && t[at] == '-') ++at;
  if (at >= t.size() || !is_digit(t[at])) return kBad;
  if (t[at] == '0') {
    ++at;
  } else {
    while (at < t.size() && is_digit(t[at])) ++at;
  }
  if (at < t.size() && t[at] == '.') {
    if (++at >= t.size() || !is_digit(t[at])) return kBad;
    while (at < t.size() && is_digit(t[at])) ++at;
  }
  if (at < t.size() && (t[at] == 'e' || t[at] == 'E')) {
    ++at;
    if (at < t.size() && (t[at] == '+' || t[at] == '-')) ++at;
    if (at >= t.size() || !is_digit(t[at])) return kBad;
    while (at < t.size() && is_digit(t[at])) ++at;
  }
  return at;
}

size_t skip_value(std::string_view t, size_t at, int depth) {
  if (at >= t.size() || depth > kMaxDepth) return kBad;
  for (std::string_view word : {"null", "true", "false"}) {
    if (t.substr(at, word.size()) == word) return at + word.size();
  }
  if (t[at] == '"') return skip_string(t, at);
  if (t[at] != '{' && t[at] != '[') return skip_number(t, at);
  const bool object = t[at] == '{';
  const char close = object ? '}' : ']';
  at = skip_space(t, at + 1);
  if (at < t.size() && t[at] == close) return at + 1;
  while (true) {
    if (object) {
      at = skip_string(t, at);
      if (at == kBad) return kBad;
      at = skip_space(t, at);
      if (at >= t.size() || t[at] != ':') return kBad;
      at = skip_space(t, at + 1);
    }
    at = skip_value(t, at, depth + 1);
    if (at == kBad) return kBad;
    at = skip_space(t, at);
    if (at >= t.size()) return kBad;
    if (t[at] == close) return at + 1;
    if (t[at] != ',') return kBad;
    at = skip_space(t, at + 1);
  }
}

int32_t type_at(char c) {
  switch (c) {
    case '{':
      return GP_JSON_OBJECT;
    case '[':
      return GP_JSON_ARRAY;
    case '"':
      return GP_JSON_STRING;
    case 't':
    case 'f':
      return GP_JSON_BOOL;
    case 'n':
      return GP_JSON_NULL;
    default:
      return GP_JSON_NUMBER;
  }
}

bool node_at(std::string_view t, size_t at, gp_json_node* out) {
  const size_t end = skip_value(t, at, 0);
  if (end == kBad) return false;
  *out = {at, end - at, type_at(t[at]), GP_NODE_FOUND};
  if (out->type == GP_JSON_STRING && t.substr(at, end - at).find('\\') != std::string_view::npos) {
    out->flags |= GP_NODE_ESCAPED;
  }
  return true;
}

bool root_of(std::string_view t, gp_json_node* out) {
  if (!node_at(t, skip_space(t, 0), out)) return false;
  return skip_space(t, out->at + out->len) == t.size();
}

void append_utf8(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

uint32_t unit_at(std::string_view t, size_t at) {
  uint32_t unit = 0;
  for (size_t i = 0; i < 4; ++i) unit = unit * 16 + static_cast<uint32_t>(hex(t[at + i]));
  return unit;
}

// `quoted` is a valid JSON string with its quotes.
std::string decoded(std::string_view quoted) {
  std::string out;
  for (size_t i = 1; i + 1 < quoted.size(); ++i) {
    if (quoted[i] != '\\') {
      out += quoted[i];
      continue;
    }
    const char e = quoted[++i];
    switch (e) {
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 't':
        out += '\t';
        break;
      case 'u': {
        uint32_t code = unit_at(quoted, i + 1);
        i += 4;
        if (code >= 0xd800 && code < 0xdc00 && quoted.substr(i + 1, 2) == "\\u") {
          const uint32_t low = unit_at(quoted, i + 3);
          if (low >= 0xdc00 && low < 0xe000) {
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            i += 6;
          }
        }
        append_utf8(out, code >= 0xd800 && code < 0xe000 ? 0xfffd : code);
        break;
      }
      default:
        out += e;
    }
  }
  return out;
}

bool read_member(std::string_view t, bool object, size_t at, gp_json_member* out) {
  gp_json_member member{};
  if (object) {
    if (!node_at(t, at, &member.key) || member.key.type != GP_JSON_STRING) return false;
    at = skip_space(t, member.key.at + member.key.len);
    if (at >= t.size() || t[at] != ':') return false;
    at = skip_space(t, at + 1);
  }
  if (!node_at(t, at, &member.value)) return false;
  *out = member;
  return true;
}

bool first_of(std::string_view t, const gp_json_node& c, gp_json_member* out) {
  if (c.type != GP_JSON_OBJECT && c.type != GP_JSON_ARRAY) return false;
  const size_t at = skip_space(t, c.at + 1);
  if (at >= t.size() || t[at] == '}' || t[at] == ']') return false;
  return read_member(t, c.type == GP_JSON_OBJECT, at, out);
}

bool next_of(std::string_view t, const gp_json_node& c, gp_json_member* m) {
  const size_t at = skip_space(t, m->value.at + m->value.len);
  if (at >= t.size() || t[at] != ',') return false;
  return read_member(t, c.type == GP_JSON_OBJECT, skip_space(t, at + 1), m);
}

std::string pointer_segment(std::string_view raw) {
  std::string out;
  for (size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] == '~' && i + 1 < raw.size() && (raw[i + 1] == '0' || raw[i + 1] == '1')) {
      out += raw[++i] == '0' ? '~' : '/';
    } else {
      out += raw[i];
    }
  }
  return out;
}

// Of members with equal names the last counts.
bool step_into(std::string_view t, gp_json_node* node, const std::string& segment) {
  gp_json_member member{};
  gp_json_node hit{};
  size_t index = 0;
  for (bool more = first_of(t, *node, &member); more; more = next_of(t, *node, &member), ++index) {
    const bool same = node->type == GP_JSON_OBJECT
                          ? decoded(t.substr(member.key.at, member.key.len)) == segment
                          : std::to_string(index) == segment;
    if (same) hit = member.value;
  }
  if ((hit.flags & GP_NODE_FOUND) == 0) return false;
  *node = hit;
  return true;
}

bool walk(std::string_view t, std::string_view pointer, gp_json_node* out) {
  if (!root_of(t, out)) return false;
  if (!pointer.empty() && pointer[0] != '/') return false;
  while (!pointer.empty()) {
    const size_t end = std::min(pointer.find('/', 1), pointer.size());
    if (!step_into(t, out, pointer_segment(pointer.substr(1, end - 1)))) return false;
    pointer.remove_prefix(end);
  }
  return true;
}

std::string_view view_of(gp_str s) {
  return s.len == 0 ? std::string_view("") : std::string_view(s.ptr, s.len);
}

gp_status put(gp_arena* arena, const std::string& text, gp_str* out) {
  char* memory = static_cast<char*>(arena_alloc(arena, text.empty() ? 1 : text.size(), 1));
  if (memory == nullptr) return GP_ERR_NO_MEMORY;
  std::memcpy(memory, text.data(), text.size());
  *out = {memory, text.size()};
  return GP_OK;
}

gp_status ext_validate(gp_str text, gp_json_node* root, gp_error* error) {
  gp_json_node node{};
  if (root_of(view_of(text), &node)) {
    if (root != nullptr) *root = node;
    return GP_OK;
  }
  static constexpr std::string_view kMessage = "not valid JSON";
  if (error != nullptr) error->message = {kMessage.data(), kMessage.size()};
  return GP_ERR_INVALID;
}

gp_status ext_index(gp_str text, const gp_str* pointers, size_t count, gp_json_node* out) {
  gp_json_node root{};
  if (!root_of(view_of(text), &root)) return GP_ERR_INVALID;
  for (size_t i = 0; i < count; ++i) {
    if (!walk(view_of(text), view_of(pointers[i]), &out[i])) out[i] = {};
  }
  return GP_OK;
}

gp_status ext_decode(gp_arena* arena, gp_str text, const gp_json_node* node, gp_str* out) {
  if (node->type != GP_JSON_STRING || node->len < 2 || node->at + node->len > text.len) {
    return GP_ERR_INVALID;
  }
  if ((node->flags & GP_NODE_ESCAPED) == 0) {
    *out = {text.ptr + node->at + 1, node->len - 2};
    return GP_OK;
  }
  return put(arena, decoded(view_of(text).substr(node->at, node->len)), out);
}

gp_status ext_get(gp_arena* arena, gp_str text, gp_str pointer, int32_t* type, gp_str* value) {
  gp_json_node node{};
  if (!walk(view_of(text), view_of(pointer), &node)) return GP_ERR_NOT_FOUND;
  if (type != nullptr) *type = node.type;
  if (node.type == GP_JSON_STRING) return ext_decode(arena, text, &node, value);
  *value = {text.ptr + node.at, node.len};
  return GP_OK;
}

gp_status ext_first(gp_str text, const gp_json_node* container, gp_json_member* out) {
  return first_of(view_of(text), *container, out) ? GP_OK : GP_ERR_NOT_FOUND;
}

gp_status ext_next(gp_str text, const gp_json_node* container, gp_json_member* member) {
  return next_of(view_of(text), *container, member) ? GP_OK : GP_ERR_NOT_FOUND;
}

gp_status ext_quote(gp_arena* arena, gp_str raw, gp_str* out) {
  static constexpr char kHex[] = "0123456789abcdef";
  const std::string_view text = view_of(raw);
  std::string quoted = "\"";
  for (size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const size_t n = utf8_at(text, at);
    if (n == 0) {
      quoted += "\xef\xbf\xbd";
      ++at;
      continue;
    }
    if (byte == '"' || byte == '\\') quoted += '\\';
    if (byte < 0x20) {
      quoted += "\\u00";
      quoted += kHex[byte >> 4];
      quoted += kHex[byte & 15];
    } else {
      quoted += text.substr(at, n);
    }
    at += n;
  }
  return put(arena, quoted + '"', out);
}

}  // namespace

const gp_json_ext* fake_json() {
  static const gp_json_ext kTable = {
      sizeof(gp_json_ext), 0,        ext_validate, ext_index, ext_get,
      ext_first,           ext_next, ext_decode,   ext_quote};
  return &kTable;
}

bool json_valid(std::string_view text) {
  gp_json_node root{};
  return root_of(text, &root);
}

gp_json_node json_node(std::string_view text, std::string_view pointer) {
  gp_json_node node{};
  return walk(text, pointer, &node) ? node : gp_json_node{};
}

std::string json_at(std::string_view text, std::string_view pointer, bool* found) {
  const gp_json_node node = json_node(text, pointer);
  const bool there = (node.flags & GP_NODE_FOUND) != 0;
  if (found != nullptr) *found = there;
  if (!there) return {};
  const std::string_view raw = text.substr(node.at, node.len);
  return node.type == GP_JSON_STRING ? decoded(raw) : std::string(raw);
}

}  // namespace gp::testing
