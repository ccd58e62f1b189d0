#include "net/connection.h"

#include <doctest/doctest.h>

#include <optional>
#include <vector>

#include "net/listener.h"
#include "support.h"

using namespace gproxy::net;
using gproxy::net::test::RawClient;
using gproxy::net::test::run_until;

namespace {

// Records what happens; owns the connection.
struct Recorder final : ConnectionSink {
  void on_data(std::string_view bytes) override {
    data += bytes;
    if (close_on_data) connection.reset();
  }
  void on_eof() override { ++eofs; }
  void on_writable() override { ++writables; }
  void on_flushed() override { ++flushes; }
  void on_closed(CloseReason r) override {
    reason = r;
    connection.reset();
  }

  Connection::Ptr connection;
  std::string data;
  int eofs = 0, writables = 0, flushes = 0;
  bool close_on_data = false;
  std::optional<CloseReason> reason;
};

// A listener with one connection accepted from one client.
struct Pair {
  explicit Pair(ConnectionConfig config = {}, int receive_buffer = 0) {
    ListenerConfig listen;
    listen.host = "127.0.0.1";
    listen.connection = config;
    auto opened = Listener::open(loop, listen, [this](Connection::Ptr c) {
      server.connection = std::move(c);
      server.connection->set_sink(server);
      server.connection->start_read();
    });
    REQUIRE(opened.ok());
    listener = std::move(*opened);
    client.emplace(listener->port(), receive_buffer);
    REQUIRE(client->connected());
    REQUIRE(run_until(loop, [&] { return server.connection != nullptr; }));
  }
  Connection& connection() { return *server.connection; }

  Loop loop;
  std::unique_ptr<Listener> listener;
  Recorder server;
  std::optional<RawClient> client;
};

}  // namespace

TEST_CASE("what the client sends arrives") {
  Pair pair;
  REQUIRE(pair.client->send("hello"));
  CHECK(run_until(pair.loop, [&] { return pair.server.data == "hello"; }));
  CHECK(pair.connection().bytes_read() == 5);
  CHECK(pair.connection().peer().host() == "127.0.0.1");
}

TEST_CASE("pieces go out in one write, in order, with empty ones skipped") {
  Pair pair;
  const std::string_view pieces[] = {"", "HTTP/1.1 200 OK\r\n", "", "\r\n", "body", ""};
  CHECK(pair.connection().write(pieces) == WriteState::all_sent);
  CHECK(run_until(pair.loop,
                  [&] { return pair.client->received() == "HTTP/1.1 200 OK\r\n\r\nbody"; }));
  CHECK(pair.server.flushes == 0);
}

TEST_CASE("many small pieces all arrive") {
  Pair pair;
  std::vector<std::string> texts;
  std::string whole;
  for (int i = 0; i < 300; ++i) whole += texts.emplace_back(std::to_string(i) + ",");
  std::vector<std::string_view> pieces(texts.begin(), texts.end());
  CHECK(pair.connection().write(pieces) == WriteState::all_sent);
  CHECK(run_until(pair.loop, [&] { return pair.client->received() == whole; }));
}

TEST_CASE("a slow reader: the tail is queued, the watermarks tell when to stop and go on") {
  ConnectionConfig config{.high_watermark = 128 * 1024, .low_watermark = 64 * 1024};
  Pair pair(config, 4096);
  const std::string block(64 * 1024, 'x');
  std::string sent;
  WriteState state = WriteState::all_sent;
  for (int i = 0; i < 2000 && state != WriteState::above_high; ++i) {
    state = pair.connection().write(block);
    sent += block;
  }
  REQUIRE(state == WriteState::above_high);
  CHECK(pair.connection().queued() > config.high_watermark);
  CHECK(pair.connection().queued() <= config.high_watermark + block.size());
  CHECK(pair.server.writables == 0);

  REQUIRE(run_until(pair.loop, [&] {
    pair.client->received(8192);
    return pair.server.writables == 1;
  }));
  CHECK(pair.connection().queued() <= config.low_watermark);
  REQUIRE(run_until(pair.loop, [&] {
    pair.client->received();
    return pair.server.flushes == 1;
  }));
  CHECK(pair.connection().queued() == 0);
  CHECK(run_until(pair.loop, [&] { return pair.client->received().size() == sent.size(); }));
  CHECK(pair.client->received() == sent);
  CHECK(pair.connection().bytes_written() == sent.size());
}

TEST_CASE("a write beyond the queue's maximum fails the connection") {
  ConnectionConfig config{.high_watermark = 1024, .low_watermark = 512, .max_queued = 64 * 1024};
  Pair pair(config, 4096);
  const std::string block(1024 * 1024, 'x');
  WriteState state = WriteState::all_sent;
  for (int i = 0; i < 64 && state != WriteState::failed; ++i)
    state = pair.connection().write(block);
  REQUIRE(state == WriteState::failed);
  CHECK_FALSE(pair.server.reason.has_value());  // never from inside write()
  REQUIRE(run_until(pair.loop, [&] { return pair.server.reason.has_value(); }));
  CHECK(*pair.server.reason == CloseReason::failed);
}

TEST_CASE("the client's FIN is an end of input, not of the connection") {
  Pair pair;
  pair.client->send("last");
  pair.client->finish_sending();
  REQUIRE(run_until(pair.loop, [&] { return pair.server.eofs == 1; }));
  CHECK(pair.server.data == "last");
  CHECK(pair.connection().write("answer") == WriteState::all_sent);
  CHECK(run_until(pair.loop, [&] { return pair.client->received() == "answer"; }));
}

TEST_CASE("a reset ends the connection") {
  Pair pair;
  pair.client->reset();
  REQUIRE(run_until(pair.loop, [&] { return pair.server.reason.has_value(); }));
  CHECK(*pair.server.reason == CloseReason::reset);
}

TEST_CASE("a write to a client that is gone fails, and the end is told once, later") {
  Pair pair;
  pair.connection().pause_read();
  pair.client->reset();
  WriteState state = WriteState::all_sent;
  REQUIRE(run_until(pair.loop, [&] {
    state = pair.connection().write("x");
    return state == WriteState::failed;
  }));
  CHECK(pair.connection().write("y") == WriteState::failed);
  REQUIRE(run_until(pair.loop, [&] { return pair.server.reason.has_value(); }));
}

TEST_CASE("a paused connection reads nothing and can still be asked whether its peer lives") {
  Pair pair;
  pair.connection().pause_read();
  pair.client->send("pipelined");
  for (int i = 0; i < 20; ++i) pair.loop.run_once(Loop::Wait::no);
  CHECK(pair.server.data.empty());
  CHECK(pair.connection().check_peer() == Connection::Peer::present);

  SUBCASE("resumed, it reads on") {
    pair.connection().resume_read();
    CHECK(run_until(pair.loop, [&] { return pair.server.data == "pipelined"; }));
  }
  SUBCASE("a FIN behind unread bytes is seen") {
    pair.client->close();
    CHECK(run_until(pair.loop,
                    [&] { return pair.connection().check_peer() == Connection::Peer::gone; }));
    CHECK(pair.server.data.empty());
  }
}

TEST_CASE("shutdown_then_close delivers the answer though the client still sends") {
  Pair pair;
  const std::string body(200'000, 'b');
  REQUIRE(pair.client->send("POST"));
  REQUIRE(run_until(pair.loop, [&] { return !pair.server.data.empty(); }));
  REQUIRE(pair.client->send(body));
  CHECK(pair.connection().write("413") == WriteState::all_sent);
  pair.connection().shutdown_then_close();
  CHECK(pair.connection().closing());
  REQUIRE(run_until(pair.loop, [&] { return pair.client->eof(); }));
  CHECK(pair.client->received() == "413");
  CHECK_FALSE(pair.client->was_reset());
  CHECK_FALSE(pair.server.reason.has_value());  // still listening for the client's FIN
  pair.client->close();
  REQUIRE(run_until(pair.loop, [&] { return pair.server.reason.has_value(); }));
  CHECK(*pair.server.reason == CloseReason::finished);
  CHECK(pair.server.data == "POST");  // what came later was dropped
}

TEST_CASE("shutdown_then_close writes out what is queued first") {
  Pair pair({}, 128 * 1024);
  const std::string big(8 * 1024 * 1024, 'q');
  REQUIRE(pair.connection().write(big) == WriteState::above_high);
  pair.connection().shutdown_then_close();
  CHECK(pair.connection().write("more") == WriteState::failed);
  REQUIRE(run_until(pair.loop, [&] { return pair.client->eof(); }));
  CHECK(pair.client->received().size() == big.size());
}

TEST_CASE("lingering ends by itself when the client stays") {
  Pair pair(ConnectionConfig{.linger_ms = 20});
  pair.connection().shutdown_then_close();
  REQUIRE(run_until(pair.loop, [&] { return pair.server.reason.has_value(); }));
  CHECK(*pair.server.reason == CloseReason::finished);
}

TEST_CASE("after the client's FIN there is nothing to linger for") {
  Pair pair;
  pair.client->finish_sending();
  REQUIRE(run_until(pair.loop, [&] { return pair.server.eofs == 1; }));
  pair.connection().shutdown_then_close();
  CHECK_FALSE(pair.server.reason.has_value());  // never from inside the command
  REQUIRE(run_until(
      pair.loop, [&] { return pair.server.reason.has_value(); }, 1000));
}

TEST_CASE("close() is silent") {
  Pair pair;
  pair.connection().close();
  REQUIRE(run_until(pair.loop, [&] { return pair.client->eof(); }));
  CHECK_FALSE(pair.server.reason.has_value());
  CHECK(pair.connection().write("x") == WriteState::failed);
}

TEST_CASE("the owner may drop the connection from inside an event") {
  Pair pair;
  pair.server.close_on_data = true;
  pair.client->send("bye");
  REQUIRE(run_until(pair.loop, [&] { return pair.client->eof(); }));
  CHECK(pair.server.connection == nullptr);
}

TEST_CASE("dropping a connection with queued output frees everything") {
  Pair pair({}, 128 * 1024);
  const std::string big(8 * 1024 * 1024, 'q');
  REQUIRE(pair.connection().write(big) == WriteState::above_high);
  pair.server.connection.reset();
  // The client sees the end of the stream, or a reset, after what the kernel already had.
  CHECK(run_until(pair.loop, [&] { return pair.client->eof() || pair.client->was_reset(); }));
}
