#include "net/listener.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <vector>

#include "base/log.h"
#include "support.h"

using namespace gproxy::net;
using gproxy::net::test::RawClient;
using gproxy::net::test::run_until;

namespace {

ListenerConfig local() {
  ListenerConfig config;
  config.host = "127.0.0.1";
  return config;
}

}  // namespace

TEST_CASE("port 0 lets the kernel choose, and port() tells") {
  Loop loop;
  auto listener = Listener::open(loop, local(), [](Connection::Ptr) {});
  REQUIRE(listener.ok());
  CHECK((*listener)->port() != 0);
}

TEST_CASE("two listeners share a port, an exclusive one does not") {
  Loop loop;
  auto first = Listener::open(loop, local(), [](Connection::Ptr) {});
  REQUIRE(first.ok());
  ListenerConfig again = local();
  again.port = (*first)->port();
  CHECK(Listener::open(loop, again, [](Connection::Ptr) {}).ok());
  again.reuse = ListenerConfig::Reuse::exclusive;
  auto refused = Listener::open(loop, again, [](Connection::Ptr) {});
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message.find(std::to_string(again.port)) != std::string::npos);
  CHECK(refused.error().code == "listen_failed");
}

TEST_CASE("hosts: addresses of both families, in brackets, and localhost; nonsense is an error") {
  Loop loop;
  for (const char* host : {"127.0.0.1", "0.0.0.0", "localhost"}) {
    ListenerConfig config;
    config.host = host;
    CHECK_MESSAGE(Listener::open(loop, config, [](Connection::Ptr) {}).ok(), host);
  }
  ListenerConfig bad;
  bad.host = "256.1.1.1";
  CHECK_FALSE(Listener::open(loop, bad, [](Connection::Ptr) {}).ok());
  ListenerConfig v6;
  v6.host = "::1";
  if (Listener::open(loop, v6, [](Connection::Ptr) {}).ok()) {  // the machine may have no IPv6
    v6.host = "[::1]";
    CHECK(Listener::open(loop, v6, [](Connection::Ptr) {}).ok());
  }
}

TEST_CASE("every connection of a burst is accepted") {
  Loop loop;
  ListenerConfig config = local();
  config.accepts_per_turn = 8;
  std::vector<Connection::Ptr> connections;
  auto listener =
      Listener::open(loop, config, [&](Connection::Ptr c) { connections.push_back(std::move(c)); });
  REQUIRE(listener.ok());
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(std::make_unique<RawClient>((*listener)->port()));
  }
  CHECK(run_until(loop, [&] { return connections.size() == 100; }));
  CHECK((*listener)->accepted() == 100);
}

TEST_CASE("dropping a connection in the accept callback closes it") {
  Loop loop;
  auto listener = Listener::open(loop, local(), [](Connection::Ptr) {});
  REQUIRE(listener.ok());
  RawClient client((*listener)->port());
  CHECK(run_until(loop, [&] { return client.eof(); }));
}

TEST_CASE("a paused listener leaves clients in the backlog, a stopped one refuses them") {
  Loop loop;
  std::vector<Connection::Ptr> connections;
  auto opened = Listener::open(loop, local(),
                               [&](Connection::Ptr c) { connections.push_back(std::move(c)); });
  REQUIRE(opened.ok());
  auto& listener = **opened;
  listener.pause();
  RawClient waiting(listener.port());
  CHECK(waiting.connected());
  for (int i = 0; i < 20; ++i) loop.run_once(Loop::Wait::no);
  CHECK(connections.empty());
  listener.resume();
  CHECK(run_until(loop, [&] { return connections.size() == 1; }));
  listener.stop();
  RawClient refused(listener.port());
  CHECK_FALSE(refused.connected());
}

TEST_CASE("the listener may be destroyed from inside its own accept callback") {
  Loop loop;
  std::unique_ptr<Listener> listener;
  int accepted = 0;
  auto opened = Listener::open(loop, local(), [&](Connection::Ptr) {
    ++accepted;
    listener.reset();
  });
  REQUIRE(opened.ok());
  listener = std::move(*opened);
  RawClient first(listener->port()), second(listener->port());
  CHECK(run_until(loop, [&] { return listener == nullptr; }));
  CHECK(accepted == 1);
}

TEST_CASE("out of descriptors: accepting rests instead of spinning, and goes on by itself") {
  Loop loop;
  ListenerConfig config = local();
  config.exhausted_pause_ms = 20;
  std::vector<Connection::Ptr> connections;
  auto listener =
      Listener::open(loop, config, [&](Connection::Ptr c) { connections.push_back(std::move(c)); });
  REQUIRE(listener.ok());
  RawClient client((*listener)->port());
  loop.run_once(Loop::Wait::no);
  connections.clear();
  loop.run_once(Loop::Wait::no);
  RawClient late((*listener)->port());

  rlimit old{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &old) == 0);
  // UBSan's own checks need a descriptor; the log line is not what is tested here.
  gproxy::log::configure(gproxy::log::Level::off, gproxy::log::Format::text);
  const int free_fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  REQUIRE(free_fd >= 0);
  ::close(free_fd);
  rlimit tight = old;
  tight.rlim_cur = static_cast<rlim_t>(free_fd);  // no descriptor at or above it
  REQUIRE(setrlimit(RLIMIT_NOFILE, &tight) == 0);
  const bool rested = run_until(loop, [&] { return (*listener)->exhausted() == 1; });
  const auto turns = loop.stats().turns;
  for (int i = 0; i < 50; ++i) loop.run_once(Loop::Wait::no);
  const auto exhausted = (*listener)->exhausted();
  setrlimit(RLIMIT_NOFILE, &old);
  gproxy::log::configure(gproxy::log::Level::info, gproxy::log::Format::text);

  CHECK(rested);
  CHECK(loop.stats().turns == turns + 50);
  CHECK(exhausted <= 2);
  CHECK(run_until(loop, [&] { return connections.size() == 1; }));
}

TEST_CASE("peer addresses: families, ports, mapped addresses") {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(80);
  inet_pton(AF_INET, "192.0.2.7", &v4.sin_addr);
  PeerAddress four(reinterpret_cast<sockaddr*>(&v4));
  CHECK(four.text() == "192.0.2.7:80");
  CHECK_FALSE(four.is_loopback());

  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(81);
  inet_pton(AF_INET6, "::ffff:192.0.2.7", &v6.sin6_addr);
  PeerAddress mapped(reinterpret_cast<sockaddr*>(&v6));
  CHECK(mapped.text() == "192.0.2.7:81");
  CHECK(mapped.same_host(four));
  CHECK(mapped.host_hash() == four.host_hash());

  inet_pton(AF_INET6, "2001:db8::1", &v6.sin6_addr);
  CHECK(PeerAddress(reinterpret_cast<sockaddr*>(&v6)).text() == "[2001:db8::1]:81");
  inet_pton(AF_INET6, "::1", &v6.sin6_addr);
  CHECK(PeerAddress(reinterpret_cast<sockaddr*>(&v6)).is_loopback());
  CHECK(PeerAddress().host() == "unknown");
}
