// What is sent on a held socket in one turn arrives when the turn ends, and not before.
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "net/loop.h"
#include "upstream/send_batch.h"

using namespace gproxy;
using namespace gproxy::upstream;

#if defined(TCP_CORK)
namespace {

struct Pair {
  int near = -1;
  int far = -1;
  explicit Pair(SendBatch* batch) {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener, 1) == 0);
    socklen_t length = sizeof address;
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length);
    near = ::socket(AF_INET, SOCK_STREAM, 0);
    if (batch != nullptr) batch->hold(near);
    REQUIRE(::connect(near, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    far = ::accept(listener, nullptr, nullptr);
    ::close(listener);
    // As libcurl does with each new connection.
    const int on = 1;
    ::setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  ~Pair() {
    ::close(near);
    ::close(far);
  }
  void send(std::string_view text) const {
    REQUIRE(::send(near, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
  }
  // Bytes that left this side already.
  bool all_sent() const {
    tcp_info info{};
    socklen_t length = sizeof info;
    REQUIRE(::getsockopt(near, IPPROTO_TCP, TCP_INFO, &info, &length) == 0);
    pollfd waiting{far, POLLIN, 0};
    return ::poll(&waiting, 1, info.tcpi_unacked > 0 ? 1000 : 0) == 1;
  }
  std::string received() const {
    char room[256];
    const ssize_t n = ::recv(far, room, sizeof room, MSG_DONTWAIT);
    return {room, n > 0 ? static_cast<size_t>(n) : 0};
  }
};

}  // namespace

TEST_CASE("a held socket sends at the end of the turn") {
  net::Loop loop;
  SendBatch batch(loop);
  Pair pair(&batch);
  pair.send("one ");
  batch.touch(pair.near);
  pair.send("two");
  CHECK_FALSE(pair.all_sent());

  loop.run_once(net::Loop::Wait::no);
  CHECK(pair.all_sent());
  CHECK(pair.received() == "one two");

  // The cork stays in: the next turn's sends wait for that turn's end.
  pair.send("three");
  CHECK_FALSE(pair.all_sent());
  batch.touch(pair.near);
  loop.run_once(net::Loop::Wait::no);
  CHECK(pair.all_sent());
  CHECK(pair.received() == "three");
}

TEST_CASE("a socket that is not held sends at once, and so does the next one with its number") {
  net::Loop loop;
  SendBatch batch(loop);
  {
    Pair pair(nullptr);
    batch.touch(pair.near);
    pair.send("now");
    CHECK(pair.all_sent());
    CHECK(pair.received() == "now");
  }
  int number = -1;
  {
    Pair held(&batch);
    number = held.near;
    batch.forget(held.near);
  }
  Pair next(nullptr);
  CHECK(next.near == number);
  batch.touch(next.near);
  next.send("now");
  CHECK(next.all_sent());
  loop.run_once(net::Loop::Wait::no);
}
#endif
