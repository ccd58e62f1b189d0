#include "tokenize/unicode.h"

#include <array>
#include <cstddef>

namespace gproxy::tokenize {
namespace {

#include "tokenize/unicode_tables.inc"

constexpr unsigned kBlockBits = 7;
constexpr char32_t kLast = 0x10ffff;
static_assert(sizeof(kBlockOf) / sizeof(kBlockOf[0]) == (kLast >> kBlockBits) + 1);

constexpr CharClass look_up(char32_t c) {
  if (c > kLast) return CharClass::other;
  const size_t block = kBlockOf[c >> kBlockBits];
  return static_cast<CharClass>(kBlocks[(block << kBlockBits) + (c & ((1u << kBlockBits) - 1))] -
                                'a');
}

constexpr auto kAscii = [] {
  std::array<Classes, 128> out{};
  for (char32_t c = 0; c < 128; ++c) out[c] = bit(look_up(c));
  return out;
}();

bool continues(const char* at, const char* end) {
  return at < end && (static_cast<unsigned char>(*at) & 0xc0) == 0x80;
}

Char made(char32_t code, uint32_t bytes) {
  return {bit(look_up(code)), bytes, code};
}

}  // namespace

CharClass class_of(char32_t c) {
  return look_up(c);
}

Char char_at(const char* at, const char* end) {
  if (at >= end) return {};
  const auto first = static_cast<unsigned char>(*at);
  if (first < 0x80) return {kAscii[first], 1, first};
  const auto tail = [&](int i) {
    return static_cast<char32_t>(static_cast<unsigned char>(at[i]) & 0x3f);
  };
  if (first >= 0xc2 && first < 0xe0 && continues(at + 1, end)) {
    return made((char32_t{first} & 0x1f) << 6 | tail(1), 2);
  }
  if (first >= 0xe0 && first < 0xf0 && continues(at + 1, end) && continues(at + 2, end)) {
    const auto code = (char32_t{first} & 0x0f) << 12 | tail(1) << 6 | tail(2);
    if (code >= 0x800 && (code < 0xd800 || code > 0xdfff)) return made(code, 3);
  }
  if (first >= 0xf0 && first < 0xf5 && continues(at + 1, end) && continues(at + 2, end) &&
      continues(at + 3, end)) {
    const auto code = (char32_t{first} & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3);
    if (code >= 0x10000 && code <= kLast) return made(code, 4);
  }
  return made(0xfffd, 1);
}

}  // namespace gproxy::tokenize
