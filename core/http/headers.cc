#include "http/headers.h"

#include <array>
#include <cstdint>

namespace gproxy::http {
namespace {

enum : uint8_t { kToken = 1, kValue = 2 };

constexpr std::array<uint8_t, 256> classify() {
  std::array<uint8_t, 256> table{};
  for (unsigned c = 0; c < 256; ++c) {
    const bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    bool mark = false;
    for (char m : {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'}) {
      if (static_cast<unsigned char>(m) == c) mark = true;
    }
    if (alpha || mark) table[c] |= kToken;
    if (c == '\t' || (c >= ' ' && c != 0x7f)) table[c] |= kValue;
  }
  return table;
}
constexpr auto kClass = classify();

bool all(std::string_view text, uint8_t what) {
  uint8_t common = what;
  for (unsigned char c : text) common &= kClass[c];
  return common != 0;
}

}  // namespace

std::string_view find(std::span<const HeaderView> headers, std::string_view name) {
  for (const HeaderView& header : headers) {
    if (iequals(header.name, name)) {
      // A present but empty value must not look absent.
      return header.value.ptr != nullptr ? std::string_view(header.value) : std::string_view("", 0);
    }
  }
  return {};
}

bool is_hop_by_hop(std::string_view name) {
  static constexpr std::string_view kNames[] = {"connection",
                                                "keep-alive",
                                                "proxy-authenticate",
                                                "proxy-authorization",
                                                "proxy-connection",
                                                "te",
                                                "trailer",
                                                "transfer-encoding",
                                                "upgrade"};
  for (auto hop : kNames) {
    if (iequals(name, hop)) return true;
  }
  return false;
}

bool is_token(std::string_view name) {
  return !name.empty() && all(name, kToken);
}
bool is_field_value(std::string_view value) {
  return all(value, kValue);
}

}  // namespace gproxy::http
