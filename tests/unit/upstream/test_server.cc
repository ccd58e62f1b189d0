#include "test_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

namespace gproxy::upstream::test {
namespace {

EVP_PKEY* make_key() {
  return EVP_EC_gen("P-256");
}

void add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

X509* make_certificate(const char* name, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key,
                       long serial) {
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
  X509_set_pubkey(certificate, key);
  X509_NAME* subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  X509_set_issuer_name(certificate, issuer != nullptr ? X509_get_subject_name(issuer) : subject);
  if (issuer == nullptr) {
    add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
  } else {
    add_extension(certificate, issuer, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
  }
  X509_sign(certificate, issuer_key, EVP_sha256());
  return certificate;
}

void write_pem(const std::string& path, X509* certificate, EVP_PKEY* key) {
  FILE* file = std::fopen(path.c_str(), "w");
  if (certificate != nullptr) PEM_write_X509(file, certificate);
  if (key != nullptr) PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(file);
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return text;
}

}  // namespace

TestCertificates::TestCertificates() {
  std::string pattern = (std::filesystem::temp_directory_path() / "gproxy-test-XXXXXX").string();
  folder_ = ::mkdtemp(pattern.data());
  authority_file_ = folder_ + "/ca.pem";
  certificate_file_ = folder_ + "/server.pem";
  key_file_ = folder_ + "/server.key";
  EVP_PKEY* authority_key = make_key();
  X509* authority =
      make_certificate("gproxy test authority", authority_key, nullptr, authority_key, 1);
  EVP_PKEY* key = make_key();
  X509* certificate = make_certificate("localhost", key, authority, authority_key, 2);
  write_pem(authority_file_, authority, nullptr);
  write_pem(certificate_file_, certificate, nullptr);
  write_pem(key_file_, nullptr, key);
  context_ = SSL_CTX_new(TLS_server_method());
  SSL_CTX_use_certificate(context_, certificate);
  SSL_CTX_use_PrivateKey(context_, key);
  const unsigned char id[] = "gproxy";
  SSL_CTX_set_session_id_context(context_, id, sizeof id);
  X509_free(certificate);
  X509_free(authority);
  EVP_PKEY_free(key);
  EVP_PKEY_free(authority_key);
}

TestCertificates::~TestCertificates() {
  SSL_CTX_free(context_);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

const TestCertificates& certificates() {
  static const TestCertificates made;
  return made;
}

int Stream::read_some(char* out, size_t room) {
  if (ssl_ != nullptr) return SSL_read(ssl_, out, static_cast<int>(room));
  return static_cast<int>(::recv(fd_, out, room, 0));
}

bool Stream::read_request(ServerRequest& request, Body body) {
  request = {};
  size_t end;
  while ((end = buffered_.find("\r\n\r\n")) == std::string::npos) {
    char block[16384];
    const int n = read_some(block, sizeof block);
    if (n <= 0) return false;
    buffered_.append(block, static_cast<size_t>(n));
  }
  request.head = buffered_.substr(0, end + 2);
  buffered_.erase(0, end + 4);
  size_t at = request.head.find("\r\n");
  request.line = request.head.substr(0, at);
  while (at + 2 < request.head.size()) {
    const size_t begin = at + 2;
    at = request.head.find("\r\n", begin);
    const std::string field = request.head.substr(begin, at - begin);
    const size_t colon = field.find(':');
    size_t value = colon + 1;
    while (value < field.size() && field[value] == ' ') ++value;
    request.headers[lower(field.substr(0, colon))] = field.substr(value);
  }
  return body == Body::leave || read_body(request);
}

bool Stream::read_body(ServerRequest& request) {
  const auto length = request.headers.find("content-length");
  const size_t wanted = length != request.headers.end() ? std::stoul(length->second) : 0;
  while (buffered_.size() < wanted) {
    char block[65536];
    const int n = read_some(block, sizeof block);
    if (n <= 0) return false;
    buffered_.append(block, static_cast<size_t>(n));
  }
  request.body = buffered_.substr(0, wanted);
  buffered_.erase(0, wanted);
  return true;
}

bool Stream::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const int n = ssl_ != nullptr
                      ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                      : static_cast<int>(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

bool Stream::reply(std::string_view body, std::string_view extra, int status) {
  std::string all = "HTTP/1.1 " + std::to_string(status) +
                    " Word\r\ncontent-length: " + std::to_string(body.size()) + "\r\n";
  all += extra;
  all += "\r\n";
  all += body;
  return write(all);
}

bool Stream::chunk(std::string_view bytes) {
  char size[32];
  std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  return write(std::string(size) + std::string(bytes) + "\r\n");
}

void Stream::reset() {
  const linger hard{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

bool Stream::wait_for_close() {
  char byte;
  return read_some(&byte, 1) <= 0;
}

TestServer::TestServer(Script script, Transport transport)
    : script_(std::move(script)), transport_(transport) {
  if (transport != Transport::plain) certificates();
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_, 1024) != 0) {
    failure_ = "cannot listen";
  }
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

TestServer::~TestServer() {
  stopping_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  {
    std::lock_guard lock(mutex_);
    for (int fd : fds_) ::shutdown(fd, SHUT_RDWR);
  }
  for (auto& thread : threads_) thread.join();
}

std::string TestServer::url(std::string_view path) const {
  return (transport_ == Transport::plain ? "http://127.0.0.1:" : "https://localhost:") +
         std::to_string(port_) + std::string(path);
}

void TestServer::accept_all() {
  while (!stopping_) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) {
      if (stopping_) return;
      continue;
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ++connections_;
    ++open_;
    std::lock_guard lock(mutex_);
    fds_.push_back(fd);
    threads_.emplace_back([this, fd] { serve(fd); });
  }
}

void TestServer::serve(int fd) {
  SSL* ssl = nullptr;
  bool ready = true;
  if (transport_ == Transport::tls) {
    ssl = SSL_new(certificates().server_context());
    SSL_set_fd(ssl, fd);
    ready = SSL_accept(ssl) == 1;
    if (ready && SSL_session_reused(ssl) == 1) ++resumed_;
  }
  Stream stream(fd, ssl);
  if (transport_ == Transport::tls_stalled) {
    char block[4096];
    while (::recv(fd, block, sizeof block, 0) > 0) {
    }
  } else if (ready) {
    script_(stream);
  }
  if (ssl != nullptr) {
    ERR_clear_error();
    if (ready) SSL_shutdown(ssl);
    SSL_free(ssl);
  }
  {
    std::lock_guard lock(mutex_);
    std::erase(fds_, fd);
    ::close(fd);
  }
  --open_;
}

TestServer::Script TestServer::answers(std::string body, std::string headers) {
  return [body = std::move(body), headers = std::move(headers)](Stream& stream) {
    ServerRequest request;
    while (stream.read_request(request)) {
      if (!stream.reply(body, headers)) return;
    }
  };
}

}  // namespace gproxy::upstream::test
