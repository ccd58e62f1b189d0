#include "modhost/abi_text.h"

#include "base/strings.h"

namespace gproxy::modhost {

std::optional<std::string> plain_text(gp_str text, size_t max) {
  if (!is_sound(text) || text.len > max) return std::nullopt;
  auto bytes = view(text);
  for (unsigned char c : bytes) {
    if (c < 0x20 || c == 0x7f) return std::nullopt;
  }
  if (!is_valid_utf8(bytes)) return std::nullopt;
  return std::string(bytes);
}

std::string message_text(gp_str text, std::string_view otherwise) {
  constexpr size_t kMax = 512;
  if (!is_sound(text) || text.len == 0) return std::string(otherwise);
  auto bytes = view(text);
  if (bytes.size() > kMax) {
    bytes = bytes.substr(0, kMax);
    while (!bytes.empty() && (static_cast<unsigned char>(bytes.back()) & 0xC0) == 0x80)
      bytes.remove_suffix(1);
    if (!bytes.empty() && static_cast<unsigned char>(bytes.back()) >= 0xC0) bytes.remove_suffix(1);
  }
  if (!is_valid_utf8(bytes)) return std::string(otherwise);
  std::string out(bytes);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return out;
}

}  // namespace gproxy::modhost
