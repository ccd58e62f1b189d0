// Digests, sealing and randomness; OpenSSL stands behind this file alone.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace gproxy {

using Digest = std::array<unsigned char, 32>;

// The OpenSSL that is loaded, for --version.
std::string crypto_library_version();

Digest sha256(std::string_view bytes);
Digest hmac_sha256(std::string_view key, std::string_view bytes);
std::string_view digest_view(const Digest& digest);

void random_bytes(void* out, size_t bytes);
std::string random_hex(size_t bytes);

// RSASSA-PKCS1-v1_5 with SHA-256 over `bytes`, with a PEM private key (PKCS#1 or PKCS#8). [any
// thread]
Result<std::string> rs256_sign(std::string_view pem, std::string_view bytes);

// AES-256-GCM. The record is version(1) key_id(4) nonce(12) ciphertext tag(16); `associated` binds
// it to its row, so that a ciphertext cannot be moved to another one.
class Sealer {
 public:
  // `master` is 32 bytes. The sealing key is derived from it (HKDF-like, HMAC-SHA-256 with a
  // label).
  static Result<Sealer> open(std::string_view master);
  std::string seal(std::string_view plain, std::string_view associated) const;
  Result<Secret> unseal(std::string_view sealed, std::string_view associated) const;
  // Short public name of the key: first 8 bytes of a digest, hex. Stored beside the data.
  std::string fingerprint() const;
  // How records name the key they were sealed with: the four bytes after a record's first.
  std::string record_key_id() const;

 private:
  Secret seal_key_;
  uint32_t key_id_ = 0;
};

// Digests of user keys: HMAC-SHA-256 under a random lookup key. A stolen digest is of no use without it.
// Immutable; any thread.
class KeyHasher {
 public:
  KeyHasher() = default;
  explicit KeyHasher(Secret lookup_key) : lookup_key_(std::move(lookup_key)) {}
  Digest digest(std::string_view user_key) const { return hmac_sha256(lookup_key_.reveal(), user_key); }

 private:
  Secret lookup_key_;
};

}  // namespace gproxy
