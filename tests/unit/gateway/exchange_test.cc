// Whole requests through a worker with a fake upstream.
#include <doctest/doctest.h>

#include <string>

#include "bench.h"

namespace gproxy::gateway::test {
namespace {

constexpr std::string_view kChatBody =
    R"({"model":"m","messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kChatStreamBody =
    R"({"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]})";
constexpr std::string_view kChatAnswer =
    R"({"id":"x","model":"m","unknown":{"kept":1},"choices":[{"message":{"content":"ho"}}],"usage":{"prompt_tokens":3,"completion_tokens":2}})";
const upstream::FakeClient::Fields kSse = {{"content-type", "text/event-stream"}};

Bench::Setup with(std::vector<config::ProviderConfig> providers,
                  std::function<void(config::Settings&)> settings = {}) {
  Bench::Setup setup;
  setup.providers = std::move(providers);
  setup.settings = std::move(settings);
  return setup;
}

upstream::FakeClient::Answer failing(int status, std::string body,
                                     upstream::FakeClient::Fields headers = {
                                         {"content-type", "application/json"}}) {
  upstream::FakeClient::Answer answer;
  answer.status = status;
  answer.headers = std::move(headers);
  answer.pieces = {std::move(body)};
  return answer;
}

upstream::FakeClient::Answer streaming(std::vector<std::string> pieces) {
  upstream::FakeClient::Answer answer;
  answer.headers = kSse;
  answer.pieces = std::move(pieces);
  return answer;
}

}  // namespace

TEST_CASE("a native request reaches the upstream byte for byte, and so does its answer") {
  Bench bench;
  bench.upstream.answer({.pieces = {std::string(kChatAnswer)}});
  const auto answer = bench.ask(post("/p/v1/chat/completions", kChatBody));
  CHECK(answer.status == 200);
  CHECK(answer.body == kChatAnswer);
  CHECK(answer.header("content-type") == "application/json");
  REQUIRE(bench.upstream.calls() == 1);
  const auto& call = bench.upstream.call(0);
  CHECK(call.url == "https://upstream.test/v1/chat/completions");
  CHECK(call.body == kChatBody);
  CHECK(call.header("authorization") == "Bearer key-1");
  CHECK_FALSE(answer.header("x-request-id").empty());
  CHECK(answer.header("server-timing").starts_with("gproxy;dur="));
}

TEST_CASE("the client's key never reaches the upstream, wherever it was put") {
  for (const std::string extra :
       {"x-api-key: user-key\r\n",
        "x-api-key: user-key\r\nx-goog-api-key: other\r\ncookie: a=b\r\n"}) {
    Bench bench;
    bench.upstream.answer({.pieces = {"{}"}});
    bench.ask(post("/p/v1/messages?beta=true&key=abc", kChatBody, extra));
    REQUIRE(bench.upstream.calls() == 1);
    CHECK(bench.upstream.last().url == "https://upstream.test/v1/messages?beta=true");
    for (const auto& [name, value] : bench.upstream.last().headers)
      CHECK(value.find("user-key") == std::string::npos);
  }
}

TEST_CASE("a missing or wrong key is told in the client's protocol") {
  Bench bench;
  const auto chat =
      bench.ask("POST /p/v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: 2\r\n\r\n{}");
  CHECK(chat.status == 401);
  CHECK(chat.header("x-gproxy-error") == "invalid_api_key");
  CHECK(chat.has("\"code\":\"invalid_api_key\""));
  const auto claude = bench.ask(post("/v1/messages", "{}", "x-api-key: wrong\r\n"));
  CHECK(claude.status == 401);
  CHECK(claude.has("authentication_error"));
  const auto gemini = bench.ask(
      "POST /v1beta/models/p/m:generateContent?key=wrong HTTP/1.1\r\nhost: g\r\ncontent-length: "
      "2\r\n\r\n{}");
  CHECK(gemini.has("UNAUTHENTICATED"));
  CHECK(bench.upstream.calls() == 0);
}

TEST_CASE("an aggregate model goes up without its provider and comes back with it") {
  Bench bench;
  bench.upstream.answer({.pieces = {std::string(kChatAnswer)}});
  const auto answer = bench.ask(post("/v1/chat/completions", R"({"messages":[],"model":"p/m"})"));
  CHECK(bench.upstream.last().body == R"({"messages":[],"model":"m"})");
  CHECK(answer.has(R"("model":"p/m")"));
  CHECK(answer.has(R"("unknown":{"kept":1})"));
}

TEST_CASE("an aggregate request without a provider is refused by name") {
  Bench bench;
  const auto answer = bench.ask(post("/v1/chat/completions", kChatBody));
  CHECK(answer.status == 400);
  CHECK(answer.header("x-gproxy-error") == "missing_provider_prefix");
  const auto unknown = bench.ask(post("/v1/chat/completions", R"({"model":"q/m"})"));
  CHECK(unknown.status == 404);
  CHECK(unknown.header("x-gproxy-error") == "provider_not_found");
}

TEST_CASE("an unknown provider is provider_not_found, a disabled one provider_disabled") {
  auto disabled = provider("off", "plain");
  disabled.enabled = false;
  Bench bench(with({provider("p", "plain"), disabled}));
  CHECK(bench.ask(post("/nope/v1/messages", kChatBody)).header("x-gproxy-error") ==
        "provider_not_found");
  const auto off = bench.ask(post("/off/v1/messages", kChatBody));
  CHECK(off.status == 404);
  CHECK(off.header("x-gproxy-error") == "provider_disabled");
}

TEST_CASE("a duplicate model is a 400 before any upstream is asked") {
  Bench bench;
  const auto answer =
      bench.ask(post("/p/v1/chat/completions", R"({"model":"a","mod\u0065l":"b"})"));
  CHECK(answer.status == 400);
  CHECK(bench.upstream.calls() == 0);
}

TEST_CASE("a stream is relayed with its headers, pieces and end") {
  Bench bench;
  const std::string first =
      "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
  const std::string last =
      "data: {\"model\":\"m\",\"choices\":[{\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
  bench.upstream.answer(streaming({first, last}));
  const auto answer = bench.ask(post("/p/v1/chat/completions", kChatStreamBody));
  CHECK(answer.body == first + last);
  CHECK(answer.header("content-type") == "text/event-stream");
  CHECK(answer.header("cache-control") == "no-cache");
  CHECK(answer.header("x-accel-buffering") == "no");
}

TEST_CASE("the usage chunk that gproxy asked for stays with gproxy") {
  Bench bench;
  const std::string content = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
  const std::string usage =
      "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\n";
  bench.upstream.answer(streaming({content, usage, "data: [DONE]\n\n"}));
  const auto answer = bench.ask(post("/p/v1/chat/completions", R"({"model":"m","stream":true})"));
  CHECK(bench.upstream.last().body ==
        R"({"stream_options":{"include_usage":true},"model":"m","stream":true})");
  CHECK(answer.body == content + "data: [DONE]\n\n");
}

TEST_CASE("headers that are about the upstream's connection or site stay there") {
  Bench bench;
  upstream::FakeClient::Answer answer{.headers = {{"content-type", "application/json"},
                                                  {"set-cookie", "a=b"},
                                                  {"alt-svc", "h3"},
                                                  {"strict-transport-security", "x"},
                                                  {"x-request-id", "theirs"},
                                                  {"x-ratelimit-limit-requests", "7"}},
                                      .pieces = {"{}"}};
  bench.upstream.answer(answer);
  const auto got = bench.ask(post("/p/v1/messages", kChatBody, "x-request-id: mine-1\r\n"));
  CHECK(got.header("set-cookie").empty());
  CHECK(got.header("alt-svc").empty());
  CHECK(got.header("strict-transport-security").empty());
  CHECK(got.header("x-upstream-request-id") == "theirs");
  CHECK(got.header("x-request-id") == "mine-1");
  CHECK(got.header("x-ratelimit-limit-requests") == "7");
}

TEST_CASE("a 429 before the first byte moves to the next credential") {
  Bench bench(with({provider("p", "plain", 2)}));
  bench.upstream.answer(failing(429, R"({"error":{"message":"slow down"}})"));
  bench.upstream.answer({.pieces = {"{\"ok\":1}"}});
  const auto answer = bench.ask(post("/p/v1/messages", kChatBody));
  CHECK(answer.body == "{\"ok\":1}");
  REQUIRE(bench.upstream.calls() == 2);
  CHECK(bench.upstream.call(0).header("authorization") !=
        bench.upstream.call(1).header("authorization"));
}

TEST_CASE("requests take turns over the credentials") {
  Bench bench(with({provider("p", "plain", 3)}));
  std::vector<std::string> keys;
  for (int i = 0; i < 4; ++i) {
    bench.upstream.answer({.pieces = {"{}"}});
    bench.ask(post("/p/v1/messages", kChatBody));
    keys.push_back(bench.upstream.last().header("authorization"));
  }
  CHECK(keys ==
        std::vector<std::string>{"Bearer key-1", "Bearer key-2", "Bearer key-3", "Bearer key-1"});
}

TEST_CASE("when every credential fails the client gets the last failure as it came") {
  Bench bench(with({provider("p", "plain", 2)}));
  const std::string body = R"({"type":"error","error":{"type":"rate_limit_error","message":"x"}})";
  bench.upstream.answer(
      failing(429, body, {{"content-type", "application/json"}, {"retry-after", "7"}}));
  bench.upstream.answer(
      failing(429, body, {{"content-type", "application/json"}, {"retry-after", "7"}}));
  const auto answer = bench.ask(post("/p/v1/messages", kChatBody));
  CHECK(answer.status == 429);
  CHECK(answer.body == body);
  CHECK(answer.header("retry-after") == "7");
  // Both rest for this model now.
  const auto next = bench.ask(post("/p/v1/messages", kChatBody));
  CHECK(next.status == 529);
  CHECK(next.header("x-gproxy-error") == "no_active_credentials");
  CHECK_FALSE(next.header("retry-after").empty());
  CHECK(bench.ask(post("/p/v1/chat/completions", kChatBody)).status == 503);
}

TEST_CASE("a provider that never had a credential is 503, not unknown") {
  Bench bench(with({provider("p", "plain", 0)}));
  const auto answer = bench.ask(post("/p/v1/chat/completions", kChatBody));
  CHECK(answer.status == 503);
  CHECK(answer.header("x-gproxy-error") == "no_active_credentials");
}

TEST_CASE("attempts are bounded, also when the upstream always says to retry at once") {
  Bench bench(
      with({provider("p", "plain", 40)}, [](config::Settings& s) { s.retry.max_attempts = 5; }));
  bench.upstream.on_request = [](const auto&) {
    return failing(429, "{}", {{"retry-after", "0"}});
  };
  CHECK(bench.ask(post("/p/v1/messages", kChatBody)).status == 429);
  CHECK(bench.upstream.calls() == 32);  // refusals cannot have been billed: a bound of their own
}

TEST_CASE("answers that may have been billed use up the attempts") {
  Bench bench(with({provider("p", "plain", 20)}, [](config::Settings& s) {
    s.retry.max_attempts = 3;
    s.retry.backoff_ms = 0;
  }));
  bench.upstream.on_request = [](const auto&) { return failing(500, "{}"); };
  CHECK(bench.ask(post("/p/v1/chat/completions", kChatBody)).status == 500);
  CHECK(bench.upstream.calls() == 3);
}

TEST_CASE("a 400 is the client's own and is delivered at once, untouched") {
  Bench bench(with({provider("p", "plain", 2)}));
  const std::string body =
      R"({"error":{"message":"bad field","type":"invalid_request_error","param":"x","code":null}})";
  bench.upstream.answer(failing(400, body));
  const auto answer = bench.ask(post("/p/v1/chat/completions", kChatBody));
  CHECK(answer.status == 400);
  CHECK(answer.body == body);
  CHECK(bench.upstream.calls() == 1);
}

TEST_CASE("an upstream's 401 reaches no client as 401") {
  Bench bench;
  bench.upstream.answer(
      failing(401, R"({"error":{"code":"invalid_api_key","message":"sk-secret is wrong"}})"));
  bench.upstream.answer(failing(400, "{}"));  // nor does a refresh help
  const auto answer = bench.ask(post("/p/v1/chat/completions", kChatBody));
  CHECK(answer.status == 502);
  CHECK(answer.header("x-gproxy-error") == "upstream_auth_failed");
  CHECK_FALSE(answer.has("sk-secret"));
}

TEST_CASE("an error page that is no JSON becomes an error of the client's protocol, status kept") {
  Bench bench(with({provider("k", "keyless")}));
  bench.upstream.on_request = [](const auto&) {
    return failing(502, "<html>Bad   gateway</html>", {{"content-type", "text/html"}});
  };
  const auto answer = bench.ask(post("/k/v1/messages", kChatBody));
  CHECK(answer.status == 502);
  CHECK(answer.header("content-type") == "application/json");
  CHECK(answer.has("\"type\":\"error\""));
  CHECK(answer.has("Bad gateway"));
}

TEST_CASE("an unreachable upstream is 502, a silent one 504, both with the reference's code") {
  Bench bench(with({provider("k", "keyless")}));
  bench.upstream.answer({.status = 0, .failure = upstream::FailureKind::connect});
  const auto gone = bench.ask(post("/k/v1/messages", kChatBody));
  CHECK(gone.status == 502);
  CHECK(gone.header("x-gproxy-error") == "upstream_transport_error");
  bench.upstream.answer({.status = 0, .failure = upstream::FailureKind::first_byte_timeout});
  CHECK(bench.ask(post("/k/v1/messages", kChatBody)).status == 504);
}

TEST_CASE("a stream that breaks off ends in the protocol's error event without a success marker") {
  Bench bench(with({provider("k", "keyless")}));
  auto cut = streaming({"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"});
  SUBCASE("by the network") {
    cut.failure = upstream::FailureKind::reset;
  }
  SUBCASE("by silence") {
    cut.failure = upstream::FailureKind::idle_timeout;
  }
  SUBCASE("with a clean end and no finish") {}
  bench.upstream.answer(cut);
  const auto answer = bench.ask(post("/k/v1/chat/completions", kChatStreamBody));
  CHECK(answer.complete);
  CHECK(answer.has("\"error\":{"));
  CHECK_FALSE(answer.has("[DONE]"));
}

TEST_CASE("claude, responses and gemini streams break off in their own words") {
  Bench bench(with({provider("k", "keyless")}));
  auto cut =
      streaming({"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{}}\n\n"});
  cut.failure = upstream::FailureKind::reset;
  bench.upstream.answer(cut);
  CHECK(bench.ask(post("/k/v1/messages", R"({"model":"m","stream":true})"))
            .has("event: error\ndata: {\"type\":\"error\""));
  cut.pieces = {
      "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{}}\n\n"};
  bench.upstream.answer(cut);
  CHECK(bench.ask(post("/k/v1/responses", R"({"model":"m","stream":true})"))
            .has("event: response.failed\n"));
  cut.pieces = {"data: {\"candidates\":[{}]}\r\n\r\n"};
  bench.upstream.answer(cut);
  CHECK(bench.ask(post("/k/v1beta/models/m:streamGenerateContent?alt=sse", R"({"contents":[]})"))
            .has("data: {\"error\":{\"code\":502"));
  cut.headers = {{"content-type", "application/json"}};
  cut.pieces = {"[{\"candidates\":[{}]}"};
  bench.upstream.answer(cut);
  const auto array =
      bench.ask(post("/k/v1beta/models/m:streamGenerateContent", R"({"contents":[]})"));
  CHECK(array.body.starts_with("[{\"candidates\":[{}]},\n{\"error\":{"));
  CHECK(array.body.ends_with("}]"));
}

TEST_CASE("an error event before any content is a failed attempt, not an answer") {
  Bench bench(with({provider("p", "plain", 2)}));
  bench.upstream.answer(
      streaming({"event: error\ndata: "
                 "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":"
                 "\"Overloaded\"}}\n\n"}));
  bench.upstream.answer(
      streaming({"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{}}\n\n",
                 "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"}));
  const auto answer = bench.ask(post("/p/v1/messages", R"({"model":"m","stream":true})"));
  CHECK(bench.upstream.calls() == 2);
  CHECK(answer.status == 200);
  CHECK(answer.has("message_stop"));
  CHECK_FALSE(answer.has("overloaded"));
}

TEST_CASE("a stream without any event is a 502, not an empty 200") {
  Bench bench(with({provider("k", "keyless")}));
  bench.upstream.answer(streaming({}));
  CHECK(bench.ask(post("/k/v1/messages", R"({"model":"m","stream":true})")).status == 502);
}

TEST_CASE("the upstream is aborted as soon as the client leaves") {
  Bench bench(with({provider("k", "keyless")}));
  auto client = bench.connect();
  client->send(post("/k/v1/chat/completions", kChatStreamBody));
  bench.turn();
  REQUIRE(bench.upstream.calls() == 1);
  SUBCASE("before the first byte") {}
  SUBCASE("in mid-stream") {
    bench.upstream.last().head(200, kSse);
    bench.upstream.last().data("data: {\"choices\":[{}]}\n\n");
    bench.turn();
    CHECK(client->received().find("choices") != std::string::npos);
  }
  SUBCASE("behind a pipelined request") {
    client->send(post("/k/v1/chat/completions", kChatBody));
  }
  client->close();
  bench.turn_until([&] { return bench.upstream.last().aborted(); });
  CHECK(bench.upstream.last().aborted());
  CHECK(bench.turn_until([&] { return bench.worker->stats().connections == 0; }));
}

TEST_CASE("pipelined requests are answered in order on one connection") {
  Bench bench;
  bench.upstream.answer({.pieces = {"{\"n\":1}"}});
  bench.upstream.answer({.pieces = {"{\"n\":2}"}});
  auto client = bench.connect();
  client->send(post("/p/v1/messages", kChatBody) + post("/p/v1/messages", kChatBody) +
               get("/healthz"));
  CHECK(client->answer().body == "{\"n\":1}");
  CHECK(client->answer().body == "{\"n\":2}");
  CHECK(client->answer().body == "ok\n");
}

TEST_CASE("a slow reader pauses the upstream and grows no memory") {
  Bench bench(with({provider("k", "keyless")}, [](config::Settings& s) {
    s.limits.output_high_bytes = 64 * 1024;
    s.limits.output_low_bytes = 32 * 1024;
  }));
  auto client = bench.connect();
  client->send(post("/k/v1/chat/completions", kChatStreamBody));
  bench.turn();
  auto& call = bench.upstream.last();
  call.head(200, kSse);
  const std::string event =
      "data: {\"choices\":[{\"delta\":{\"content\":\"" + std::string(16000, 'x') + "\"}}]}\n\n";
  int sent = 0;
  while (!call.paused() && sent < 1000) {
    call.data(event);
    bench.turn(1);
    ++sent;
  }
  CHECK(call.paused());
  CHECK(sent < 100);
  bench.turn_until([&] {
    client->received();
    return !call.paused();
  });
  CHECK_FALSE(call.paused());
  call.data("data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
  call.complete();
  const auto answer = client->answer();
  CHECK(answer.complete);
  CHECK(answer.body.size() > static_cast<size_t>(sent) * 16000);
}

TEST_CASE("a silent stream gets a ping between its events, in its own protocol") {
  Bench bench(
      with({provider("k", "keyless")}, [](config::Settings& s) { s.timeouts.ping_after_ms = 20; }));
  const auto pinged = [&](std::string_view path, std::string_view body, std::string_view event,
                          std::string_view ping) {
    auto client = bench.connect();
    client->send(post(path, body));
    bench.turn();
    auto& call = bench.upstream.last();
    call.head(200, kSse);
    call.data(event);
    call.data("data: {\"half\":");  // no ping may come inside of this
    bench.turn();
    const auto whole = client->received().size();  // on a busy machine a ping came before it
    for (int i = 0; i < 60; ++i) {
      bench.turn(1);
      ::usleep(1000);
    }
    CHECK(client->received().find(ping, whole) == std::string::npos);
    call.data("1}\n\n");
    CHECK(bench.turn_until(
        [&] { return client->received().find(ping, whole) != std::string::npos; }));
  };
  pinged("/k/v1/chat/completions", kChatStreamBody, "data: {\"choices\":[{}]}\n\n",
         ": keepalive\n\n");
  pinged("/k/v1/messages", R"({"model":"m","stream":true})",
         "data: {\"type\":\"message_start\"}\n\n", "event: ping\n");
}

TEST_CASE("a ping may come before the upstream has answered; a failure then is an error event") {
  Bench bench(
      with({provider("k", "keyless")}, [](config::Settings& s) { s.timeouts.ping_after_ms = 20; }));
  auto client = bench.connect();
  client->send(post("/k/v1/messages", R"({"model":"m","stream":true})"));
  bench.turn_until([&] { return client->received().find("event: ping") != std::string::npos; });
  CHECK(client->received().starts_with("HTTP/1.1 200"));
  SUBCASE("the upstream fails") {
    bench.upstream.last().fail(upstream::FailureKind::reset);
    const auto answer = client->answer();
    CHECK(answer.has("event: error"));
  }
  SUBCASE("the upstream answers") {
    bench.upstream.last().head(200, kSse);
    bench.upstream.last().data("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    bench.upstream.last().complete();
    const auto answer = client->answer();
    CHECK(answer.has("message_stop"));
    CHECK_FALSE(answer.has("event: error"));
  }
}

TEST_CASE("gemini streams are never pinged") {
  Bench bench(
      with({provider("k", "keyless")}, [](config::Settings& s) { s.timeouts.ping_after_ms = 5; }));
  auto client = bench.connect();
  client->send(post("/k/v1beta/models/m:streamGenerateContent?alt=sse", R"({"contents":[]})"));
  for (int i = 0; i < 40; ++i) {
    bench.turn(1);
    ::usleep(1000);
  }
  CHECK(client->received().empty());
}

TEST_CASE("a whole answer that breaks off closes the connection") {
  Bench bench(with({provider("k", "keyless")}));
  bench.upstream.answer(
      {.headers = {{"content-type", "application/json"}, {"content-length", "99999"}},
       .pieces = {"{\"half\":\"" + std::string(20'000, 'x')},
       .failure = upstream::FailureKind::reset});
  auto client = bench.connect();
  client->send(post("/k/v1/messages", kChatBody));
  CHECK(client->closed());
  CHECK(client->received().find("content-length: 99999") != std::string::npos);
}

TEST_CASE("a whole answer that ends in the middle closes the connection, too") {
  for (const std::string& half : {"{\"half\":\"" + std::string(20'000, 'x'), std::string(" \n")}) {
    Bench bench(with({provider("k", "keyless")}));
    bench.upstream.answer({.pieces = {half}});
    auto client = bench.connect();
    client->send(post("/k/v1/messages", kChatBody));
    CHECK(client->closed());
    CHECK_FALSE(client->received().ends_with("0\r\n\r\n"));  // no end of the chunks
  }
}

TEST_CASE(
    "a short answer that breaks off has failed before it began: another credential is tried") {
  Bench bench(with({provider("p", "plain", 2)}));
  bench.upstream.answer({.pieces = {"{\"half\":"}, .failure = upstream::FailureKind::reset});
  bench.upstream.answer({.pieces = {std::string(kChatAnswer)}});
  const auto answer = bench.ask(post("/p/v1/chat/completions", kChatBody));
  CHECK(answer.status == 200);
  CHECK(answer.body == kChatAnswer);
  CHECK(bench.upstream.calls() == 2);
}

TEST_CASE("a 200 that is not what was asked for is a failed attempt, 502 at the end") {
  const auto ends = [](std::string_view body, std::string_view answer) {
    Bench bench(with({provider("k", "keyless")}));
    bench.upstream.answer({.pieces = {std::string(answer)}});
    const auto told = bench.ask(post("/k/v1/messages", std::string(body)));
    CAPTURE(answer);
    CHECK(told.status == 502);
    CHECK(told.has(R"("type":"error")"));
    CHECK_FALSE(told.has("page"));
  };
  for (const auto* bad : {"<html>page</html>", "", "{\"half\":", "{page}", "[]", "true"})
    ends(kChatBody, bad);
  for (const auto* bad :
       {"<html>page</html>", "", "data: <html>page</html>\n\n", "{\"page\":1}", ": page\n\n"})
    ends(R"({"model":"m","stream":true})", bad);
}

TEST_CASE("an upstream that redirects is a failed attempt; the client is not sent there") {
  Bench bench;
  upstream::FakeClient::Answer moved;
  moved.status = 307;
  moved.headers = {{"location", "https://elsewhere.test/v1/chat/completions"},
                   {"content-type", "application/json"}};
  moved.pieces = {R"({"moved":true})"};
  bench.upstream.answer(moved);
  const auto answer = bench.ask(post("/p/v1/chat/completions", kChatBody));
  CHECK(answer.status == 502);
  CHECK(answer.header("location").empty());
  CHECK(answer.header("x-gproxy-error") == "upstream_transport_error");
  CHECK_FALSE(answer.has("elsewhere"));
}

TEST_CASE("expect: 100-continue is answered after the checks of the head only") {
  Bench bench;
  auto client = bench.connect();
  const std::string head =
      "POST /p/v1/messages HTTP/1.1\r\nhost: g\r\nexpect: 100-continue\r\ncontent-length: " +
      std::to_string(kChatBody.size()) + "\r\n";
  client->send(head + "authorization: Bearer user-key\r\n\r\n");
  bench.turn_until([&] { return !client->received().empty(); });
  CHECK(client->received().starts_with("HTTP/1.1 100 Continue\r\n"));
  bench.upstream.answer({.pieces = {"{}"}});
  client->send(kChatBody);
  CHECK(client->answer().status == 200);

  auto stranger = bench.connect();
  stranger->send(head + "\r\n");
  const auto refused = stranger->answer();
  CHECK(refused.status == 401);
  CHECK(refused.header("connection") == "close");
  CHECK(stranger->closed());
}

TEST_CASE("compressed requests are 415") {
  Bench bench;
  const auto answer = bench.ask(post("/p/v1/messages", "xx", "content-encoding: gzip\r\n"));
  CHECK(answer.status == 415);
  CHECK(answer.header("x-gproxy-error") == "unsupported_content_encoding");
}

TEST_CASE("operations and methods that are not served say so in the client's protocol") {
  Bench bench;
  const auto unknown = bench.ask(post("/v1/embeddings", "{}"));
  CHECK(unknown.status == 404);
  CHECK(unknown.has("\"code\":\"unknown_operation\""));
  const auto wrong = bench.ask(get("/p/v1/messages"));
  CHECK(wrong.status == 405);
  CHECK(wrong.header("allow") == "POST");
  CHECK(wrong.has("\"type\":\"error\""));
  const auto verb = bench.ask(post("/p/v1beta/models/m:embedContent", "{}"));
  CHECK(verb.status == 404);
  CHECK(verb.header("x-gproxy-error") == "unknown_gemini_action");
  CHECK(bench.ask("GET /nothing HTTP/1.1\r\nhost: g\r\n\r\n").status == 404);
}

TEST_CASE("what a provider does not offer is 501") {
  Bench bench(with({provider("t", "talker")}));
  const auto none = bench.ask(post("/t/v1/messages/count_tokens", kChatBody));
  CHECK(none.status == 501);
  CHECK(none.header("x-gproxy-error") == "unsupported_operation");
}

TEST_CASE("a local provider is translated like any other") {
  Bench bench(with({provider("t", "talker")}));
  const std::string body =
      R"({"model":"m","max_tokens":5,"messages":[{"role":"user","content":"x"}])";
  const auto whole = bench.ask(post("/t/v1/messages", body + "}"));
  CHECK(whole.status == 200);
  CHECK(whole.has("\"type\":\"message\""));
  const auto stream = bench.ask(post("/t/v1/messages", body + R"(,"stream":true})"));
  CHECK(stream.status == 200);
  CHECK(stream.has("event: message_stop"));
}

TEST_CASE("a local provider answers whole or in pieces, without any upstream") {
  Bench bench(with({provider("t", "talker")}));
  const auto whole = bench.ask(post("/v1/chat/completions", R"({"model":"t/m"})"));
  CHECK(whole.status == 200);
  CHECK(whole.has(R"("model":"t/m")"));
  const auto pieces = bench.ask(post("/t/v1/chat/completions", kChatStreamBody));
  CHECK(pieces.header("content-type") == "text/event-stream");
  CHECK(pieces.body.ends_with("data: [DONE]\n\n"));
  CHECK(bench.upstream.calls() == 0);
  bench.turn();
  CHECK(live_calls() == 0);
}

TEST_CASE("a local answer that fails before its first piece is an error, later it breaks off") {
  Bench bench(with({provider("t", "talker")}));
  const auto first = bench.ask(
      post("/t/v1/chat/completions", R"({"model":"fails-first","stream":true,"messages":[]})"));
  CHECK(first.status == 502);
  CHECK(first.header("x-gproxy-error") == "module_error");
  CHECK(first.complete);
  const auto later = bench.ask(
      post("/t/v1/chat/completions", R"({"model":"fails-later","stream":true,"messages":[]})"));
  CHECK(later.status == 200);
  CHECK(later.has("data: {\"error\":"));
  CHECK_FALSE(later.has("[DONE]"));
  bench.turn();
  CHECK(live_calls() == 0);
}

TEST_CASE("a module may edit a whole answer") {
  Bench bench(with({provider("b", "buffered")}));
  bench.upstream.answer({.pieces = {"{\"model\":\"m\"", "}"}});
  CHECK(bench.ask(post("/b/v1/chat/completions", kChatBody)).body == "{\"model\":\"m\"} ");
  bench.turn();
  CHECK(live_calls() == 0);
}

TEST_CASE("an expired credential is refreshed once for all who wait") {
  Bench bench(with({provider("e", "expiring", 1, "old-")}));
  const int before = refreshes();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(bench.connect());
    clients.back()->send(post("/e/v1/messages", kChatBody));
  }
  bench.turn_until([&] { return bench.upstream.calls() == 1; });
  REQUIRE(bench.upstream.calls() == 1);
  CHECK(bench.upstream.call(0).url == "https://issuer.test/token");
  clients[2]->close();  // one of them does not wait for it
  bench.turn();
  bench.upstream.on_request = [](const auto&) { return failing(200, "{}"); };
  bench.upstream.call(0).head(200);
  bench.upstream.call(0).complete();
  CHECK(clients[0]->answer().status == 200);
  CHECK(clients[1]->answer().status == 200);
  CHECK(refreshes() == before + 1);
  CHECK(bench.upstream.last().header("authorization").starts_with("Bearer new-"));
}

TEST_CASE(
    "a refresh that is refused for good puts the credential out of use, a failed one only to "
    "rest") {
  Bench bench(with({provider("e", "expiring", 1, "old-")}));
  auto* slot = bench.snapshot->find_credential(1)->slot;
  SUBCASE("refused") {
    bench.upstream.answer(failing(400, "{}"));
    CHECK(bench.ask(post("/e/v1/chat/completions", kChatBody)).status == 503);
    REQUIRE(slot->cool_downs(0).size() == 1);
    CHECK(slot->cool_downs(0)[0].until_ms == INT64_MAX);
  }
  SUBCASE("a network fault") {
    bench.upstream.answer({.status = 0, .failure = upstream::FailureKind::connect});
    CHECK(bench.ask(post("/e/v1/chat/completions", kChatBody)).status == 503);
    REQUIRE(slot->cool_downs(0).size() == 1);
    CHECK(slot->cool_downs(0)[0].until_ms != INT64_MAX);
  }
}

TEST_CASE("responses sub-resources pass their id and query through") {
  Bench bench;
  bench.upstream.answer({.pieces = {"{}"}});
  CHECK(bench.ask(get("/p/v1/responses/resp_1?include=a&include=b&stream=true")).status == 200);
  CHECK(bench.upstream.last().url ==
        "https://upstream.test/v1/responses/resp_1?include=a&include=b&stream=true");
  CHECK(bench.upstream.last().method == "GET");
}

TEST_CASE("a single model of an aggregate route comes back with its provider") {
  Bench bench;
  bench.upstream.answer({.pieces = {R"({"id":"m","object":"model"})"}});
  const auto answer = bench.ask(get("/v1/models/p%2Fm"));
  CHECK(answer.body == R"({"id":"p/m","object":"model"})");
  CHECK(bench.upstream.last().url == "https://upstream.test/v1/models/m");
}

}  // namespace gproxy::gateway::test
