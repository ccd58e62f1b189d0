// Ids of requests: UUIDv7 text into the arena, and what of a client's own id is taken over. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/arena.h"

namespace gproxy::gateway {

// Time-ordered, from 74 given random bits (not secret). Empty when the arena is exhausted.
inline std::string_view make_request_id(Arena& arena, int64_t wall_ms, uint64_t random_a,
                                        uint64_t random_b) {
  constexpr char kHex[] = "0123456789abcdef";
  unsigned char bytes[16];
  for (int i = 0; i < 6; ++i) bytes[i] = static_cast<unsigned char>(wall_ms >> (40 - 8 * i));
  for (int i = 0; i < 2; ++i) bytes[6 + i] = static_cast<unsigned char>(random_a >> (8 * i));
  for (int i = 0; i < 8; ++i) bytes[8 + i] = static_cast<unsigned char>(random_b >> (8 * i));
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x70);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
  auto* out = static_cast<char*>(arena.alloc(36, 1));
  if (out == nullptr) return {};
  size_t at = 0;
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out[at++] = '-';
    out[at++] = kHex[bytes[i] >> 4];
    out[at++] = kHex[bytes[i] & 15];
  }
  return {out, 36};
}

// 1 to 128 visible ASCII characters.
inline bool is_sane_request_id(std::string_view text) {
  if (text.empty() || text.size() > 128) return false;
  for (const unsigned char c : text) {
    if (c <= 0x20 || c >= 0x7f) return false;
  }
  return true;
}

}  // namespace gproxy::gateway
