// Stands between a client and PostgreSQL's socket and falls silent when the test says so: what came
// through before stays connected on both sides and is served no more.
#pragma once

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "support.h"

namespace gproxy::storage::test {

class SilentProxy {
 public:
  // `dsn` names the server's socket folder with host=.
  explicit SilentProxy(const std::string& dsn) {
    const size_t host = dsn.find("host=") + 5;
    const size_t end = std::min(dsn.find('&', host), dsn.size());
    server_ = dsn.substr(host, end - host) + "/.s.PGSQL.5432";
    dsn_ = dsn.substr(0, host) + folder_.path() + dsn.substr(end);
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_un at = address(folder_.file(".s.PGSQL.5432"));
    REQUIRE(::bind(listener_, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
    REQUIRE(::listen(listener_, 16) == 0);
    thread_ = std::thread([this] { run(); });
  }
  ~SilentProxy() {
    stopping_ = true;
    thread_.join();
    ::close(listener_);
    for (const int fd : kept_) ::close(fd);
  }
  SilentProxy(const SilentProxy&) = delete;
  SilentProxy& operator=(const SilentProxy&) = delete;

  const std::string& dsn() const { return dsn_; }
  // Every connection there is; one made later is served.
  void silence() {
    silence_ = true;
    while (silence_) std::this_thread::yield();
  }

 private:
  static sockaddr_un address(const std::string& path) {
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    REQUIRE(path.size() < sizeof at.sun_path);
    std::memcpy(at.sun_path, path.data(), path.size());
    return at;
  }

  void run() {
    std::vector<pollfd> fds;  // the listener, then client and server of each connection
    fds.push_back({listener_, POLLIN, 0});
    while (!stopping_) {
      (void)::poll(fds.data(), fds.size(), 5);
      if (silence_) {
        fds.resize(1);
        silence_ = false;
        continue;
      }
      for (size_t i = 1; i < fds.size(); ++i) {
        if (fds[i].fd >= 0 && fds[i].revents != 0) pass(fds[i], fds[i % 2 == 1 ? i + 1 : i - 1]);
      }
      if (fds[0].revents != 0) take(fds);
    }
  }
  void take(std::vector<pollfd>& fds) {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const int server = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    kept_.insert(kept_.end(), {client, server});
    const sockaddr_un at = address(server_);
    if (::connect(server, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) return;
    fds.push_back({client, POLLIN, 0});
    fds.push_back({server, POLLIN, 0});
  }
  static void pass(pollfd& from, pollfd& to) {
    std::array<char, 16384> bytes{};
    const ssize_t n = ::recv(from.fd, bytes.data(), bytes.size(), 0);
    if (n > 0 && ::send(to.fd, bytes.data(), static_cast<size_t>(n), MSG_NOSIGNAL) == n) return;
    (void)::shutdown(to.fd, SHUT_RDWR);
    from.fd = to.fd = -1;
  }

  Folder folder_;
  std::string server_, dsn_;
  int listener_ = -1;
  std::vector<int> kept_;
  std::atomic<bool> silence_{false};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace gproxy::storage::test
