#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <string>

#include "base/base64.h"
#include "base/digest.h"

using namespace gproxy;

namespace {
std::string hex(const Digest& d) {
  return hex_encode(digest_view(d));
}
const std::string kMaster(32, 'k');
}  // namespace

TEST_CASE("SHA-256 and HMAC give the published vectors") {
  CHECK(hex(sha256("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex(sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  // RFC 4231, cases 1, 2 and 6.
  CHECK(hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")) ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(hex(hmac_sha256("Jefe", "what do ya want for nothing?")) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(hex(hmac_sha256(std::string(131, '\xaa'),
                        "Test Using Larger Than Block-Size Key - Hash Key First")) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_CASE("what is sealed comes back, with its row only") {
  auto sealer = Sealer::open(kMaster);
  REQUIRE(sealer.ok());
  for (const std::string& plain : {std::string(), std::string("a token"), std::string(5000, 'x')}) {
    const std::string sealed = sealer->seal(plain, "credential:7");
    CHECK(sealed.size() == 1 + 4 + 12 + plain.size() + 16);
    auto back = sealer->unseal(sealed, "credential:7");
    REQUIRE(back.ok());
    CHECK(back->reveal() == plain);
    CHECK(sealer->unseal(sealed, "credential:8").error().code == "unseal_failed");
    CHECK(sealer->seal(plain, "credential:7") != sealed);  // a fresh nonce each time
  }
}

TEST_CASE("a flipped bit anywhere in a sealed record is noticed") {
  auto sealer = Sealer::open(kMaster);
  const std::string sealed = sealer->seal("a token", "row");
  for (size_t i = 0; i < sealed.size() * 8; ++i) {
    std::string damaged = sealed;
    damaged[i / 8] = static_cast<char>(damaged[i / 8] ^ (1 << (i % 8)));
    REQUIRE_FALSE(sealer->unseal(damaged, "row").ok());
  }
  for (size_t n = 0; n < sealed.size(); ++n)
    REQUIRE_FALSE(sealer->unseal(sealed.substr(0, n), "row").ok());
}

TEST_CASE("another master key opens nothing, and has another name") {
  auto a = Sealer::open(kMaster), b = Sealer::open(std::string(32, 'q'));
  CHECK_FALSE(b->unseal(a->seal("x", "row"), "row").ok());
  CHECK(a->fingerprint() != b->fingerprint());
  CHECK(a->fingerprint().size() == 16);
  CHECK_FALSE(Sealer::open("short").ok());
}

TEST_CASE("a user key's digest depends on the lookup key and on nothing else") {
  const KeyHasher a(Secret("lookup-one")), b(Secret("lookup-two"));
  CHECK(a.digest("sk-1") == KeyHasher(Secret("lookup-one")).digest("sk-1"));
  CHECK(a.digest("sk-1") != b.digest("sk-1"));
  CHECK(a.digest("sk-1") != a.digest("sk-2"));
}

TEST_CASE("an RS256 signature verifies with the public key, and over the signed bytes only") {
  EVP_PKEY* key = EVP_RSA_gen(2048);
  REQUIRE(key != nullptr);
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  char* pem = nullptr;
  const long size = BIO_get_mem_data(bio, &pem);
  const auto signature = rs256_sign({pem, static_cast<size_t>(size)}, "header.claims");
  REQUIRE(signature.ok());
  CHECK(signature->size() == 256);
  for (const std::string& text : {std::string("header.claims"), std::string("header.clains")}) {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_DigestVerifyInit(context, nullptr, EVP_sha256(), nullptr, key);
    const int verdict = EVP_DigestVerify(
        context, reinterpret_cast<const unsigned char*>(signature->data()), signature->size(),
        reinterpret_cast<const unsigned char*>(text.data()), text.size());
    CHECK((verdict == 1) == (text == "header.claims"));
    EVP_MD_CTX_free(context);
  }
  BIO_free_all(bio);
  EVP_PKEY_free(key);
}

TEST_CASE("signing refuses what is no RSA key, without its text in the message") {
  const auto result =
      rs256_sign("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n", "x");
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code == "invalid_private_key");
  CHECK(result.error().message.find("c2Vj") == std::string::npos);
}

TEST_CASE("randomness does not repeat") {
  CHECK(random_hex(16).size() == 32);
  CHECK(random_hex(16) != random_hex(16));
}
