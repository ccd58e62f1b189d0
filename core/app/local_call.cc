#include "app/local_call.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace gproxy::app {
namespace {

constexpr size_t kMaxAnswerBytes = size_t{1} << 20;

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

// What is listened on, as an address to connect to.
std::string reachable(std::string host) {
  if (host == "0.0.0.0") return "127.0.0.1";
  if (host == "::" || host == "[::]") return "::1";
  if (host.size() > 2 && host.front() == '[') return host.substr(1, host.size() - 2);
  return host;
}

}  // namespace

std::optional<std::string> local_call(const Options& options, std::string_view request,
                                      int seconds) {
  const std::string host = reachable(options.host ? options.host->value : "127.0.0.1");
  const std::string port = std::to_string(options.port ? options.port->value : 8787);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) return std::nullopt;
  std::string answer;
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval limit{seconds, 0};
  if (fd >= 0) {
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, found->ai_addr, found->ai_addrlen) == 0 && send_all(fd, request)) {
      char block[4096];
      ssize_t n = 0;
      while (answer.size() < kMaxAnswerBytes && (n = recv(fd, block, sizeof block, 0)) > 0) {
        answer.append(block, static_cast<size_t>(n));
      }
    }
    close(fd);
  }
  freeaddrinfo(found);
  if (answer.empty()) return std::nullopt;
  return answer;
}

}  // namespace gproxy::app
