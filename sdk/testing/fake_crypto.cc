// SPDX-License-Identifier: MIT
#include "testing/fake_crypto.h"

#include <array>
#include <atomic>
#include <bit>
#include <cstring>

#include "testing/fake_arena.h"

namespace gp::testing {
namespace {

using Digest = std::array<uint8_t, 32>;

constexpr std::array<uint32_t, 64> kRound = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

void compress(std::array<uint32_t, 8>& h, const uint8_t* block) {
  std::array<uint32_t, 64> w;
  for (size_t i = 0; i < 16; ++i) {
    w[i] = uint32_t{block[4 * i]} << 24 | uint32_t{block[4 * i + 1]} << 16 |
           uint32_t{block[4 * i + 2]} << 8 | block[4 * i + 3];
  }
  for (size_t i = 16; i < 64; ++i) {
    const uint32_t a = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
    const uint32_t b = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
    w[i] = w[i - 16] + a + w[i - 7] + b;
  }
  auto s = h;
  for (size_t i = 0; i < 64; ++i) {
    const uint32_t e1 = std::rotr(s[4], 6) ^ std::rotr(s[4], 11) ^ std::rotr(s[4], 25);
    const uint32_t one = s[7] + e1 + ((s[4] & s[5]) ^ (~s[4] & s[6])) + kRound[i] + w[i];
    const uint32_t e0 = std::rotr(s[0], 2) ^ std::rotr(s[0], 13) ^ std::rotr(s[0], 22);
    const uint32_t two = e0 + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
    s = {one + two, s[0], s[1], s[2], s[3] + one, s[4], s[5], s[6]};
  }
  for (size_t i = 0; i < 8; ++i) h[i] += s[i];
}

Digest sha256(std::string_view data) {
  std::array<uint32_t, 8> h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                               0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::string padded(data);
  padded += '\x80';
  while (padded.size() % 64 != 56) padded += '\0';
  const uint64_t bits = uint64_t{data.size()} * 8;
  for (int i = 7; i >= 0; --i) padded += static_cast<char>(bits >> (8 * i));
  for (size_t at = 0; at < padded.size(); at += 64) {
    compress(h, reinterpret_cast<const uint8_t*>(padded.data()) + at);
  }
  Digest out;
  for (size_t i = 0; i < 32; ++i) out[i] = static_cast<uint8_t>(h[i / 4] >> (24 - 8 * (i % 4)));
  return out;
}

std::string bytes_of(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

Digest hmac(std::string_view key, std::string_view data) {
  std::string padded = key.size() > 64 ? bytes_of(sha256(key)) : std::string(key);
  padded.resize(64, '\0');
  std::string inner = padded, outer = padded;
  for (char& c : inner) c = static_cast<char>(c ^ 0x36);
  for (char& c : outer) c = static_cast<char>(c ^ 0x5c);
  return sha256(outer + bytes_of(sha256(inner + std::string(data))));
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

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
std::atomic<uint8_t> g_random{0};

gp_status ext_random(void* out, size_t len) {
  auto* bytes = static_cast<uint8_t*>(out);
  for (size_t i = 0; i < len; ++i) bytes[i] = g_random++;
  return GP_OK;
}

gp_status ext_sha256(gp_str data, uint8_t* out) {
  const Digest digest = sha256(view_of(data));
  std::memcpy(out, digest.data(), digest.size());
  return GP_OK;
}

gp_status ext_hmac(gp_str key, gp_str data, uint8_t* out) {
  const Digest digest = hmac(view_of(key), view_of(data));
  std::memcpy(out, digest.data(), digest.size());
  return GP_OK;
}

gp_status ext_rs256(gp_arena* arena, gp_str pem, gp_str data, gp_str* signature) {
  if (view_of(pem).find("PRIVATE KEY") == std::string_view::npos) return GP_ERR_INVALID;
  return put(arena, bytes_of(hmac(view_of(pem), view_of(data))), signature);
}

gp_status ext_encode(gp_arena* arena, gp_str bytes, gp_str* out) {
  std::string text;
  uint32_t bits = 0;
  int have = 0;
  for (char c : view_of(bytes)) {
    bits = bits << 8 | static_cast<uint8_t>(c);
    for (have += 8; have >= 6; have -= 6) text += kAlphabet[(bits >> (have - 6)) & 63];
  }
  if (have > 0) text += kAlphabet[(bits << (6 - have)) & 63];
  return put(arena, text, out);
}

gp_status ext_decode(gp_arena* arena, gp_str text, gp_str* out) {
  std::string bytes;
  std::string_view in = view_of(text);
  while (in.ends_with('=')) in.remove_suffix(1);
  uint32_t bits = 0;
  int have = 0;
  for (char c : in) {
    const size_t value = kAlphabet.find(c == '+' ? '-' : c == '/' ? '_' : c);
    if (value == std::string_view::npos) return GP_ERR_INVALID;
    bits = bits << 6 | static_cast<uint32_t>(value);
    if ((have += 6) >= 8) bytes += static_cast<char>(bits >> (have -= 8));
  }
  return have == 6 ? GP_ERR_INVALID : put(arena, bytes, out);
}

}  // namespace

const gp_crypto_ext* fake_crypto() {
  static const gp_crypto_ext kTable = {sizeof(gp_crypto_ext),
                                       0,
                                       ext_random,
                                       ext_sha256,
                                       ext_hmac,
                                       ext_rs256,
                                       ext_encode,
                                       ext_decode};
  return &kTable;
}

std::string sha256_hex(std::string_view data) {
  std::string out;
  for (uint8_t byte : sha256(data)) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

void reset_random() {
  g_random = 0;
}

}  // namespace gp::testing
