// Reading what a module hands over: texts with bounds, sizes of growing types. Internal to modhost;
// any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "gproxy/abi.h"

// The size a growing type had when it was first published: up to and with `last`. Structures
// shorter than that are a broken contract; fields after it are read with GP_HAS.
#define GP_FIRST_SIZE(type, last) (offsetof(type, last) + sizeof(static_cast<type*>(nullptr)->last))

namespace gproxy::modhost {

inline gp_str to_gp(std::string_view text) {
  return {text.data(), text.size()};
}

// A pointer where there is a length.
inline bool is_sound(gp_str text) {
  return text.len == 0 || text.ptr != nullptr;
}
inline std::string_view view(gp_str text) {
  return text.ptr == nullptr ? std::string_view() : std::string_view(text.ptr, text.len);
}

// The text as a string if it is sound, at most `max` bytes, UTF-8 and without control characters.
std::optional<std::string> plain_text(gp_str text, size_t max);
// A message of the module's for people: cut to 512 bytes and cleaned, `otherwise` when empty or
// unsound.
std::string message_text(gp_str text, std::string_view otherwise);

}  // namespace gproxy::modhost
