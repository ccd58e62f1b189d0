#include "upstream/tls_warm_up.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>

namespace gproxy::upstream {
namespace {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, Freed<SSL_free>>;

constexpr int kFlights = 8;
constexpr long kAMinute = 60;

// Signed by itself, for a name that nobody has.
Certificate make_certificate(EVP_PKEY* key) {
  Certificate certificate(X509_new());
  X509* x = certificate.get();
  if (x == nullptr) return nullptr;
  X509_set_version(x, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
  X509_gmtime_adj(X509_getm_notBefore(x), -kAMinute);
  X509_gmtime_adj(X509_getm_notAfter(x), kAMinute);
  X509_NAME* name = X509_get_subject_name(x);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("warm-up.invalid"), -1, -1, 0);
  X509_set_issuer_name(x, name);
  X509_set_pubkey(x, key);
  return X509_sign(x, key, EVP_sha256()) > 0 ? std::move(certificate) : nullptr;
}

bool shake_hands(SSL* client, SSL* server) {
  BIO *near = nullptr, *far = nullptr;
  if (BIO_new_bio_pair(&near, 0, &far, 0) != 1) return false;
  SSL_set_bio(client, near, near);
  SSL_set_bio(server, far, far);
  SSL_set_connect_state(client);
  SSL_set_accept_state(server);
  for (int i = 0; i < kFlights; ++i) {
    const int a = SSL_do_handshake(client), b = SSL_do_handshake(server);
    if (a == 1 && b == 1) return true;
  }
  return false;
}

}  // namespace

void warm_up_tls(x509_store_st* trusted) {
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate = key != nullptr ? make_certificate(key.get()) : nullptr;
  const Context client(SSL_CTX_new(TLS_client_method())), server(SSL_CTX_new(TLS_server_method()));
  if (certificate != nullptr && client != nullptr && server != nullptr &&
      SSL_CTX_use_certificate(server.get(), certificate.get()) == 1 &&
      SSL_CTX_use_PrivateKey(server.get(), key.get()) == 1) {
    // Judged, and let pass whatever the judgement.
    SSL_CTX_set_verify(client.get(), SSL_VERIFY_NONE, nullptr);
    if (trusted != nullptr) SSL_CTX_set1_cert_store(client.get(), trusted);
    const Session near(SSL_new(client.get())), far(SSL_new(server.get()));
    if (near != nullptr && far != nullptr) shake_hands(near.get(), far.get());
  }
  ERR_clear_error();
}

}  // namespace gproxy::upstream
