#include "base/digest.h"

#include <openssl/crypto.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/base64.h"

namespace gproxy {
namespace {

constexpr size_t kBlock = 64;  // SHA-256's
constexpr size_t kKeyBytes = 32, kNonceBytes = 12, kTagBytes = 16, kKeyIdBytes = 4;
constexpr size_t kHeaderBytes = 1 + kKeyIdBytes;
constexpr char kVersion = 1;

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using MdContext = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, Deleter<EVP_CIPHER_CTX_free>>;
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Bio = std::unique_ptr<BIO, Deleter<BIO_free_all>>;

// SHA-256 and AES-GCM cannot fail with valid arguments, except for want of memory: then nothing
// that depends on them can go on.
void require(bool done) {
  if (!done) std::abort();
}

// Fetched once: a fetch by name costs more than the digest of a short text.
const EVP_MD* sha256_method() {
  static const EVP_MD* const method = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return method;
}
const EVP_CIPHER* gcm_method() {
  static const EVP_CIPHER* const method = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  return method;
}

EVP_MD_CTX* sha256_context() {
  thread_local const MdContext context(EVP_MD_CTX_new());
  require(context != nullptr && EVP_DigestInit_ex2(context.get(), sha256_method(), nullptr) == 1);
  return context.get();
}

Error unseal_error(std::string_view why) {
  return Error{ErrorKind::server, "unseal_failed", std::string(why), {}};
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

std::string crypto_library_version() { return OpenSSL_version(OPENSSL_VERSION); }

Digest sha256(std::string_view bytes) {
  Digest digest;
  EVP_MD_CTX* context = sha256_context();
  require(EVP_DigestUpdate(context, bytes.data(), bytes.size()) == 1 &&
          EVP_DigestFinal_ex(context, digest.data(), nullptr) == 1);
  return digest;
}

Digest hmac_sha256(std::string_view key, std::string_view bytes) {
  unsigned char pad[kBlock] = {};
  Digest short_key;
  if (key.size() > kBlock) {
    short_key = sha256(key);
    key = digest_view(short_key);
  }
  if (!key.empty()) std::memcpy(pad, key.data(), key.size());
  Digest digest;
  for (auto& b : pad) b ^= 0x36;
  EVP_MD_CTX* context = sha256_context();
  require(EVP_DigestUpdate(context, pad, kBlock) == 1 &&
          EVP_DigestUpdate(context, bytes.data(), bytes.size()) == 1 &&
          EVP_DigestFinal_ex(context, digest.data(), nullptr) == 1);
  for (auto& b : pad) b ^= 0x36 ^ 0x5c;
  context = sha256_context();
  require(EVP_DigestUpdate(context, pad, kBlock) == 1 &&
          EVP_DigestUpdate(context, digest.data(), digest.size()) == 1 &&
          EVP_DigestFinal_ex(context, digest.data(), nullptr) == 1);
  wipe_memory(pad, sizeof pad);
  wipe_memory(short_key.data(), short_key.size());
  return digest;
}

std::string_view digest_view(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

void random_bytes(void* out, size_t bytes) {
  // Weak randomness would be worse than no service.
  if (bytes > 0)
    require(RAND_bytes(static_cast<unsigned char*>(out), static_cast<int>(bytes)) == 1);
}

std::string random_hex(size_t bytes) {
  std::string raw(bytes, '\0');
  random_bytes(raw.data(), raw.size());
  return hex_encode(raw);
}

Result<std::string> rs256_sign(std::string_view pem, std::string_view bytes) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  // An encrypted key must not make OpenSSL ask a terminal for its password.
  const auto no_password = [](char*, int, int, void*) { return 0; };
  const Key key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr) : nullptr);
  ERR_clear_error();
  if (!key || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA) {
    return Error{
        ErrorKind::invalid, "invalid_private_key", "expected an RSA private key in PEM form", {}};
  }
  const MdContext context(EVP_MD_CTX_new());
  size_t size = 0;
  std::string signature;
  bool done =
      context &&
      EVP_DigestSignInit(context.get(), nullptr, sha256_method(), nullptr, key.get()) == 1 &&
      EVP_DigestSign(context.get(), nullptr, &size, bytes_of(bytes), bytes.size()) == 1;
  if (done) {
    signature.resize(size);
    done = EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                          bytes_of(bytes), bytes.size()) == 1;
    signature.resize(done ? size : 0);
  }
  ERR_clear_error();
  if (!done) return internal_error("signing with the RSA key failed");
  return signature;
}

Result<Sealer> Sealer::open(std::string_view master) {
  if (master.size() != kKeyBytes) {
    return Error{ErrorKind::invalid,
                 "invalid_master_key",
                 "expected a master key of 32 bytes, got " + std::to_string(master.size()),
                 {}};
  }
  Sealer sealer;
  Digest seal = hmac_sha256(master, "gproxy seal v1");
  sealer.seal_key_ = Secret(digest_view(seal));
  wipe_memory(seal.data(), seal.size());
  const Digest id = hmac_sha256(sealer.seal_key_.reveal(), "gproxy key id");
  sealer.key_id_ = uint32_t{id[0]} << 24 | uint32_t{id[1]} << 16 | uint32_t{id[2]} << 8 | id[3];
  return sealer;
}

std::string Sealer::fingerprint() const {
  return hex_encode(digest_view(hmac_sha256(seal_key_.reveal(), "gproxy key id")).substr(0, 8));
}

std::string Sealer::record_key_id() const {
  std::string out;
  for (size_t i = 0; i < kKeyIdBytes; ++i) out += static_cast<char>(key_id_ >> (24 - 8 * i));
  return out;
}

std::string Sealer::seal(std::string_view plain, std::string_view associated) const {
  std::string out(kHeaderBytes + kNonceBytes + plain.size() + kTagBytes, '\0');
  auto* const at = reinterpret_cast<unsigned char*>(out.data());
  out[0] = kVersion;
  out.replace(1, kKeyIdBytes, record_key_id());
  unsigned char* const nonce = at + kHeaderBytes;
  random_bytes(nonce, kNonceBytes);
  unsigned char* const text = nonce + kNonceBytes;
  const CipherContext context(EVP_CIPHER_CTX_new());
  int n = 0;
  require(context &&
          EVP_EncryptInit_ex2(context.get(), gcm_method(), bytes_of(seal_key_.reveal()), nonce,
                              nullptr) == 1 &&
          EVP_EncryptUpdate(context.get(), nullptr, &n, at, static_cast<int>(kHeaderBytes)) == 1);
  if (!associated.empty()) {
    require(EVP_EncryptUpdate(context.get(), nullptr, &n, bytes_of(associated),
                              static_cast<int>(associated.size())) == 1);
  }
  if (!plain.empty()) {
    require(EVP_EncryptUpdate(context.get(), text, &n, bytes_of(plain),
                              static_cast<int>(plain.size())) == 1);
  }
  require(EVP_EncryptFinal_ex(context.get(), text + plain.size(), &n) == 1 &&
          EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, static_cast<int>(kTagBytes),
                              text + plain.size()) == 1);
  return out;
}

Result<Secret> Sealer::unseal(std::string_view sealed, std::string_view associated) const {
  if (sealed.size() < kHeaderBytes + kNonceBytes + kTagBytes)
    return unseal_error("the sealed record is too short");
  if (sealed[0] != kVersion) return unseal_error("the sealed record has an unknown version");
  uint32_t id = 0;
  for (size_t i = 0; i < kKeyIdBytes; ++i) id = id << 8 | static_cast<unsigned char>(sealed[1 + i]);
  if (id != key_id_) return unseal_error("the record was sealed with another master key");
  const auto* const at = bytes_of(sealed);
  const auto* const nonce = at + kHeaderBytes;
  const auto* const text = nonce + kNonceBytes;
  const size_t size = sealed.size() - kHeaderBytes - kNonceBytes - kTagBytes;
  std::string plain(size, '\0');
  unsigned char tag[kTagBytes];
  std::memcpy(tag, text + size, kTagBytes);
  const CipherContext context(EVP_CIPHER_CTX_new());
  int n = 0;
  bool good =
      context &&
      EVP_DecryptInit_ex2(context.get(), gcm_method(), bytes_of(seal_key_.reveal()), nonce,
                          nullptr) == 1 &&
      EVP_DecryptUpdate(context.get(), nullptr, &n, at, static_cast<int>(kHeaderBytes)) == 1;
  if (good && !associated.empty()) {
    good = EVP_DecryptUpdate(context.get(), nullptr, &n, bytes_of(associated),
                             static_cast<int>(associated.size())) == 1;
  }
  auto* const out = reinterpret_cast<unsigned char*>(plain.data());
  if (good && size > 0)
    good = EVP_DecryptUpdate(context.get(), out, &n, text, static_cast<int>(size)) == 1;
  good = good &&
         EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, static_cast<int>(kTagBytes),
                             tag) == 1 &&
         EVP_DecryptFinal_ex(context.get(), out + size, &n) == 1;
  ERR_clear_error();
  Secret secret(good ? std::string_view(plain) : std::string_view());
  wipe_memory(plain.data(), plain.size());
  if (!good) return unseal_error("the sealed record is damaged or belongs to another row");
  return secret;
}

}  // namespace gproxy
