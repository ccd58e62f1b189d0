// What the tests of this folder share: running a loop until something is true, and a plain blocking
// client at the other end of a connection.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "net/loop.h"

namespace gproxy::net::test {

// False when it did not become true within the limit.
template <class Predicate>
bool run_until(Loop& loop, Predicate done, int64_t limit_ms = 60'000) {
  const int64_t end = Loop::now_us() + limit_ms * 1000;
  while (!done()) {
    if (Loop::now_us() > end) return false;
    loop.run_once(Loop::Wait::no);
  }
  return true;
}

class RawClient {
 public:
  explicit RawClient(uint16_t port, int receive_buffer = 0) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0) {
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  bool send(std::string_view bytes) {
    return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  // Takes what is there now; remembers the end.
  std::string& received(size_t at_most = 64 * 1024) {
    std::string block(at_most, '\0');
    const ssize_t n = ::recv(fd_, block.data(), block.size(), MSG_DONTWAIT);
    if (n == 0) eof_ = true;
    if (n < 0 && errno == ECONNRESET) reset_ = true;
    if (n > 0) received_.append(block, 0, static_cast<size_t>(n));
    return received_;
  }
  bool eof() {
    received();
    return eof_;
  }
  bool was_reset() {
    received();
    return reset_;
  }
  void finish_sending() { ::shutdown(fd_, SHUT_WR); }
  void reset() {
    const linger hard{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
  bool connected_ = false;
  bool eof_ = false;
  bool reset_ = false;
  std::string received_;
};

}  // namespace gproxy::net::test
