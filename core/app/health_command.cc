// gproxy health: asks a running gproxy's /readyz, for containers and service managers.
#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "app/commands.h"

namespace gproxy::app {

int run_health(const Options& options) {
  std::string host = options.host ? options.host->value : "127.0.0.1";
  if (host == "0.0.0.0") host = "127.0.0.1";
  if (host == "::" || host == "[::]") host = "::1";
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  const std::string port = std::to_string(options.port ? options.port->value : 8787);

  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) {
    std::fprintf(stderr, "gproxy: cannot resolve %s\n", host.c_str());
    return kExitUnavailable;
  }
  std::string answer;
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval limit{3, 0};
  if (fd >= 0) {
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    static constexpr char kRequest[] = "GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    if (connect(fd, found->ai_addr, found->ai_addrlen) == 0 && send(fd, kRequest, sizeof kRequest - 1, MSG_NOSIGNAL) > 0) {
      char block[4096];
      ssize_t n = 0;
      while ((n = recv(fd, block, sizeof block, 0)) > 0 && answer.size() < 64 * 1024) answer.append(block, static_cast<size_t>(n));
    }
    close(fd);
  }
  freeaddrinfo(found);
  if (answer.empty()) {
    std::fprintf(stderr, "gproxy: nothing answers on %s port %s\n", host.c_str(), port.c_str());
    return kExitUnavailable;
  }
  const size_t body = answer.find("\r\n\r\n");
  if (body != std::string::npos) std::printf("%s\n", answer.c_str() + body + 4);
  return answer.compare(0, 12, "HTTP/1.1 200") == 0 ? kExitOk : kExitFailure;
}

}  // namespace gproxy::app
