// An upstream for tests: a blocking HTTP/1.1 server, one thread per connection, plain or TLS, that
// does what the test's script says. Its certificates are made on the spot.
#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace gproxy::upstream::test {

struct ServerRequest {
  std::string line;                            // "POST /v1/x HTTP/1.1"
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::string head;  // as it came
};

// One accepted connection, on its own thread.
class Stream {
 public:
  Stream(int fd, SSL* ssl) : fd_(fd), ssl_(ssl) {}
  // False at the end of the stream. Reads the body by content-length, unless told not to.
  enum class Body { read, leave };
  bool read_request(ServerRequest& request, Body body = Body::read);
  bool read_body(ServerRequest& request);
  bool write(std::string_view bytes);
  // "HTTP/1.1 200 OK" with a content-length.
  bool reply(std::string_view body, std::string_view extra_headers = {}, int status = 200);
  bool chunk(std::string_view bytes);
  void reset();  // RST instead of FIN
  // Waits until the other side closes or sends; true when it closed.
  bool wait_for_close();

 private:
  friend class TestServer;
  int read_some(char* out, size_t room);
  int fd_;
  SSL* ssl_;
  std::string buffered_;
};

class TestCertificates {
 public:
  TestCertificates();
  ~TestCertificates();
  // PEM of the authority that signed the server's certificate (names: localhost, 127.0.0.1).
  const std::string& authority_file() const { return authority_file_; }
  const std::string& certificate_file() const { return certificate_file_; }
  const std::string& key_file() const { return key_file_; }
  SSL_CTX* server_context() const { return context_; }

 private:
  std::string folder_, authority_file_, certificate_file_, key_file_;
  SSL_CTX* context_ = nullptr;
};
// Made once per test binary.
const TestCertificates& certificates();

class TestServer {
 public:
  // Serves one connection; the connection is closed when it returns.
  using Script = std::function<void(Stream&)>;
  enum class Transport { plain, tls, tls_stalled };  // stalled: accepts, never shakes hands

  explicit TestServer(Script script, Transport transport = Transport::plain);
  ~TestServer();

  uint16_t port() const { return port_; }
  std::string url(std::string_view path = "/") const;
  int connections() const { return connections_; }
  int resumed() const { return resumed_; }  // TLS handshakes that resumed a session
  int open() const { return open_; }
  const std::string& failure() const { return failure_; }

  // Answers every request on a connection with `body`.
  static Script answers(std::string body, std::string headers = {});

 private:
  void accept_all();
  void serve(int fd);

  Script script_;
  Transport transport_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::atomic<int> connections_ = 0, resumed_ = 0, open_ = 0;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::vector<int> fds_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
  std::string failure_;
};

}  // namespace gproxy::upstream::test
