// What keys and users may do and how much: refused in the client's protocol, told in headers,
// settled with what was used.
#include <doctest/doctest.h>

#include <string>

#include "bench.h"

namespace gproxy::gateway::test {
namespace {

constexpr std::string_view kBody = R"({"model":"m","messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kAnswer =
    R"({"id":"x","model":"m","choices":[],"usage":{"prompt_tokens":30,"completion_tokens":20,"total_tokens":50}})";

Bench::Setup bounded(std::string_view key, std::string_view user = "{}") {
  Bench::Setup setup;
  setup.key_bounds = config::read_bounds(key);
  setup.user_bounds = config::read_bounds(user);
  return setup;
}

int64_t number(const Answer& answer, std::string_view header) {
  return std::stoll("0" + answer.header(header));
}

}  // namespace

TEST_CASE("an expired key is no key") {
  Bench bench(bounded(R"({"expires_at":"2001-01-01T00:00:00Z"})"));
  CHECK(bench.ask(post("/p/v1/chat/completions", kBody)).status == 401);
}

TEST_CASE("a provider or model that is not allowed is a 403 before any upstream is asked") {
  Bench bench(bounded(R"({"allowed_providers":["p"],"allowed_models":["small*"]})"));
  auto answer = bench.ask(post("/p/v1/chat/completions", kBody));
  CHECK(answer.status == 403);
  CHECK(answer.header("x-gproxy-error") == "model_not_allowed");
  CHECK(answer.has("\"param\":\"model\""));
  answer = bench.ask(post("/q/v1/messages", kBody));
  CHECK(answer.status == 403);
  CHECK(answer.has("permission_error"));
  answer = bench.ask(post("/v1/chat/completions", R"({"model":"q/small-1","messages":[]})"));
  CHECK(answer.header("x-gproxy-error") == "provider_not_allowed");
  CHECK(bench.upstream.calls() == 0);
  bench.upstream.answer({.pieces = {std::string(kAnswer)}});
  CHECK(bench.ask(post("/v1/chat/completions", R"({"model":"p/small-1","messages":[]})")).status ==
        200);
}

TEST_CASE("a provider's own list leaves out what the key may not use, in each protocol") {
  auto setup = bounded(R"({"allowed_models":["small*"]})");
  setup.providers = {provider("p", "keyless")};
  Bench bench(std::move(setup));
  const auto list = [&](std::string_view upstream, const std::string& request) {
    bench.upstream.answer({.pieces = {std::string(upstream)}});
    return bench.ask(request).body;
  };
  CHECK(list(R"({"object":"list","data":[{"id":"small-1","x":1},{"id":"large"}]})",
             get("/p/v1/models")) == R"({"object":"list","data":[{"id":"small-1","x":1}]})");
  const std::string version = "anthropic-version: 2023-06-01\r\n";
  constexpr std::string_view kPage =
      R"({"data":[{"id":"large"},{"id":"small-1"},{"id":"huge"}],"first_id":"large","last_id":"huge","has_more":)";
  CHECK(list(std::string(kPage) + "false}", get("/p/v1/models", version)) ==
        R"({"data":[{"id":"small-1"}],"first_id":"small-1","last_id":"small-1","has_more":false})");
  // The next page is found by the upstream's own cursor.
  CHECK(list(std::string(kPage) + "true}", get("/p/v1/models", version)) ==
        R"({"data":[{"id":"small-1"}],"first_id":"small-1","last_id":"huge","has_more":true})");
  CHECK(
      list(R"({"models":[{"name":"models/large"},{"name":"models/small-2"}],"nextPageToken":"t"})",
           get("/p/v1beta/models")) ==
      R"({"models":[{"name":"models/small-2"}],"nextPageToken":"t"})");
  CHECK(list(R"({"data":[{"id":"small-1"},{"id":"large"}]})", get("/v1/models")) ==
        R"({"object":"list","data":[{"id":"p/small-1"}],"partial":false})");
}

TEST_CASE("a model that is not allowed cannot be looked up, in each protocol") {
  auto setup = bounded(R"({"allowed_models":["small*"]})");
  setup.providers = {provider("p", "keyless")};
  Bench bench(std::move(setup));
  struct Row {
    std::string request;
    std::string_view says;
  };
  const std::string version = "anthropic-version: 2023-06-01\r\n";
  for (const auto& [request, says] : {
           Row{get("/p/v1/models/large"), "\"code\":\"model_not_allowed\""},
           Row{get("/v1/models/p/large"), "\"code\":\"model_not_allowed\""},
           Row{get("/p/v1/models/large", version), "permission_error"},
           Row{get("/p/v1beta/models/large"), "PERMISSION_DENIED"},
           Row{get("/v1beta/models/p/large"), "PERMISSION_DENIED"},
       }) {
    CAPTURE(request);
    const auto answer = bench.ask(request);
    CHECK(answer.status == 403);
    CHECK(answer.header("x-gproxy-error") == "model_not_allowed");
    CHECK(answer.has(says));
  }
  CHECK(bench.upstream.calls() == 0);
  bench.upstream.answer({.pieces = {R"({"id":"small-1"})"}});
  CHECK(bench.ask(get("/p/v1/models/small-1")).status == 200);
}

TEST_CASE("every limit says in every protocol when to come back") {
  struct Limit {
    std::string_view bounds, header;
  };
  for (const auto& [bounds, header] : {Limit{R"({"requests_per_minute":1})", "requests"},
                                       Limit{R"({"tokens_per_minute":1})", "tokens"}}) {
    CAPTURE(bounds);
    Bench bench(bounded(bounds));
    bench.upstream.answer({.pieces = {std::string(kAnswer)}});
    bench.ask(post("/p/v1/chat/completions", kBody));  // takes what there is
    struct Row {
      std::string request;
      std::string_view says;
    };
    for (const auto& [request, says] : {
             Row{post("/p/v1/chat/completions", kBody), "\"code\":\"rate_limit_exceeded\""},
             Row{post("/p/v1/responses", R"({"model":"m","input":"hi"})"),
                 "\"code\":\"rate_limit_exceeded\""},
             Row{post("/p/v1/messages", kBody), "rate_limit_error"},
             Row{post("/p/v1beta/models/m:generateContent", R"({"contents":[]})"),
                 "RESOURCE_EXHAUSTED"},
         }) {
      CAPTURE(request);
      const auto answer = bench.ask(request);
      CHECK(answer.status == 429);
      CHECK(answer.has(says));
      CHECK(number(answer, "retry-after") >= 1);
      const std::string name(header);
      CHECK(number(answer, "x-ratelimit-limit-" + name) == 1);
      CHECK(answer.header("x-ratelimit-remaining-" + name) == "0");
      CHECK(answer.header("x-ratelimit-reset-" + name).ends_with("s"));
    }
  }
}

TEST_CASE("the user's bounds hold besides the key's") {
  Bench bench(bounded(R"({"allowed_models":["m","n"]})", R"({"allowed_models":["n"]})"));
  CHECK(bench.ask(post("/p/v1/chat/completions", kBody)).status == 403);
}

TEST_CASE("a key without limits gets no limit headers") {
  Bench bench;
  bench.upstream.answer({.headers = {{"x-ratelimit-limit-requests", "9"}}, .pieces = {"{}"}});
  const auto answer = bench.ask(post("/p/v1/chat/completions", kBody));
  CHECK(answer.header("x-ratelimit-limit-requests") == "9");  // the upstream's
}

TEST_CASE("requests per minute: told while there is room, a 429 with the time to wait after that") {
  const auto began = net::Loop::now_us();
  Bench bench(bounded(R"({"requests_per_minute":2})"));
  bench.upstream.answer({.headers = {{"x-ratelimit-limit-requests", "9"}}, .pieces = {"{}"}});
  auto answer = bench.ask(post("/p/v1/chat/completions", kBody));
  CHECK(answer.status == 200);
  CHECK(answer.header("x-ratelimit-limit-requests") == "2");  // the key's, not the upstream's
  CHECK(answer.header("x-ratelimit-remaining-requests") == "1");
  CHECK(answer.header("x-ratelimit-reset-requests").ends_with("s"));
  bench.upstream.answer({.pieces = {"{}"}});
  CHECK(bench.ask(post("/p/v1/chat/completions", kBody)).status == 200);

  answer = bench.ask(post("/p/v1/chat/completions", kBody));
  CHECK(answer.status == 429);
  CHECK(answer.header("x-gproxy-error") == "rate_limit_exceeded");
  CHECK(answer.has("\"code\":\"rate_limit_exceeded\""));
  const auto passed = (net::Loop::now_us() - began) / 1'000'000;  // whole seconds
  CHECK(number(answer, "retry-after") >= 28 - passed);
  CHECK(number(answer, "retry-after") <= 30);
  CHECK(answer.header("x-ratelimit-remaining-requests") == "0");
  const auto claude = bench.ask(post("/p/v1/messages", kBody));
  CHECK(claude.status == 429);
  CHECK(claude.has("rate_limit_error"));
  const auto gemini = bench.ask(post("/p/v1beta/models/m:generateContent", R"({"contents":[]})"));
  CHECK(gemini.status == 429);
  CHECK(gemini.has("RESOURCE_EXHAUSTED"));
  CHECK(bench.upstream.calls() == 2);
}

TEST_CASE("a refused request takes nothing from the limits that had room") {
  Bench bench(bounded(R"({"requests_per_minute":100})", R"({"requests_per_minute":1})"));
  bench.upstream.answer({.pieces = {"{}"}});
  auto answer = bench.ask(post("/p/v1/chat/completions", kBody));
  CHECK(answer.header("x-ratelimit-limit-requests") == "1");  // the tighter one is told
  for (int i = 0; i < 3; ++i) {
    CHECK(bench.ask(post("/p/v1/chat/completions", kBody)).status == 429);
  }
  const auto& key = *bench.snapshot->find_key(bench.hasher->digest("user-key"));
  CHECK(key.rate->requests.remaining(100, net::Loop::now_us()) >= 98);
  CHECK(key.rate->running() == 0);
}

TEST_CASE("tokens are held from the request's length and settled with the real usage") {
  const auto began = net::Loop::now_us();
  Bench bench(bounded(R"({"tokens_per_minute":60})"));
  bench.upstream.answer({.pieces = {std::string(kAnswer)}});
  auto answer = bench.ask(post("/p/v1/chat/completions", kBody));
  CHECK(answer.status == 200);
  CHECK(answer.header("x-ratelimit-limit-tokens") == "60");
  // 57 bytes are expected to make 15 tokens; 50 were used.
  CHECK(number(answer, "x-ratelimit-remaining-tokens") >= 44);
  const auto& rate = bench.snapshot->find_key(bench.hasher->digest("user-key"))->rate;
  CHECK(rate->tokens.remaining(60, net::Loop::now_us()) >= 9);
  // One comes back in a second.
  const auto passed = (net::Loop::now_us() - began) / 1'000'000;
  CHECK(rate->tokens.remaining(60, net::Loop::now_us()) <= 11 + passed);
  answer = bench.ask(post("/p/v1/chat/completions", kBody));
  CHECK(answer.status == 429);
  CHECK(number(answer, "retry-after") >= 1);
  CHECK(bench.upstream.calls() == 1);
}

TEST_CASE("a failed request gives its tokens back") {
  Bench bench(bounded(R"({"tokens_per_minute":60})"));
  upstream::FakeClient::Answer failure;
  failure.status = 400;
  failure.headers = {{"content-type", "application/json"}};
  failure.pieces = {R"({"error":{"message":"no","type":"invalid_request_error"}})"};
  bench.upstream.answer(failure);
  CHECK(bench.ask(post("/p/v1/chat/completions", kBody)).status == 400);
  const auto& rate = bench.snapshot->find_key(bench.hasher->digest("user-key"))->rate;
  CHECK(rate->tokens.remaining(60, net::Loop::now_us()) == 60);
}

TEST_CASE("requests at a time: one too many is a 429, an end makes room") {
  Bench bench(bounded("{}", R"({"concurrent_requests":1})"));
  bench.upstream.answer(
      {.headers = {}, .pieces = {}, .end = upstream::FakeClient::Answer::End::open});
  auto first = bench.connect();
  first->send(post("/p/v1/chat/completions", kBody));
  REQUIRE(bench.turn_until([&] { return bench.upstream.calls() == 1; }));
  const auto answer = bench.ask(post("/p/v1/chat/completions", kBody));
  CHECK(answer.status == 429);
  CHECK(answer.header("retry-after") == "1");
  CHECK(answer.header("x-ratelimit-limit-concurrent-requests") == "1");
  CHECK(answer.header("x-ratelimit-remaining-concurrent-requests") == "0");
  CHECK(answer.header("x-ratelimit-limit-requests").empty());
  first->close();
  const auto& rate = bench.snapshot->find_key(bench.hasher->digest("user-key"))->user_rate;
  REQUIRE(bench.turn_until([&] { return rate->running() == 0; }));
  bench.upstream.answer({.pieces = {"{}"}});
  CHECK(bench.ask(post("/p/v1/chat/completions", kBody)).status == 200);
}

}  // namespace gproxy::gateway::test
