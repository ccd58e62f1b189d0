#include "upstream/failure.h"

namespace gproxy::upstream {
namespace {

constexpr size_t kMaxMessage = 200;

struct Rule {
  CURLcode code;
  FailureKind kind;
};

// What is not listed is `other`.
constexpr Rule kRules[] = {
    {CURLE_COULDNT_RESOLVE_HOST, FailureKind::dns},
    {CURLE_COULDNT_RESOLVE_PROXY, FailureKind::proxy},
    {CURLE_PROXY, FailureKind::proxy},
    {CURLE_COULDNT_CONNECT, FailureKind::connect},
    {CURLE_INTERFACE_FAILED, FailureKind::connect},
    // The only clock that libcurl keeps for us is the one for connecting.
    {CURLE_OPERATION_TIMEDOUT, FailureKind::connect_timeout},
    {CURLE_SSL_CONNECT_ERROR, FailureKind::tls},
    {CURLE_SSL_ENGINE_NOTFOUND, FailureKind::tls},
    {CURLE_SSL_ENGINE_SETFAILED, FailureKind::tls},
    {CURLE_SSL_ENGINE_INITFAILED, FailureKind::tls},
    {CURLE_SSL_CERTPROBLEM, FailureKind::tls},
    {CURLE_SSL_CIPHER, FailureKind::tls},
    {CURLE_PEER_FAILED_VERIFICATION, FailureKind::tls},
    {CURLE_SSL_CACERT_BADFILE, FailureKind::tls},
    {CURLE_SSL_ISSUER_ERROR, FailureKind::tls},
    {CURLE_SSL_CRL_BADFILE, FailureKind::tls},
    {CURLE_SSL_INVALIDCERTSTATUS, FailureKind::tls},
    {CURLE_SSL_PINNEDPUBKEYNOTMATCH, FailureKind::tls},
    {CURLE_SSL_CLIENTCERT, FailureKind::tls},
    {CURLE_USE_SSL_FAILED, FailureKind::tls},
    {CURLE_SEND_ERROR, FailureKind::reset},
    {CURLE_RECV_ERROR, FailureKind::reset},
    {CURLE_GOT_NOTHING, FailureKind::reset},
    {CURLE_PARTIAL_FILE, FailureKind::reset},  // the answer ended early
    {CURLE_SEND_FAIL_REWIND, FailureKind::reset},
    {CURLE_HTTP2, FailureKind::protocol},
    {CURLE_HTTP2_STREAM, FailureKind::protocol},
    {CURLE_WEIRD_SERVER_REPLY, FailureKind::protocol},
    {CURLE_UNSUPPORTED_PROTOCOL, FailureKind::protocol},
    {CURLE_BAD_CONTENT_ENCODING, FailureKind::protocol},
    {CURLE_WRITE_ERROR, FailureKind::aborted},
    {CURLE_ABORTED_BY_CALLBACK, FailureKind::aborted},
};

}  // namespace

std::string_view name(FailureKind kind) {
  switch (kind) {
    case FailureKind::none:
      return "none";
    case FailureKind::connect:
      return "connect";
    case FailureKind::dns:
      return "dns";
    case FailureKind::tls:
      return "tls";
    case FailureKind::connect_timeout:
      return "connect_timeout";
    case FailureKind::first_byte_timeout:
      return "first_byte_timeout";
    case FailureKind::idle_timeout:
      return "idle_timeout";
    case FailureKind::total_timeout:
      return "total_timeout";
    case FailureKind::reset:
      return "reset";
    case FailureKind::protocol:
      return "protocol";
    case FailureKind::too_large:
      return "too_large";
    case FailureKind::proxy:
      return "proxy";
    case FailureKind::aborted:
      return "aborted";
    case FailureKind::other:
      return "other";
  }
  return "other";
}

FailureKind classify(CURLcode code, const TransferFacts& facts) {
  if (code == CURLE_OK) return FailureKind::none;
  if (facts.address_refused) return FailureKind::connect;
  if (facts.uses_proxy) {
    // A tunnel that the proxy refused arrives as a receive error.
    if (facts.connect_code != 0 && facts.connect_code / 100 != 2) return FailureKind::proxy;
    if (code == CURLE_COULDNT_CONNECT) return FailureKind::proxy;
  }
  for (const Rule& rule : kRules) {
    if (rule.code == code) return rule.kind;
  }
  return FailureKind::other;
}

std::string failure_message(CURLcode code, std::string_view curl_text, std::string_view secret) {
  const bool leaks = !secret.empty() && curl_text.find(secret) != std::string_view::npos;
  std::string message(leaks || curl_text.empty() ? std::string_view(curl_easy_strerror(code))
                                                 : curl_text.substr(0, kMaxMessage));
  for (char& c : message) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = ' ';
  }
  return message;
}

}  // namespace gproxy::upstream
