#include "base/base64.h"

#include <array>
#include <cstdint>

namespace gproxy {
namespace {

constexpr char kStandard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr char kUrl[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr char kHex[] = "0123456789abcdef";
constexpr char kUpperHex[] = "0123456789ABCDEF";

constexpr std::array<uint8_t, 256> decode_table() {
  std::array<uint8_t, 256> table{};
  for (auto& t : table) t = 0xff;
  for (uint8_t i = 0; i < 64; ++i) {
    table[static_cast<uint8_t>(kStandard[i])] = i;
    table[static_cast<uint8_t>(kUrl[i])] = i;
  }
  return table;
}
constexpr auto kDecode = decode_table();

enum class Padding { yes, no };

std::string encode(std::string_view bytes, const char* alphabet, Padding padding) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  const auto* p = reinterpret_cast<const unsigned char*>(bytes.data());
  size_t left = bytes.size();
  for (; left >= 3; left -= 3, p += 3) {
    const uint32_t n = uint32_t{p[0]} << 16 | uint32_t{p[1]} << 8 | p[2];
    const char four[4] = {alphabet[n >> 18], alphabet[n >> 12 & 63], alphabet[n >> 6 & 63],
                          alphabet[n & 63]};
    out.append(four, 4);
  }
  if (left > 0) {
    const uint32_t n = uint32_t{p[0]} << 16 | (left > 1 ? uint32_t{p[1]} << 8 : 0);
    out += alphabet[n >> 18];
    out += alphabet[n >> 12 & 63];
    if (left > 1) out += alphabet[n >> 6 & 63];
    if (padding == Padding::yes) out.append(left > 1 ? 1 : 2, '=');
  }
  return out;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

}  // namespace

std::string base64_encode(std::string_view bytes) {
  return encode(bytes, kStandard, Padding::yes);
}
std::string base64url_encode(std::string_view bytes) {
  return encode(bytes, kUrl, Padding::no);
}

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 == 0) {
    for (int i = 0; i < 2 && !text.empty() && text.back() == '='; ++i) text.remove_suffix(1);
  }
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 4 * 3 + 2);
  uint32_t bits = 0;
  int have = 0;
  for (char c : text) {
    const uint8_t v = kDecode[static_cast<uint8_t>(c)];
    if (v == 0xff) return std::nullopt;
    bits = bits << 6 | v;
    have += 6;
    if (have >= 8) {
      have -= 8;
      out += static_cast<char>(bits >> have & 0xff);
    }
  }
  return out;
}

std::string hex_encode(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (unsigned char c : bytes) {
    out += kHex[c >> 4];
    out += kHex[c & 15];
  }
  return out;
}

std::optional<std::string> hex_decode(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high << 4 | low);
  }
  return out;
}

std::string percent_encode(std::string_view text, std::string_view keep) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    if (unreserved(c) || keep.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += '%';
      out += kUpperHex[static_cast<unsigned char>(c) >> 4];
      out += kUpperHex[static_cast<unsigned char>(c) & 15];
    }
  }
  return out;
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '%') {
      if (text.size() - i < 3) return std::nullopt;
      const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high << 4 | low);
      i += 2;
    } else {
      out += plus_is_space && c == '+' ? ' ' : c;
    }
  }
  return out;
}

}  // namespace gproxy
