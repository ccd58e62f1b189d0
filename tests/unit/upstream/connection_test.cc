// Connections: kept, resumed, lost, stale, through a proxy; many at once.
#include <doctest/doctest.h>
#include <time.h>

#include "support.h"

using namespace gproxy;
using namespace gproxy::upstream;
using namespace gproxy::upstream::test;
using Transport = TestServer::Transport;

namespace {

int64_t thread_cpu_us() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * 1'000'000 + now.tv_nsec / 1000;
}

}  // namespace

TEST_CASE("a connection is used again") {
  Transport transport = Transport::plain;
  SUBCASE("plain") {}
  SUBCASE("tls") {
    transport = Transport::tls;
  }
  TestServer server(TestServer::answers("ok"), transport);
  Upstream up;
  for (int i = 0; i < 20; ++i) {
    Ask ask(server.url());
    Recorder r;
    up.run(ask, r);
    REQUIRE_MESSAGE(r.good(), r.message);
    CHECK(r.completion->reused == (i > 0));
  }
  CHECK(server.connections() == 1);
  CHECK(up.client->stats().connections == 1);
  CHECK(up.client->stats().reused == 19);
  CHECK(up.client->stats().kept_easy_handles == 1);
}

TEST_CASE("a new TLS connection resumes the session of an earlier one, on any handle") {
  TestServer server(
      [](Stream& stream) {
        ServerRequest request;
        stream.read_request(request);
        stream.reply("ok", "connection: close\r\n");
      },
      Transport::tls);
  // No handle is kept, so the session was not this handle's own.
  Upstream up({.kept_easy_handles = 0});
  constexpr int kRounds = 6;
  for (int round = 0; round < kRounds; ++round) {
    Ask ask(server.url());
    Recorder r;
    up.run(ask, r);
    REQUIRE_MESSAGE(r.good(), r.message);
  }
  CHECK(server.connections() == kRounds);
  CHECK(server.resumed() == kRounds - 1);
}

TEST_CASE("an unknown authority is a tls failure, with no verification there is none") {
  TestServer server(TestServer::answers("ok"), Transport::tls);
  Ask ask(server.url());
  Recorder r;
  SUBCASE("other authorities") {
    auto empty = CaStore::load({.system = CaConfig::System::ignored});
    REQUIRE(empty.ok());
    Upstream up({.ca = *empty});
    up.run(ask, r);
    CHECK(r.failure() == "tls");
    CHECK_FALSE(r.completion->request_sent);
  }
  SUBCASE("a name that is not in the certificate") {
    Upstream up;
    ask.url = "https://127.0.0.2:" + std::to_string(server.port()) + "/";
    up.run(ask, r);
    // Some machines have no 127.0.0.2; then the connection fails first.
    CHECK((r.failure() == "tls" || r.failure() == "connect"));
  }
  SUBCASE("not verified") {
    Upstream up({.verify = CurlConfig::Verify::nothing});
    up.run(ask, r);
    CHECK(r.good());
  }
  SUBCASE("trust can be given later") {
    auto empty = CaStore::load({.system = CaConfig::System::ignored});
    Upstream up({.ca = *empty});
    up.client->set_ca(Upstream::test_authority());
    up.run(ask, r);
    CHECK(r.good());
  }
}

TEST_CASE("a plain server behind an https url is a tls failure") {
  TestServer server([](Stream& stream) {
    ServerRequest request;
    stream.write("HTTP/1.1 400 no\r\n\r\n");
    stream.read_request(request);
  });
  Upstream up;
  Ask ask("https://localhost:" + std::to_string(server.port()) + "/");
  Recorder r;
  up.run(ask, r);
  CHECK(r.failure() == "tls");
}

TEST_CASE("nobody listens: connect") {
  uint16_t port;
  {
    TestServer gone(TestServer::answers(""));
    port = gone.port();
  }
  Upstream up;
  Ask ask("http://127.0.0.1:" + std::to_string(port) + "/");
  Recorder r;
  up.run(ask, r);
  CHECK(r.failure() == "connect");
  CHECK_FALSE(r.completion->request_sent);
  CHECK_FALSE(r.completion->head_received);
}

TEST_CASE("a name that does not exist: dns") {
  Upstream up;
  Ask ask("http://does-not-exist.invalid/");
  Recorder r;
  up.run(ask, r);
  CHECK(r.failure() == "dns");
}

TEST_CASE("answers that end early are resets, whatever was promised") {
  std::string head;
  bool hard = false;
  SUBCASE("content-length") {
    head = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
  }
  SUBCASE("chunked") {
    head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n";
  }
  SUBCASE("nothing at all") {}
  SUBCASE("in the middle of the head") {
    head = "HTTP/1.1 200 OK\r\ncontent-le";
  }
  SUBCASE("by RST") {
    head = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
    hard = true;
  }
  TestServer server([&](Stream& stream) {
    ServerRequest request;
    stream.read_request(request);
    stream.write(head);
    if (hard) stream.reset();
  });
  Upstream up;
  Ask ask(server.url());
  Recorder r;
  up.run(ask, r);
  CHECK_MESSAGE(r.failure() == "reset", r.failure() << ": " << r.message);
  CHECK(r.completion->request_sent);
  CHECK(up.client->stats().live == 0);
}

TEST_CASE("what is no HTTP at all is a protocol failure") {
  TestServer server([](Stream& stream) {
    ServerRequest request;
    stream.read_request(request);
    stream.write("220 mail.example ESMTP\r\n");
  });
  Upstream up;
  Ask ask(server.url());
  Recorder r;
  up.run(ask, r);
  CHECK_MESSAGE((r.failure() == "protocol"), r.failure() << r.message);
}

TEST_CASE("an early refusal of a long body is delivered") {
  TestServer server([](Stream& stream) {
    ServerRequest request;
    stream.read_request(request, Stream::Body::leave);
    stream.reply("too big", "connection: close\r\n", 413);
    stream.read_body(request);
  });
  Upstream up;
  Ask ask(server.url(), "POST");
  ask.with_body(std::string(8 * 1024 * 1024, 'x'));
  Recorder r;
  up.run(ask, r);
  REQUIRE_MESSAGE(r.good(), r.failure() << r.message);
  CHECK(r.status == 413);
  CHECK(r.body == "too big");
}

TEST_CASE("a kept connection that died is replaced in silence, and the body is sent again") {
  size_t size = 0;
  SUBCASE("a small body") {
    size = 10;
  }
  SUBCASE("a body that is read in pieces") {
    size = 300 * 1024;
  }
  std::vector<std::string> bodies;
  std::mutex mutex;
  TestServer server([&](Stream& stream) {
    ServerRequest request;
    // Each connection answers one request and dies when the next comes.
    stream.read_request(request);
    {
      std::lock_guard lock(mutex);
      bodies.push_back(request.body);
    }
    stream.reply("ok");
    stream.wait_for_close();  // the next request's first byte
    stream.reset();
  });
  Upstream up;
  for (int i = 0; i < 3; ++i) {
    Ask ask(server.url(), "POST");
    ask.with_body(std::string(size / 2, 'a')).with_body(std::string(size / 2, 'b'));
    Recorder r;
    up.run(ask, r);
    REQUIRE_MESSAGE(r.good(), r.failure() << ": " << r.message);
  }
  CHECK(server.connections() == 3);
  for (const auto& body : bodies)
    CHECK(body == std::string(size / 2, 'a') + std::string(size / 2, 'b'));
}

TEST_CASE("a kept connection closed by the server while idle is not used, and costs no spinning") {
  std::atomic<bool> closed = false;
  TestServer server([&](Stream& stream) {
    ServerRequest request;
    stream.read_request(request);
    stream.reply("ok");
    closed = true;
  });
  Upstream up;
  for (int i = 0; i < 3; ++i) {
    Ask ask(server.url());
    Recorder r;
    up.run(ask, r);
    REQUIRE(r.good());
    REQUIRE(up.run_until([&] { return closed && server.open() == 0; }));
    closed = false;
    up.turns(50);
  }
  CHECK(server.connections() == 3);
}

TEST_CASE("more than 64 transfers at once: several multis, all finish, then they are used again") {
  std::atomic<int> waiting = 0;
  std::atomic<bool> go = false;
  TestServer server([&](Stream& stream) {
    ServerRequest request;
    while (stream.read_request(request)) {
      ++waiting;
      while (!go) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      stream.reply("ok");
    }
  });
  Upstream up;
  constexpr int kMany = 150;
  Ask ask(server.url());
  for (int round = 0; round < 2; ++round) {
    go = false;
    waiting = 0;
    std::vector<Recorder> all(kMany);
    for (auto& r : all) up.start(ask, r);
    REQUIRE(up.run_until([&] { return waiting == kMany; }));
    CHECK(up.client->stats().live == kMany);
    CHECK(up.client->stats().multis == 3);
    go = true;
    REQUIRE(up.run_until(
        [&] { return std::all_of(all.begin(), all.end(), [](auto& r) { return r.done(); }); }));
    for (auto& r : all) CHECK_MESSAGE(r.good(), r.message);
  }
  CHECK(server.connections() == kMany);
  CHECK(up.client->stats().live == 0);
  // A lone request goes to the first one.
  Recorder r;
  up.run(ask, r);
  CHECK(r.good());
  CHECK(server.connections() == kMany);
}

TEST_CASE("multis that nobody needs any more go, with their connections") {
  std::atomic<int> waiting = 0;
  std::atomic<bool> go = false;
  TestServer server([&](Stream& stream) {
    ServerRequest request;
    while (stream.read_request(request)) {
      ++waiting;
      while (!go) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      stream.reply("ok");
    }
  });
  Upstream up({.transfers_per_multi = 2, .idle_multi_ms = 10});
  Ask ask(server.url());
  std::vector<Recorder> all(10);
  for (auto& r : all) up.start(ask, r);
  REQUIRE(up.run_until([&] { return waiting == 10; }));
  CHECK(up.client->stats().multis == 5);
  go = true;
  REQUIRE(up.run_until([&] { return up.client->stats().live == 0; }));
  CHECK(up.run_until([&] { return up.client->stats().multis == 2; }));
  CHECK(up.run_until([&] { return server.open() == 4; }));
}

TEST_CASE("64 clients leave during upstream TLS handshakes, again and again") {
  TestServer stalled([](Stream&) {}, Transport::tls_stalled);
  TestServer server(TestServer::answers("ok"), Transport::tls);
  Upstream up;
  for (int round = 0; round < 4; ++round) {
    std::vector<Recorder> leaving(64), staying(4);
    Ask ask(stalled.url());
    ask.version = HttpVersion::http1;  // so that none waits for another's handshake
    for (auto& r : leaving) up.start(ask, r);
    const int expected = 64 * (round + 1);
    REQUIRE(up.run_until([&] { return stalled.connections() == expected; }));
    Ask good(server.url());
    for (auto& r : staying) up.start(good, r);
    // In the very turns in which others shake hands.
    for (auto& r : leaving) {
      r.transfer.reset();
      up.turns(1);
    }
    REQUIRE(up.run_until([&] {
      return std::all_of(staying.begin(), staying.end(), [](auto& r) { return r.done(); });
    }));
    for (auto& r : staying) CHECK_MESSAGE(r.good(), r.message);
    for (auto& r : leaving) CHECK(r.heads == 0);
    CHECK(up.run_until([&] { return stalled.open() == 0; }));
  }
  CHECK(up.client->stats().live == 0);
}

TEST_CASE("clients that leave at every moment of a real handshake do no harm") {
  TestServer server(TestServer::answers("ok"), Transport::tls);
  Upstream up;
  Ask ask(server.url());
  for (int turns = 0; turns < 60; ++turns) {
    ask.version = turns % 2 == 0 ? HttpVersion::http1 : HttpVersion::automatic;
    std::vector<Recorder> leaving(8);
    for (auto& r : leaving) up.start(ask, r);
    up.turns(turns);
    for (auto& r : leaving) r.transfer.reset();
  }
  Recorder r;
  up.run(ask, r);
  CHECK(r.good());
}

TEST_CASE("a proxy carries plain requests by absolute url and https ones through a tunnel") {
  TestServer target(TestServer::answers("from the target"), Transport::tls);
  std::vector<std::string> lines;
  std::mutex mutex;
  // Answers plain requests itself, refuses tunnels: enough to see what arrives.
  TestServer proxy([&](Stream& stream) {
    ServerRequest request;
    while (stream.read_request(request)) {
      {
        std::lock_guard lock(mutex);
        lines.push_back(request.line);
      }
      if (request.line.starts_with("CONNECT")) {
        stream.reply("no", "", 403);
        return;
      }
      stream.reply("from the proxy");
    }
  });
  Upstream up;
  Ask plain("http://upstream.invalid/path");
  plain.proxy = "http://127.0.0.1:" + std::to_string(proxy.port());
  Recorder a;
  up.run(plain, a);
  CHECK(a.good());
  CHECK(a.body == "from the proxy");

  Ask tunnel(target.url());
  tunnel.proxy = plain.proxy;
  Recorder b;
  up.run(tunnel, b);
  CHECK(b.failure() == "proxy");
  CHECK_FALSE(b.completion->head_received);

  // The same handle without a proxy goes direct.
  Ask direct(target.url());
  Recorder c;
  up.run(direct, c);
  CHECK(c.good());
  CHECK(c.body == "from the target");

  REQUIRE(lines.size() == 2);
  CHECK(lines[0] == "GET http://upstream.invalid/path HTTP/1.1");
  CHECK(lines[1] == "CONNECT localhost:" + std::to_string(target.port()) + " HTTP/1.1");
}

TEST_CASE("a proxy that is not there: proxy") {
  uint16_t port;
  {
    TestServer gone(TestServer::answers(""));
    port = gone.port();
  }
  Upstream up;
  Ask ask("http://127.0.0.1:1/");
  ask.proxy = "http://user:pass@127.0.0.1:" + std::to_string(port);
  Recorder r;
  up.run(ask, r);
  CHECK(r.failure() == "proxy");
  CHECK(r.message.find("pass") == std::string::npos);
}

TEST_CASE("proxies of the environment are not used") {
  TestServer server(TestServer::answers("direct"));
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  ::setenv("all_proxy", "http://127.0.0.1:1", 1);
  Upstream up;
  Ask ask(server.url());
  Recorder r;
  up.run(ask, r);
  ::unsetenv("http_proxy");
  ::unsetenv("all_proxy");
  CHECK(r.good());
}

TEST_CASE("many new verified TLS connections do not hold up the loop") {
  TestServer server(
      [](Stream& stream) {
        ServerRequest request;
        stream.read_request(request);
        stream.reply("ok", "connection: close\r\n");
      },
      Transport::tls);
  // The system's whole bundle besides, which libcurl by itself would read for each connection.
  CaConfig config = CaConfig::from_environment();
  config.extra_file = certificates().authority_file();
  auto ca = CaStore::load(config);
  REQUIRE(ca.ok());
  Upstream up({.ca = *ca});
  Ask ask(server.url());
  Recorder warm;
  up.run(ask, warm);
  REQUIRE_MESSAGE(warm.good(), warm.message);
  // CPU time of this thread, which a busy machine does not change.
  const int64_t begin = thread_cpu_us();
  constexpr int kConnections = 40;
  for (int i = 0; i < kConnections; ++i) {
    Recorder r;
    up.run(ask, r, net::Loop::Wait::for_events);
    REQUIRE(r.good());
  }
  const int64_t each_us = (thread_cpu_us() - begin) / kConnections;
  CHECK(server.connections() == kConnections + 1);
  // Reading the bundle takes over 15 ms even without instruments; a handshake about 0.5 ms.
  CHECK_MESSAGE(each_us < 8'000, each_us);
}

TEST_CASE("a cold burst on a TLS server without http/2 gets connections of its own") {
  std::atomic<int> waiting = 0;
  std::atomic<bool> go = false;
  TestServer server(
      [&](Stream& stream) {
        ServerRequest request;
        while (stream.read_request(request)) {
          ++waiting;
          while (!go) std::this_thread::sleep_for(std::chrono::milliseconds(1));
          stream.reply("ok");
        }
      },
      Transport::tls);
  Upstream up;
  Ask ask(server.url());
  std::vector<Recorder> all(20);
  for (auto& r : all) up.start(ask, r);
  REQUIRE(up.run_until([&] { return waiting == 20; }));
  go = true;
  REQUIRE(up.run_until([&] { return up.client->stats().live == 0; }));
  for (auto& r : all) CHECK_MESSAGE(r.good(), r.message);
  CHECK(server.connections() == 20);
}
