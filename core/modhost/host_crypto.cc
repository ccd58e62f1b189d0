// gproxy.crypto/1 over base/digest and base/base64.
#include <cstring>

#include "base/arena.h"
#include "base/base64.h"
#include "base/digest.h"
#include "gproxy/ext/crypto.h"
#include "modhost/abi_text.h"
#include "modhost/host_api.h"

namespace gproxy::modhost {
namespace {

constexpr size_t kMaxInput = size_t{64} << 20;

// Copies into the module's arena.
gp_status give(gp_arena* arena, std::string_view bytes, gp_str* out) {
  if (bytes.empty()) {
    *out = {"", 0};
    return GP_OK;
  }
  auto* at = static_cast<char*>(reinterpret_cast<Arena*>(arena)->alloc(bytes.size(), 1));
  if (at == nullptr) return GP_ERR_NO_MEMORY;
  std::memcpy(at, bytes.data(), bytes.size());
  *out = {at, bytes.size()};
  return GP_OK;
}

bool usable(gp_str text) {
  return is_sound(text) && text.len <= kMaxInput;
}

gp_status crypto_random(void* out, size_t len) {
  if (out == nullptr && len > 0) return GP_ERR_INVALID;
  if (len > kMaxInput) return GP_ERR_TOO_LARGE;
  random_bytes(out, len);
  return GP_OK;
}

gp_status crypto_sha256(gp_str data, uint8_t* out) {
  if (!is_sound(data) || out == nullptr) return GP_ERR_INVALID;
  auto digest = sha256(view(data));
  std::memcpy(out, digest.data(), digest.size());
  return GP_OK;
}

gp_status crypto_hmac_sha256(gp_str key, gp_str data, uint8_t* out) {
  if (!is_sound(key) || !is_sound(data) || out == nullptr) return GP_ERR_INVALID;
  auto digest = hmac_sha256(view(key), view(data));
  std::memcpy(out, digest.data(), digest.size());
  return GP_OK;
}

gp_status crypto_rs256_sign(gp_arena* arena, gp_str pem, gp_str data, gp_str* signature) {
  if (arena == nullptr || signature == nullptr || !usable(pem) || !usable(data))
    return GP_ERR_INVALID;
  auto signed_bytes = rs256_sign(view(pem), view(data));
  if (!signed_bytes.ok()) return GP_ERR_INVALID;
  return give(arena, *signed_bytes, signature);
}

gp_status crypto_base64url_encode(gp_arena* arena, gp_str bytes, gp_str* out) {
  if (arena == nullptr || out == nullptr || !usable(bytes)) return GP_ERR_INVALID;
  return give(arena, base64url_encode(view(bytes)), out);
}

gp_status crypto_base64url_decode(gp_arena* arena, gp_str text, gp_str* out) {
  if (arena == nullptr || out == nullptr || !usable(text)) return GP_ERR_INVALID;
  auto bytes = base64_decode(view(text));
  if (!bytes) return GP_ERR_INVALID;
  return give(arena, *bytes, out);
}

constexpr gp_crypto_ext kCrypto = {sizeof(gp_crypto_ext),   0,
                                   crypto_random,           crypto_sha256,
                                   crypto_hmac_sha256,      crypto_rs256_sign,
                                   crypto_base64url_encode, crypto_base64url_decode};

}  // namespace

const gp_crypto_ext* crypto_extension() {
  return &kCrypto;
}

}  // namespace gproxy::modhost
