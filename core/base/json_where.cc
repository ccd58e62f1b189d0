#include "base/json_where.h"

#include <array>

namespace gproxy::json {
namespace {

constexpr size_t kMaxOffset = size_t{4} << 20;
constexpr size_t kMaxDepth = 64;
constexpr size_t kMaxPath = 256;

struct Level {
  bool array = false;
  bool in_value = false;  // an object's member whose value is due or begun
  size_t index = 0;
  std::string_view key;
};

}  // namespace

std::string path_at(std::string_view text, size_t offset) {
  if (offset > kMaxOffset || offset > text.size()) return {};
  std::array<Level, kMaxDepth> levels;
  size_t depth = 0;  // may exceed what is kept
  const auto top = [&]() -> Level* {
    return depth > 0 && depth <= kMaxDepth ? &levels[depth - 1] : nullptr;
  };
  size_t i = 0;
  while (i < offset) {
    const char c = text[i];
    if (c == '"') {
      const size_t begin = ++i;
      while (i < offset && text[i] != '"') i += text[i] == '\\' ? 2 : 1;
      if (i >= offset) break;  // the byte is inside of this string
      if (auto* level = top(); level != nullptr && !level->array && !level->in_value) {
        level->key = text.substr(begin, i - begin);
      }
    } else if (c == '{' || c == '[') {
      if (++depth <= kMaxDepth) levels[depth - 1] = {c == '[', false, 0, {}};
    } else if (c == '}' || c == ']') {
      if (depth > 0) --depth;
    } else if (auto* level = top(); level != nullptr) {
      if (c == ':' && !level->array) level->in_value = true;
      if (c == ',') {
        ++level->index;
        level->in_value = false;
        level->key = {};
      }
    }
    ++i;
  }
  std::string path;
  for (size_t d = 0; d < depth && d < kMaxDepth && path.size() < kMaxPath; ++d) {
    const auto& level = levels[d];
    if (level.array) {
      path += "[" + std::to_string(level.index) + "]";
    } else if (level.in_value) {
      if (!path.empty()) path += '.';
      for (const char c : level.key.substr(0, kMaxPath - path.size())) {
        path +=
            static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e ? '?' : c;
      }
    }
  }
  return path.substr(0, kMaxPath);
}

}  // namespace gproxy::json
