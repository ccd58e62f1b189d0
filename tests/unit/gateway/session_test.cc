// Connections: limits, timeouts, keep-alive, drain, and the seam to the admin floor.
#include <doctest/doctest.h>

#include <string>

#include "bench.h"

namespace gproxy::gateway::test {
namespace {

constexpr std::string_view kBody = R"({"model":"m","messages":[]})";

Bench::Setup with(std::function<void(config::Settings&)> settings, HttpHandler* handler = nullptr) {
  Bench::Setup setup;
  setup.providers = {provider("k", "keyless")};
  setup.settings = std::move(settings);
  setup.handler = handler;
  return setup;
}

// Keeps what it is given.
struct Keeper final : HttpHandler {
  std::shared_ptr<HttpCall> call;
  void handle(std::shared_ptr<HttpCall> given) override { call = std::move(given); }
};

}  // namespace

TEST_CASE("a connection carries one request after the other") {
  Bench bench(with({}));
  auto client = bench.connect();
  for (int i = 0; i < 5; ++i) {
    client->send(get("/healthz"));
    CHECK(client->answer().body == "ok\n");
  }
  client->send("GET /healthz HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n");
  CHECK(client->answer().header("connection") == "close");
  CHECK(client->closed());
}

TEST_CASE("a request may come byte by byte") {
  Bench bench(with({}));
  bench.upstream.answer({.pieces = {"{}"}});
  auto client = bench.connect();
  for (const char c : post("/k/v1/messages", kBody)) client->send(std::string_view(&c, 1));
  CHECK(client->answer().status == 200);
  CHECK(bench.upstream.last().body == kBody);
}

TEST_CASE("a malformed request is refused and its connection closed") {
  Bench bench(with({}));
  auto client = bench.connect();
  client->send("GET / HTTP/1.1\r\nhost: g\r\nhost: h\r\n\r\n");
  CHECK(client->answer().status == 400);
  CHECK(client->closed());
  CHECK(bench.turn_until([&] { return bench.worker->stats().connections == 0; }));
}

TEST_CASE("a body over the limit is 413 in the client's protocol") {
  Bench bench(with([](config::Settings& s) { s.limits.max_request_bytes = 100; }));
  auto client = bench.connect();
  client->send(
      "POST /k/v1/messages HTTP/1.1\r\nhost: g\r\nauthorization: Bearer "
      "user-key\r\ncontent-length: 101\r\n\r\n");
  const auto answer = client->answer();
  CHECK(answer.status == 413);
  CHECK(answer.has("request_too_large"));
  CHECK(client->closed());
}

TEST_CASE("a refused head is answered in the form of its route") {
  Bench bench(with([](config::Settings& s) {
    s.limits.max_header_bytes = 2000;
    s.limits.max_request_line_bytes = 1000;
    s.timeouts.header_ms = 50;
  }));
  const std::string openai = R"("type":"invalid_request_error","param":null)";
  const std::string claude = R"({"type":"error","error":{"type":"invalid_request_error")";
  const std::string gemini = R"("status":"INVALID_ARGUMENT")";
  const std::string big(3000, 'y');
  const struct {
    std::string path, form;
  } rows[] = {{"/k/v1/chat/completions", openai},
              {"/v1/responses", openai},
              {"/k/v1/messages", claude},
              {"/v1beta/models/m:generateContent", gemini}};
  for (const auto& row : rows) {
    CAPTURE(row.path);
    const struct {
      std::string head;
      int status;
    } faults[] = {
        {"POST " + row.path + " HTTP/1.1\r\nhost: g\r\nx: " + big + "\r\n\r\n", 431},
        {"POST " + row.path + "?" + big + " HTTP/1.1\r\nhost: g\r\n\r\n", 414},
        {"POST " + row.path + " HTTP/1.1\r\n\r\n", 400},
        {"POST " + row.path + " HTTP/1.1\r\nhost: g\r\nexpect: tea\r\n\r\n", 417},
        {"POST " + row.path +
             " HTTP/1.1\r\nhost: g\r\ncontent-length: 1\r\n"
             "transfer-encoding: chunked\r\n\r\n",
         400},
    };
    for (const auto& fault : faults) {
      const auto answer = bench.ask(fault.head);
      CHECK(answer.status == fault.status);
      CHECK(answer.header("content-type") == "application/json");
      CHECK_MESSAGE(answer.has(row.form), answer.body);
    }
  }
  auto slow = bench.connect();
  slow->send("POST /k/v1/messages HTTP/1.1\r\nhost:");
  const auto late = slow->answer();
  CHECK(late.status == 408);
  CHECK(late.has(R"({"type":"error","error":{"type":"timeout_error")"));
  CHECK(bench.ask("HEAD /k/v1/models HTTP/1.1\r\n\r\n").body.empty());
  CHECK(bench.ask("POST /healthz HTTP/1.1\r\n\r\n").body.empty());
}

TEST_CASE("heads over the limits are 431 and 414") {
  Bench bench(with([](config::Settings& s) {
    s.limits.max_header_bytes = 2000;
    s.limits.max_request_line_bytes = 200;
  }));
  CHECK(bench.ask("GET /healthz HTTP/1.1\r\nhost: g\r\nx: " + std::string(3000, 'y') + "\r\n\r\n")
            .status == 431);
  CHECK(bench.ask("GET /" + std::string(300, 'y') + " HTTP/1.1\r\nhost: g\r\n\r\n").status == 414);
}

TEST_CASE("heads and bodies that do not come in time are 408") {
  Bench bench(with([](config::Settings& s) {
    s.timeouts.header_ms = 20;
    s.timeouts.body_ms = 20;
  }));
  auto client = bench.connect();
  SUBCASE("the head") {
    client->send("GET /heal");
  }
  SUBCASE("the body") {
    client->send(
        "POST /k/v1/messages HTTP/1.1\r\nhost: g\r\nauthorization: Bearer "
        "user-key\r\ncontent-length: 10\r\n\r\n{");
  }
  CHECK(client->answer().status == 408);
  CHECK(client->closed());
}

TEST_CASE("idle connections are closed, before and between requests") {
  SUBCASE("before the first") {
    Bench bench(with([](config::Settings& s) { s.timeouts.idle_ms = 10; }));
    auto fresh = bench.connect();
    CHECK(fresh->closed());
  }
  SUBCASE("after one") {
    Bench bench(with([](config::Settings& s) { s.timeouts.keep_alive_ms = 10; }));
    auto used = bench.connect();
    used->send(get("/healthz"));
    CHECK(used->answer().status == 200);
    CHECK(used->closed());
  }
}

TEST_CASE("connections are limited in all and per address") {
  SUBCASE("in all") {
    Bench bench(with([](config::Settings& s) { s.limits.max_connections = 1; }));
    auto first = bench.connect();
    auto second = bench.connect();
    CHECK(second->closed());
    first->send(get("/healthz"));
    CHECK(first->answer().status == 200);
    first->close();
    bench.turn();
    CHECK(bench.ask(get("/healthz")).status == 200);
  }
  SUBCASE("per address") {
    Bench bench(with([](config::Settings& s) { s.limits.max_connections_per_address = 2; }));
    auto first = bench.connect();
    auto second = bench.connect();
    auto third = bench.connect();
    CHECK(third->closed());
  }
}

TEST_CASE("when memory is used up a request waits, then is refused with a hint") {
  const auto waiting = [](int64_t ms) {
    return with([ms](config::Settings& s) {
      s.limits.memory_budget_bytes = 20'000;
      s.timeouts.budget_wait_ms = ms;
    });
  };
  const std::string body = R"({"model":"m","messages":[")" + std::string(9'000, 'x') + "\"]}";
  SUBCASE("it is given back in time") {
    Bench bench(waiting(60'000));
    REQUIRE(bench.shared.memory.take(15'000, 20'000));
    bench.upstream.answer({.pieces = {"{}"}});
    auto client = bench.connect();
    client->send(post("/k/v1/messages", body));
    bench.turn();
    CHECK(bench.upstream.calls() == 0);
    bench.shared.memory.give_back(15'000);
    CHECK(client->answer().status == 200);
    bench.turn();
    CHECK(bench.shared.memory.used() == 0);
  }
  SUBCASE("it is not") {
    Bench bench(waiting(150));
    REQUIRE(bench.shared.memory.take(15'000, 20'000));
    const auto answer = bench.ask(post("/k/v1/chat/completions", body));
    CHECK(answer.status == 503);
    CHECK_FALSE(answer.header("retry-after").empty());
    bench.shared.memory.give_back(15'000);
  }
}

TEST_CASE("drain closes idle connections, finishes running answers and then is done") {
  Bench bench(with({}));
  auto idle = bench.connect();
  auto busy = bench.connect();
  busy->send(post("/k/v1/chat/completions",
                  R"({"model":"m","stream":true,"stream_options":{"include_usage":true}})"));
  bench.turn();
  bool done = false;
  bench.worker->begin_drain([&] { done = true; });
  CHECK(idle->closed());
  CHECK_FALSE(done);
  auto& call = bench.upstream.last();
  call.head(200, {{"content-type", "text/event-stream"}});
  call.data("data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
  call.complete();
  const auto answer = busy->answer();
  CHECK(answer.has("[DONE]"));
  CHECK(answer.header("connection") == "close");
  busy->close();
  CHECK(bench.turn_until([&] { return done; }));
}

TEST_CASE("what still runs after the drain timeout ends in its protocol's error") {
  Bench bench(with([](config::Settings& s) { s.timeouts.drain_ms = 20; }));
  auto streaming = bench.connect();
  streaming->send(post("/k/v1/messages", R"({"model":"m","stream":true})"));
  bench.turn();
  bench.upstream.call(0).head(200, {{"content-type", "text/event-stream"}});
  bench.upstream.call(0).data("event: message_start\ndata: {\"type\":\"message_start\"}\n\n");
  auto waiting = bench.connect();
  waiting->send(post("/k/v1/chat/completions", kBody));
  auto sending = bench.connect();
  sending->send(
      "POST /k/v1/messages HTTP/1.1\r\nhost: g\r\nauthorization: Bearer user-key\r\n"
      "content-length: 100\r\n\r\n{");
  bench.turn();
  bool done = false;
  bench.worker->begin_drain([&] { done = true; });
  const auto unread = sending->answer();
  CHECK(unread.status == 529);
  CHECK(unread.has("overloaded_error"));
  sending->close();
  const auto cut = streaming->answer();
  CHECK(cut.has("event: error"));
  CHECK_FALSE(cut.has("message_stop"));
  const auto refused = waiting->answer();
  CHECK(refused.status == 503);
  CHECK(refused.header("x-gproxy-error") == "shutting_down");
  streaming->close();
  waiting->close();
  CHECK(bench.turn_until([&] { return done; }));
  CHECK(bench.upstream.live() == 0);
}

TEST_CASE("the admin floor gets whole requests and may answer later") {
  Keeper keeper;
  {
    Bench bench(with({}, &keeper));
    auto client = bench.connect();
    client->send(
        "PUT /admin/providers/x?key=k&a=1 HTTP/1.1\r\nhost: g\r\ncontent-length: 4\r\n\r\nbody");
    bench.turn_until([&] { return keeper.call != nullptr; });
    REQUIRE(keeper.call != nullptr);
    CHECK(keeper.call->alive());
    CHECK(keeper.call->request().method == "PUT");
    CHECK(keeper.call->request().path == "/admin/providers/x");
    CHECK(keeper.call->request().query == "a=1");
    CHECK(keeper.call->request().key == "k");
    CHECK(keeper.call->request().body == "body");
    keeper.call->reply(201, {{"content-type", "application/json"}}, "{}");
    CHECK_FALSE(keeper.call->alive());
    const auto answer = client->answer();
    CHECK(answer.status == 201);
    CHECK(answer.body == "{}");
  }
  CHECK_FALSE(keeper.call->alive());
  keeper.call->reply(200, {}, "late");  // of no effect
}

TEST_CASE("the admin floor may stream, and hears when its reader has gone") {
  Keeper keeper;
  Bench bench(with({}, &keeper));
  auto client = bench.connect();
  client->send("GET /admin/logs/tail HTTP/1.1\r\nhost: g\r\n\r\n");
  bench.turn_until([&] { return keeper.call != nullptr; });
  bool gone = false;
  keeper.call->on_gone([&] { gone = true; });
  keeper.call->begin_stream(200, {{"content-type", "text/event-stream"}});
  CHECK(keeper.call->write("data: 1\n\n"));
  bench.turn_until([&] { return client->received().find("data: 1") != std::string::npos; });
  CHECK(client->received().find("data: 1") != std::string::npos);
  client->close();
  CHECK(bench.turn_until([&] { return gone; }));
  CHECK_FALSE(keeper.call->write("data: 2\n\n"));
}

TEST_CASE("login and quota routes are no business of the admin floor") {
  Keeper keeper;
  Bench bench(with({}, &keeper));
  CHECK(bench.ask(get("/k/usage?credential_id=1")).status == 501);
  CHECK(keeper.call == nullptr);
  const auto refused = bench.ask("GET /k/oauth HTTP/1.1\r\nhost: g\r\n\r\n");
  CHECK(refused.status == 401);
  CHECK(refused.body == R"({"error":"invalid_api_key","detail":"missing or unknown API key"})");
}

}  // namespace gproxy::gateway::test
