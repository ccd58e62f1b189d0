// Pausing, aborting, timing out.
#include <doctest/doctest.h>

#include <thread>

#include "support.h"

using namespace gproxy;
using namespace gproxy::upstream;
using namespace gproxy::upstream::test;
using Transport = TestServer::Transport;

namespace {

// Sends `bytes` as one chunked stream.
TestServer::Script streams(size_t bytes) {
  return [bytes](Stream& stream) {
    ServerRequest request;
    while (stream.read_request(request)) {
      if (!stream.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")) return;
      const std::string block(16 * 1024, 'x');
      for (size_t sent = 0; sent < bytes; sent += block.size()) {
        if (!stream.chunk(block)) return;
      }
      stream.write("0\r\n\r\n");
    }
  };
}

TestServer::Script silent_after(std::string bytes) {
  return [bytes = std::move(bytes)](Stream& stream) {
    ServerRequest request;
    stream.read_request(request);
    stream.write(bytes);
    stream.wait_for_close();
  };
}

const char kStreamHead[] = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

}  // namespace

TEST_CASE("a paused transfer takes little more and loses nothing") {
  Transport transport = Transport::plain;
  SUBCASE("plain") {}
  SUBCASE("tls") {
    transport = Transport::tls;
  }
  constexpr size_t kBytes = 32 * 1024 * 1024;
  TestServer server(streams(kBytes), transport);
  Upstream up;
  Ask ask(server.url());
  Recorder r;
  int pauses = 0;
  r.when_data = [&] {
    if (r.body.size() >= (static_cast<size_t>(pauses) + 1) * 4 * 1024 * 1024) {
      ++pauses;
      r.transfer->pause(Pause::downstream_full);
    }
  };
  up.start(ask, r);
  for (int i = 1; i <= 4; ++i) {
    REQUIRE(up.run_until([&] { return pauses == i; }));
    const size_t at = r.body.size();
    up.turns(100);
    CHECK(r.body.size() == at);
    // Releasing a reason that is not set, or twice, is harmless.
    r.transfer->resume(Pause::module);
    up.turns(5);
    CHECK(r.body.size() == at);
    r.transfer->resume(Pause::downstream_full);
    CHECK(r.body.size() == at);  // not from inside resume()
    r.transfer->resume(Pause::downstream_full);
  }
  r.when_data = nullptr;
  for (int i = 0; i < 2; ++i) r.transfer->resume(Pause::downstream_full);
  REQUIRE(up.run_until([&] { return r.done(); }));
  CHECK(r.good());
  CHECK(r.body.size() == kBytes);
}

TEST_CASE("several reasons: the last one to go resumes") {
  TestServer server(streams(1024 * 1024));
  Upstream up;
  Ask ask(server.url());
  Recorder r;
  r.when_head = [&] {
    r.transfer->pause(Pause::downstream_full);
    r.transfer->pause(Pause::module);
  };
  up.start(ask, r);
  REQUIRE(up.run_until([&] { return r.heads == 1; }));
  up.turns(50);
  CHECK(r.body.empty());
  r.transfer->resume(Pause::downstream_full);
  up.turns(50);
  CHECK(r.body.empty());
  r.transfer->resume(Pause::module);
  CHECK(up.run_until([&] { return r.good(); }));
  CHECK(r.body.size() == 1024 * 1024);
}

TEST_CASE("the end waits for a paused sink") {
  TestServer server(TestServer::answers("short"));
  Upstream up;
  Ask ask(server.url());
  Recorder r;
  r.when_data = [&] { r.transfer->pause(Pause::chain); };
  up.start(ask, r);
  REQUIRE(up.run_until([&] { return r.body == "short"; }));
  up.turns(50);
  CHECK_FALSE(r.done());
  r.transfer->resume(Pause::chain);
  CHECK_FALSE(r.done());
  CHECK(up.run_until([&] { return r.good(); }));
}

TEST_CASE("pausing and resuming within one turn costs nothing and loses nothing") {
  TestServer server(streams(1024 * 1024));
  Upstream up;
  Ask ask(server.url());
  Recorder r;
  r.when_data = [&] {
    r.transfer->pause(Pause::chain);
    r.transfer->resume(Pause::chain);
  };
  up.run(ask, r);
  CHECK(r.good());
  CHECK(r.body.size() == 1024 * 1024);
}

TEST_CASE("abort is silent and final, in every phase") {
  Recorder r;
  Upstream up;
  int at_abort = -1;
  const auto events = [&] { return r.heads + r.pieces + (r.done() ? 1 : 0); };
  const auto abort = [&] {
    at_abort = events();
    r.transfer->abort();
    r.transfer->abort();  // again: nothing
  };
  SUBCASE("before the first turn") {
    TestServer server(TestServer::answers("x"));
    Ask ask(server.url());
    up.start(ask, r);
    abort();
    up.turns(50);
    CHECK(server.connections() == 0);
  }
  SUBCASE("while connecting") {
    TestServer server([](Stream&) {}, Transport::tls_stalled);
    Ask ask(server.url());
    up.start(ask, r);
    REQUIRE(up.run_until([&] { return server.connections() == 1; }));
    abort();
    CHECK(up.run_until([&] { return server.open() == 0; }));
  }
  SUBCASE("while resolving a name") {
    Ask ask("http://does-not-exist.invalid/");
    up.start(ask, r);
    up.turns(1);
    abort();
    up.turns(50);
  }
  SUBCASE("while a long body is sent: the caller's bytes are not read any more") {
    TestServer server([](Stream& stream) {
      ServerRequest request;
      stream.read_request(request, Stream::Body::leave);
      stream.wait_for_close();
      while (!stream.wait_for_close()) {
      }
    });
    up.client.emplace(up.loop, CurlConfig{});
    auto ask = std::make_unique<Ask>(server.url(), "POST");
    ask->with_body(std::string(64 * 1024 * 1024, 'x'));
    up.start(*ask, r);
    REQUIRE(up.run_until([&] { return server.connections() == 1; }));
    up.turns(20);
    abort();
    ask.reset();
    CHECK(up.run_until([&] { return server.open() == 0; }));
  }
  SUBCASE("before the head") {
    TestServer server(silent_after(""));
    Ask ask(server.url());
    up.start(ask, r);
    REQUIRE(up.run_until([&] { return server.connections() == 1; }));
    up.turns(20);
    abort();
    CHECK(up.run_until([&] { return server.open() == 0; }));
  }
  SUBCASE("inside on_head") {
    TestServer server(streams(1024 * 1024));
    Ask ask(server.url());
    r.when_head = abort;
    up.start(ask, r);
    CHECK(up.run_until([&] { return r.heads == 1 && server.open() == 0; }));
    CHECK(r.pieces == 0);
  }
  SUBCASE("inside on_data") {
    TestServer server(streams(16 * 1024 * 1024));
    Ask ask(server.url());
    r.when_data = abort;
    up.start(ask, r);
    CHECK(up.run_until([&] { return r.pieces == 1 && server.open() == 0; }));
    CHECK(r.pieces == 1);
  }
  SUBCASE("inside on_data, by destroying the transfer") {
    TestServer server(streams(16 * 1024 * 1024));
    Ask ask(server.url());
    r.when_data = [&] {
      at_abort = events();
      r.transfer.reset();
    };
    up.start(ask, r);
    CHECK(up.run_until([&] { return r.pieces == 1 && server.open() == 0; }));
  }
  SUBCASE("between two pieces") {
    TestServer server(silent_after(std::string(kStreamHead) + "3\r\none\r\n"));
    Ask ask(server.url());
    up.start(ask, r);
    REQUIRE(up.run_until([&] { return r.body == "one"; }));
    abort();
    CHECK(up.run_until([&] { return server.open() == 0; }));
  }
  SUBCASE("while paused, with data held back") {
    TestServer server(streams(16 * 1024 * 1024));
    Ask ask(server.url());
    r.when_data = [&] { r.transfer->pause(Pause::chain); };
    up.start(ask, r);
    REQUIRE(up.run_until([&] { return r.pieces == 1; }));
    up.turns(50);
    abort();
    CHECK(up.run_until([&] { return server.open() == 0; }));
  }
  SUBCASE("with a resume scheduled") {
    TestServer server(streams(16 * 1024 * 1024));
    Ask ask(server.url());
    r.when_data = [&] { r.transfer->pause(Pause::chain); };
    up.start(ask, r);
    REQUIRE(up.run_until([&] { return r.pieces == 1; }));
    up.turns(50);
    r.transfer->resume(Pause::chain);
    abort();
    CHECK(up.run_until([&] { return server.open() == 0; }));
  }
  SUBCASE("with the end held back") {
    TestServer server(TestServer::answers("short"));
    Ask ask(server.url());
    r.when_data = [&] { r.transfer->pause(Pause::chain); };
    up.start(ask, r);
    REQUIRE(up.run_until([&] { return r.pieces == 1; }));
    up.turns(50);
    abort();
    up.turns(5);
  }
  up.turns(20);
  CHECK(events() == at_abort);
  CHECK(up.client->stats().live == 0);
}

TEST_CASE("an abort closes the connection in the same turn") {
  TestServer server(silent_after(kStreamHead));
  Upstream up;
  Ask ask(server.url());
  Recorder r;
  up.start(ask, r);
  REQUIRE(up.run_until([&] { return r.heads == 1; }));
  size_t live_at_the_end = 99;
  up.loop.post([&] {
    r.transfer->abort();
    // A second round of the tail, still the same turn.
    up.loop.defer([&] { up.loop.defer([&] { live_at_the_end = up.client->stats().live; }); });
  });
  REQUIRE(up.run_until([&] { return live_at_the_end != 99; }));
  CHECK(live_at_the_end == 0);
}

TEST_CASE("one sink may abort another transfer, and start new ones, from inside its events") {
  TestServer server(streams(1024 * 1024));
  TestServer silent(silent_after(kStreamHead));
  Upstream up;
  Ask ask(server.url()), other(silent.url());
  Recorder first, second, third;
  bool once = true;
  first.when_data = [&] {
    if (!std::exchange(once, false)) return;
    second.transfer.reset();
    up.start(ask, third);
  };
  up.start(other, second);
  REQUIRE(up.run_until([&] { return second.heads == 1; }));
  up.start(ask, first);
  REQUIRE(up.run_until([&] { return first.done() && third.done(); }));
  CHECK(first.good());
  CHECK(third.good());
  CHECK_FALSE(second.done());
}

TEST_CASE("a completion may start the next transfer and drop its own") {
  TestServer server(TestServer::answers("ok"));
  Upstream up;
  Ask ask(server.url());
  Recorder r;
  int rounds = 0;
  r.when_complete = [&] {
    if (++rounds < 50) up.start(ask, r);  // replaces r.transfer
  };
  up.start(ask, r);
  REQUIRE(up.run_until([&] { return rounds == 50; }));
  CHECK(server.connections() == 1);
}

TEST_CASE("transfers outlive their client as inert objects") {
  TestServer server(silent_after(kStreamHead));
  Upstream up;
  Ask ask(server.url());
  Recorder running, finished;
  up.start(ask, running);
  REQUIRE(up.run_until([&] { return running.heads == 1; }));
  up.client.reset();
  CHECK_FALSE(running.done());
  running.transfer->pause(Pause::chain);
  running.transfer->resume(Pause::chain);
  running.transfer->abort();
  running.transfer.reset();
  up.turns(5);
  CHECK(up.run_until([&] { return server.open() == 0; }));
}

TEST_CASE("timeouts: each phase has its own") {
  Upstream up;
  Recorder r;
  SUBCASE("connect: the handshake never ends") {
    TestServer server([](Stream&) {}, Transport::tls_stalled);
    Ask ask(server.url());
    ask.timeouts = {.connect_ms = 40, .first_byte_ms = 20, .idle_ms = 20};
    up.run(ask, r);
    CHECK(r.failure() == "connect_timeout");
    CHECK_FALSE(r.completion->request_sent);
  }
  SUBCASE("first byte: connected, the request is out, nothing comes") {
    TestServer server(silent_after(""));
    Ask ask(server.url());
    ask.timeouts = {.connect_ms = 60'000, .first_byte_ms = 40, .idle_ms = 10};
    up.run(ask, r);
    CHECK(r.failure() == "first_byte_timeout");
    CHECK(r.completion->request_sent);
    CHECK_FALSE(r.completion->head_received);
  }
  SUBCASE("first byte: half a head is not an answer") {
    TestServer server(silent_after("HTTP/1.1 200 OK\r\ncont"));
    Ask ask(server.url());
    ask.timeouts = {.connect_ms = 60'000, .first_byte_ms = 40, .idle_ms = 10'000};
    up.run(ask, r);
    CHECK(r.failure() == "first_byte_timeout");
  }
  SUBCASE("idle: the answer stops in the middle") {
    TestServer server(silent_after(std::string(kStreamHead) + "3\r\none\r\n"));
    Ask ask(server.url());
    ask.timeouts = {.connect_ms = 60'000, .first_byte_ms = 60'000, .idle_ms = 40};
    up.run(ask, r);
    CHECK(r.failure() == "idle_timeout");
    CHECK(r.body == "one");
    CHECK(r.completion->head_received);
  }
  SUBCASE("total") {
    TestServer server(silent_after(std::string(kStreamHead) + "3\r\none\r\n"));
    Ask ask(server.url());
    ask.timeouts = {.connect_ms = 5000, .first_byte_ms = 5000, .idle_ms = 5000, .total_ms = 40};
    up.run(ask, r);
    CHECK(r.failure() == "total_timeout");
  }
  CHECK(up.client->stats().live == 0);
}

TEST_CASE("a transfer that waits to share another's handshake has its own connect clock") {
  TestServer server([](Stream&) {}, Transport::tls_stalled);
  Upstream up;
  Ask ask(server.url());
  ask.timeouts = {.connect_ms = 60, .first_byte_ms = 5000, .idle_ms = 5000};
  std::vector<Recorder> all(5);
  for (auto& r : all) up.start(ask, r);
  const int64_t begin = net::Loop::now_us();
  REQUIRE(up.run_until([&] { return up.client->stats().live == 0; }));
  CHECK(net::Loop::now_us() - begin < 20'000'000);  // one after the other would be no bound at all
  for (auto& r : all) CHECK(r.failure() == "connect_timeout");
}

TEST_CASE("a slow answer is not a dead one: pieces keep the idle clock away") {
  TestServer server([](Stream& stream) {
    ServerRequest request;
    stream.read_request(request);
    stream.write(kStreamHead);
    for (int i = 0; i < 25; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      stream.chunk("tick");
    }
    stream.write("0\r\n\r\n");
  });
  Upstream up;
  Ask ask(server.url());
  // Together longer than the clock, each much shorter: a busy machine may hold one up.
  ask.timeouts = {.connect_ms = 60'000, .first_byte_ms = 60'000, .idle_ms = 2'000};
  Recorder r;
  up.run(ask, r);
  CHECK(r.good());
  CHECK(r.completion->total_us > 2'000'000);
}

TEST_CASE("a pause by the client does not count as the upstream's silence") {
  TestServer server(streams(4 * 1024 * 1024));
  Upstream up;
  Ask ask(server.url());
  ask.timeouts = {.connect_ms = 60'000, .first_byte_ms = 60'000, .idle_ms = 1'000};
  Recorder r;
  r.when_head = [&] { r.transfer->pause(Pause::downstream_full); };
  up.start(ask, r);
  REQUIRE(up.run_until([&] { return r.heads == 1; }));
  const int64_t end = net::Loop::now_us() + 1'500'000;
  up.run_until([&] { return net::Loop::now_us() > end; });
  CHECK_FALSE(r.done());
  r.transfer->resume(Pause::downstream_full);
  CHECK(up.run_until([&] { return r.good(); }));
}
