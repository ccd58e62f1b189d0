// Why a request went the way it went: what is remembered of it, for how long, and where it is
// stored.
#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>

#include "base/json.h"
#include "bench.h"
#include "gateway/decision_json.h"
#include "gateway/recent_decisions.h"
#include "storage/ring_drain.h"
#include "storage/store.h"

namespace gproxy::gateway::test {
namespace {

constexpr std::string_view kBody = R"({"model":"m","messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kStreamBody = R"({"model":"m","stream":true,"messages":[]})";
constexpr std::string_view kChatAnswer =
    R"({"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"ho"}}],"usage":{"prompt_tokens":3,"completion_tokens":2}})";
const upstream::FakeClient::Fields kSse = {{"content-type", "text/event-stream"}};

Bench::Setup with(std::vector<config::ProviderConfig> providers,
                  std::function<void(config::Settings&)> settings = {}) {
  Bench::Setup setup;
  setup.providers = std::move(providers);
  setup.settings = std::move(settings);
  return setup;
}

config::ProviderConfig pooled(std::string name, int credentials, std::string pool_json) {
  auto out = provider(std::move(name), "plain", credentials);
  out.pool_json = std::move(pool_json);
  return out;
}

config::RouteConfig a_route(std::string name, std::string tiers) {
  config::RouteConfig out;
  out.id = 1;
  out.name = std::move(name);
  out.body_json = "{\"tiers\":" + std::move(tiers) + "}";
  return out;
}

upstream::FakeClient::Answer failing(int status, upstream::FakeClient::Fields headers = {}) {
  upstream::FakeClient::Answer answer;
  answer.status = status;
  answer.headers = std::move(headers);
  answer.headers.emplace_back("content-type", "application/json");
  answer.pieces = {R"({"error":{"message":"no","type":"x"}})"};
  return answer;
}

upstream::FakeClient::Answer saying(std::string_view body) {
  upstream::FakeClient::Answer answer;
  answer.pieces.emplace_back(body);
  return answer;
}

upstream::FakeClient::Answer open_stream() {
  upstream::FakeClient::Answer answer;
  answer.headers = kSse;
  answer.pieces = {": hold on\n\n"};
  answer.end = upstream::FakeClient::Answer::End::open;
  return answer;
}

// What is remembered under this name, read.
struct Why {
  Arena arena;
  json::Value all;
  std::string text;
  Why(Bench& bench, std::string_view id) {
    // The record is made when the answer has gone out.
    bench.turn_until([&] { return bench.shared.decisions.find(id).has_value(); });
    const auto found = bench.shared.decisions.find(id);
    REQUIRE(found.has_value());
    text = *found;
    auto parsed = json::parse(text, arena);
    REQUIRE(parsed.ok());
    all = *parsed;
  }
  const json::Value& operator[](std::string_view key) const { return all[key]; }
  const json::Value& attempt(size_t i) const { return all["attempts"][i]; }
};

}  // namespace

TEST_CASE("a request that goes straight through is found by its trace id, with its times") {
  Bench bench(with({provider("p", "plain", 2)}));
  bench.upstream.answer(saying(kChatAnswer));
  const auto answer = bench.ask(post("/p/v1/chat/completions", kBody));
  const Why why(bench, answer.header("x-request-id"));
  CHECK(why["trace_id"].str() == answer.header("x-request-id"));
  CHECK(why["request_id"].is_null());
  CHECK(why["outcome"].str() == "ok");
  CHECK(why["status"].as_int() == 200);
  CHECK(why["error_code"].is_null());
  CHECK(why["user_id"].as_int() == 0);
  CHECK(why["user_key_id"].as_int() == 1);
  CHECK(why["protocol"].str() == "openai_chat");
  CHECK(why["operation"].str() == "GenerateContent");
  CHECK(why["way"].str() == "native");
  CHECK(why["provider"].str() == "p");
  CHECK(why["model"].str() == "m");
  CHECK(why["route"].is_null());
  CHECK(why["credential"]["id"].as_int() == 1);
  CHECK(why["credential"]["name"].str() == "c1");
  CHECK(why["pool"]["strategy"].str() == "round_robin");
  CHECK(why["pool"]["credentials"].as_int() == 2);
  CHECK(why["pool"]["skipped"].as_int() == 0);
  CHECK(why["skipped"].size() == 0);
  CHECK(why["waits"].size() == 0);
  REQUIRE(why["attempts"].size() == 1);
  CHECK(why.attempt(0)["status"].as_int() == 200);
  CHECK(why.attempt(0)["outcome"].str() == "ok");
  CHECK(why.attempt(0)["verdict"].is_null());
  const auto& phases = why["phases"];
  int64_t sum = 0;
  for (const auto* phase : {"receive_us", "queue_us", "prepare_us", "refresh_us", "failed_us",
                            "backoff_us", "connect_us", "first_byte_us", "stream_us"}) {
    CAPTURE(phase);
    CHECK(phases[phase].int_or(-1) >= 0);
    sum += phases[phase].int_or(0);
  }
  CHECK(phases["total_us"].int_or(0) > 0);
  CHECK(sum <= phases["total_us"].int_or(0));
}

TEST_CASE("the client's own name finds a request, and the newest of two") {
  Bench bench;
  for (int i = 0; i < 2; ++i) {
    bench.upstream.answer(saying("{}"));
    bench.ask(post(i == 0 ? "/p/v1/chat/completions" : "/p/v1/messages", kBody,
                   "x-request-id: mine-1\r\n"));
  }
  const Why why(bench, "mine-1");
  CHECK(why["request_id"].str() == "mine-1");
  CHECK(why["protocol"].str() == "claude");
  CHECK_FALSE(bench.shared.decisions.find("mine-2").has_value());
  CHECK_FALSE(bench.shared.decisions.find("").has_value());
}

TEST_CASE("a refusal is remembered with its code, and no attempt") {
  Bench bench;
  const auto answer = bench.ask(post("/nobody/v1/chat/completions", kBody));
  const Why why(bench, answer.header("x-request-id"));
  CHECK(why["outcome"].str() == "refused");
  CHECK(why["way"].str() == "refused");
  CHECK(why["error_code"].str() == "provider_not_found");
  CHECK(why["attempts"].size() == 0);
  CHECK(why["provider"].is_null());
}

TEST_CASE("an attempt that failed tells its verdict and what came then") {
  Bench bench(with({provider("p", "plain", 2)}));
  bench.upstream.answer(failing(429, {{"retry-after", "7"}}));
  bench.upstream.answer(saying(kChatAnswer));
  const auto answer = bench.ask(post("/p/v1/chat/completions", kBody));
  REQUIRE(answer.status == 200);
  const Why why(bench, answer.header("x-request-id"));
  CHECK(why["outcome"].str() == "ok");
  REQUIRE(why["attempts"].size() == 2);
  const auto& first = why.attempt(0);
  CHECK(first["no"].as_int() == 1);
  CHECK(first["credential"]["id"].as_int() == 1);
  CHECK(first["status"].as_int() == 429);
  CHECK(first["outcome"].str() == "failed");
  CHECK(first["verdict"].str() == "cool_down");
  CHECK(first["reason"].str() == "rate_limit");
  CHECK(first["scope"].str() == "m");
  CHECK(first["rest_ms"].as_int() == 7'000);
  CHECK(first["then"].str() == "other");
  CHECK(why.attempt(1)["credential"]["id"].as_int() == 2);
  CHECK(why.attempt(1)["status"].as_int() == 200);
  CHECK(why.attempt(1)["then"].is_null());
  CHECK(why["phases"]["failed_us"].int_or(0) > 0);
  CHECK(why["phases"]["first_byte_us"].int_or(-1) >= 0);
}

TEST_CASE("a connection that failed is told as what it was") {
  Bench bench;
  upstream::FakeClient::Answer refused;
  refused.status = 0;
  refused.failure = upstream::FailureKind::connect;
  bench.upstream.answer(refused);
  const auto answer = bench.ask(post("/p/v1/chat/completions", kBody));
  const Why why(bench, answer.header("x-request-id"));
  CHECK(why["outcome"].str() == "failed");
  CHECK(why.attempt(0)["failure"].str() == "connect");
  CHECK(why.attempt(0)["status"].is_null());
  CHECK(why.attempt(0)["then"].str() == "deliver");
}

TEST_CASE(
    "who rests is named with the reason and the end, though the request went straight through") {
  Bench bench(with({provider("p", "plain", 3)}));
  bench.upstream.answer(failing(429, {{"retry-after", "70"}}));
  bench.upstream.on_request = [](const auto&) { return saying(kChatAnswer); };
  // The first of these puts credential 1 to rest; the later ones come round to it.
  std::string id;
  for (int i = 0; i < 5; ++i)
    id = bench.ask(post("/p/v1/chat/completions", kBody)).header("x-request-id");
  const Why why(bench, id);
  REQUIRE(why["attempts"].size() == 1);
  CHECK(why["pool"]["skipped"].as_int() == 1);
  REQUIRE(why["skipped"].size() == 1);
  const auto& skip = why["skipped"][0];
  CHECK(skip["credential"]["id"].as_int() == 1);
  CHECK(skip["credential"]["name"].str() == "c1");
  CHECK(skip["why"].str() == "rests");
  CHECK(skip["reason"].str() == "rate_limit");
  CHECK(skip["scope"].str() == "model");
  CHECK(skip["until"].str().starts_with("20"));
}

TEST_CASE("when nobody is left each is named: dead, at rest, at its limit") {
  Bench bench(with({pooled("p", 3, R"({"max_concurrent":1})")}));
  bench.slots.find(1)->mark_dead("auth_invalid");
  bench.slots.find(2)->cool_down(Clock::system().now_ms() + 60'000, "upstream_5xx");
  bench.upstream.on_request = [](const auto&) { return open_stream(); };
  const auto holder = bench.connect();
  holder->send(post("/p/v1/chat/completions", kStreamBody));
  REQUIRE(bench.turn_until([&] { return bench.upstream.calls() == 1; }));
  const auto answer = bench.ask(post("/p/v1/chat/completions", kBody));
  CHECK(answer.status == 503);
  const Why why(bench, answer.header("x-request-id"));
  CHECK(why["outcome"].str() == "refused");
  CHECK(why["error_code"].str() == "no_active_credentials");
  REQUIRE(why["skipped"].size() == 3);
  CHECK(why["skipped"][0]["why"].str() == "dead");
  CHECK(why["skipped"][0]["reason"].str() == "auth_invalid");
  CHECK(why["skipped"][0]["until"].is_null());
  CHECK(why["skipped"][1]["why"].str() == "rests");
  CHECK(why["skipped"][1]["reason"].str() == "upstream_5xx");
  CHECK(why["skipped"][1]["scope"].str() == "credential");
  CHECK(why["skipped"][2]["why"].str() == "at_limit");
}

TEST_CASE("a wait for a credential is told, with its end") {
  Bench bench(with({pooled("p", 1, R"({"max_concurrent":1,"queue":{"max":4,"ms":60000}})")}));
  bench.upstream.answer(open_stream());
  bench.upstream.answer(saying(kChatAnswer));
  const auto holder = bench.connect();
  holder->send(post("/p/v1/chat/completions", kStreamBody));
  REQUIRE(bench.turn_until([&] { return bench.upstream.calls() == 1; }));
  const auto second = bench.connect();
  second->send(post("/p/v1/chat/completions", kBody));
  bench.turn(20);
  CHECK(bench.upstream.calls() == 1);
  holder->close();
  const auto answer = second->answer();
  REQUIRE(answer.status == 200);
  const Why why(bench, answer.header("x-request-id"));
  REQUIRE(why["waits"].size() == 1);
  CHECK(why["waits"][0]["provider"].str() == "p");
  CHECK(why["waits"][0]["ended"].str() == "granted");
  CHECK(why["phases"]["queue_us"].int_or(0) > 0);
  CHECK(why["attempts"].size() == 1);
}

TEST_CASE("a conversation's place is told: made, kept, away") {
  Bench bench(with({pooled("p", 3, R"({"strategy":"sticky"})")}));
  bench.upstream.on_request = [](const auto&) { return saying(kChatAnswer); };
  const auto affinity = [&] {
    const auto answer = bench.ask(post("/p/v1/chat/completions", kBody, "x-session-id: one\r\n"));
    const Why why(bench, answer.header("x-request-id"));
    return std::string(why["pool"]["affinity"].str());
  };
  CHECK(affinity() == "made");
  CHECK(affinity() == "kept");
  bench.slots.find(1)->cool_down(Clock::system().now_ms() + 5'000, "timeout");
  CHECK(affinity() == "away");
  bench.slots.find(1)->mark_dead("auth_invalid");
  CHECK(affinity() == "moved");
}

TEST_CASE("a route's targets that were passed over are told with the reason") {
  auto setup = with({provider("off", "plain", 1), provider("empty", "plain", 0),
                     provider("counts", "counter", 0), provider("kept", "plain", 1),
                     provider("good", "plain", 1)});
  setup.providers[0].enabled = false;
  setup.key_bounds.providers = {"off", "empty", "counts", "good"};
  setup.routes = {a_route("fast", R"([[{"provider":"gone","model":"a"}],[{"provider":"off"}],
      [{"provider":"empty","model":"e"}],[{"provider":"counts"}],[{"provider":"kept"}],
      [{"provider":"good","model":"big"}]])")};
  Bench bench(std::move(setup));
  bench.upstream.answer(saying(kChatAnswer));
  const auto answer = bench.ask(post("/v1/chat/completions", R"({"model":"fast","messages":[]})"));
  REQUIRE(answer.status == 200);
  const Why why(bench, answer.header("x-request-id"));
  const auto& route = why["route"];
  CHECK(route["name"].str() == "fast");
  CHECK(route["tier"].as_int() == 6);
  CHECK(route["target"].as_int() == 6);
  CHECK(route["targets"].as_int() == 6);
  const auto& passed = route["passed_over"];
  REQUIRE(passed.size() == 5);
  const std::pair<std::string_view, std::string_view> expected[] = {
      {"gone", "provider_not_found"},
      {"off", "provider_disabled"},
      {"empty", "no_credential"},
      {"counts", "protocol_not_served"},
      {"kept", "not_allowed"}};
  for (size_t i = 0; i < 5; ++i) {
    CHECK(passed[i]["provider"].str() == expected[i].first);
    CHECK(passed[i]["why"].str() == expected[i].second);
    CHECK(passed[i]["tier"].as_int() == static_cast<int64_t>(i) + 1);
  }
  CHECK(why["provider"].str() == "good");
  CHECK(why["model"].str() == "big");
}

TEST_CASE("a first token that does not come moves the request to the route's next target") {
  auto setup = with({pooled("slow", 1, R"({"first_token_ms":20})"), provider("next", "plain", 1)});
  setup.routes = {
      a_route("fast", R"([[{"provider":"slow","model":"a"}],[{"provider":"next","model":"b"}]])")};
  Bench bench(std::move(setup));
  bench.upstream.answer(open_stream());
  upstream::FakeClient::Answer good;
  good.headers = kSse;
  good.pieces = {
      "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ho\"}}]}\n\n",
      "data: [DONE]\n\n"};
  bench.upstream.answer(good);
  const auto answer =
      bench.ask(post("/v1/chat/completions", R"({"model":"fast","stream":true,"messages":[]})"));
  CHECK(answer.status == 200);
  CHECK(answer.has("[DONE]"));
  REQUIRE(bench.upstream.calls() == 2);
  CHECK(bench.upstream.call(0).aborted());
  CHECK(bench.upstream.call(1).body.find("\"b\"") != std::string::npos);
  const Why why(bench, answer.header("x-request-id"));
  REQUIRE(why["attempts"].size() == 2);
  CHECK(why.attempt(0)["provider"].str() == "slow");
  CHECK(why.attempt(0)["failure"].str() == "first_byte_timeout");
  CHECK(why.attempt(0)["then"].str() == "target");
  CHECK(why.attempt(1)["provider"].str() == "next");
  CHECK(why.attempt(1)["tier"].as_int() == 2);
}

TEST_CASE("a slow first token is waited for while there is nowhere to go") {
  const auto wait = [](Bench& bench, std::string_view model) {
    bench.upstream.answer(open_stream());
    const auto client = bench.connect();
    client->send(post("/v1/chat/completions",
                      R"({"model":")" + std::string(model) + R"(","stream":true,"messages":[]})"));
    REQUIRE(bench.turn_until([&] { return bench.upstream.calls() == 1; }));
    const auto began = Clock::system().now_ms();
    bench.turn_until([&] { return Clock::system().now_ms() - began > 60; });
    CHECK_FALSE(bench.upstream.call(0).aborted());
    bench.upstream.call(0).data("data: {\"id\":\"x\",\"choices\":[]}\n\ndata: [DONE]\n\n");
    bench.upstream.call(0).complete();
    CHECK(client->answer().has("[DONE]"));
  };
  SUBCASE("no attempt is left") {
    Bench bench(with({pooled("slow", 2, R"({"first_token_ms":20})")},
                     [](config::Settings& s) { s.retry.max_attempts = 1; }));
    wait(bench, "slow/m");
  }
  SUBCASE("no credential of it or of the next target is left") {
    auto setup =
        with({pooled("slow", 1, R"({"first_token_ms":20})"), provider("next", "plain", 1)});
    setup.routes = {a_route(
        "fast", R"([[{"provider":"slow","model":"a"}],[{"provider":"next","model":"b"}]])")};
    Bench bench(std::move(setup));
    bench.slots.find(2)->mark_dead("auth_invalid");
    wait(bench, "fast");
  }
}

TEST_CASE("the client's body is charged twice while a translated one stands beside it") {
  const std::string text(100'000, 'x');
  const std::string body =
      R"({"model":"fast","max_tokens":9,"messages":[{"role":"user","content":")" + text + "\"}]}";
  const auto setup = [&](std::function<void(config::Settings&)> settings = {}) {
    auto out =
        with({provider("bridge", "bridge"), provider("next", "plain", 1)}, std::move(settings));
    out.routes = {a_route(
        "fast", R"([[{"provider":"bridge","model":"a"}],[{"provider":"next","model":"b"}]])")};
    return out;
  };
  SUBCASE("and once again when the next target has it") {
    Bench bench(setup());
    const auto client = bench.connect();
    client->send(post("/v1/messages", body));
    REQUIRE(bench.turn_until([&] { return bench.upstream.calls() == 1; }));
    CHECK(bench.shared.memory.used() == 2 * body.size());
    CHECK(bench.upstream.call(0).url.ends_with("/v1/chat/completions"));
    bench.upstream.call(0).head(500);
    bench.upstream.call(0).complete();
    REQUIRE(bench.turn_until([&] { return bench.upstream.calls() == 2; }));
    CHECK(bench.shared.memory.used() == body.size());
    // From the client's own bytes, in its own protocol.
    CHECK(bench.upstream.call(1).url.ends_with("/v1/messages"));
    CHECK(bench.upstream.call(1).body.find(text) != std::string::npos);
    CHECK(bench.upstream.call(1).body.find("\"b\"") != std::string::npos);
    bench.upstream.call(1).head(200);
    bench.upstream.call(1).data("{}");
    bench.upstream.call(1).complete();
    CHECK(client->answer().status == 200);
    CHECK(bench.turn_until([&] { return bench.shared.memory.used() == 0; }));
  }
  SUBCASE("without room for two the first target is the last") {
    Bench bench(setup([&](config::Settings& s) {
      s.limits.memory_budget_bytes = body.size() + body.size() / 2;
    }));
    bench.upstream.on_request = [](const auto&) { return failing(500); };
    const auto answer = bench.ask(post("/v1/messages", body));
    CHECK(answer.status == 500);
    for (size_t i = 0; i < bench.upstream.calls(); ++i)
      CHECK(bench.upstream.call(i).url.ends_with("/v1/chat/completions"));
    const Why why(bench, answer.header("x-request-id"));
    REQUIRE(why["route"]["passed_over"].size() == 1);
    CHECK(why["route"]["passed_over"][0]["why"].str() == "memory");
    CHECK(bench.turn_until([&] { return bench.shared.memory.used() == 0; }));
  }
}

TEST_CASE("a key that is refused again after each of its rests is dead until it is changed") {
  FakeClock clock;
  auto setup = with({provider("p", "plain", 1)}, [](config::Settings& s) {
    s.retry.auth_failures = 3;
    s.retry.min_cool_down_ms = 1'000;
  });
  setup.clock = &clock;
  Bench bench(std::move(setup));
  // A refresh works each time, and what it brings is refused, too.
  bench.upstream.on_request = [](const auto& call) {
    return call.url.find("issuer") == std::string::npos ? failing(401) : saying("{}");
  };
  const auto slot = bench.slots.find(1);
  for (int i = 0; i < 3; ++i) {
    CHECK(slot->until_ms() <= clock.now_ms());
    CHECK(bench.ask(post("/p/v1/chat/completions", kBody)).status == 502);
    if (i == 2) break;
    CHECK(slot->until_ms() > clock.now_ms());
    CHECK(slot->until_ms() != INT64_MAX);
    clock.advance_ms(slot->until_ms() - clock.now_ms());
  }
  CHECK(slot->until_ms() == INT64_MAX);
  CHECK(slot->cool_downs(clock.now_ms()).at(0).reason == "auth_invalid");
  const auto asked = bench.upstream.calls();
  CHECK(bench.ask(post("/p/v1/chat/completions", kBody)).status == 503);
  CHECK(bench.upstream.calls() == asked);
  // A new secret begins anew, with a new count.
  REQUIRE(slot->replace_text(Secret(R"({"Test":{"api_key":"key-9"}})"), 99));
  CHECK(bench.ask(post("/p/v1/chat/completions", kBody)).status == 502);
  CHECK(slot->until_ms() != INT64_MAX);
  CHECK(bench.upstream.calls() > asked);
}

TEST_CASE("a success between two refusals ends the row") {
  FakeClock clock;
  auto setup = with({provider("p", "plain", 1)}, [](config::Settings& s) {
    s.retry.auth_failures = 2;
    s.retry.min_cool_down_ms = 1'000;
  });
  setup.clock = &clock;
  Bench bench(std::move(setup));
  bool good = false;
  bench.upstream.on_request = [&](const auto& call) {
    if (call.url.find("issuer") != std::string::npos || good) return saying("{}");
    return failing(401);
  };
  const auto slot = bench.slots.find(1);
  for (int i = 0; i < 4; ++i) {
    good = i % 2 == 1;
    bench.ask(post("/p/v1/chat/completions", kBody));
    CHECK(slot->until_ms() != INT64_MAX);
    clock.advance_ms(std::max<int64_t>(slot->until_ms() - clock.now_ms(), 0));
  }
}

TEST_CASE("a 402 rests the credential for all models, as long as the setting says") {
  FakeClock clock;
  auto setup =
      with({provider("p", "plain", 2)}, [](config::Settings& s) { s.retry.billing_ms = 90'000; });
  setup.clock = &clock;
  Bench bench(std::move(setup));
  bench.upstream.answer(failing(402));
  bench.upstream.answer(saying(kChatAnswer));
  CHECK(bench.ask(post("/p/v1/chat/completions", kBody)).status == 200);
  const auto rests = bench.slots.find(1)->cool_downs(clock.now_ms());
  REQUIRE(rests.size() == 1);
  CHECK(rests[0].scope.empty());
  CHECK(rests[0].reason == "billing");
  CHECK(rests[0].until_ms == clock.now_ms() + 90'000);
}

TEST_CASE("the setting decides what is stored: problems, all, none") {
  for (const std::string_view wanted : {"problems", "all", "none"}) {
    CAPTURE(wanted);
    storage::StoreOptions options;
    options.dsn = ":memory:";
    auto store = storage::open_store(options);
    REQUIRE(store.ok());
    storage::RecorderOptions ring;
    ring.usage_ring_bytes = ring.log_ring_bytes = size_t{1} << 20;
    auto recorders = storage::Recorders::open(ring, 1);
    REQUIRE(recorders.ok());
    auto setup = with({provider("p", "plain", 2)},
                      [&](config::Settings& s) { s.decision_log = std::string(wanted); });
    setup.recorder = &(*recorders)->at(0);
    std::string straight, troubled;
    {
      Bench bench(std::move(setup));
      bench.upstream.answer(saying(kChatAnswer));
      bench.upstream.answer(failing(429));
      bench.upstream.answer(saying(kChatAnswer));
      straight = bench.ask(post("/p/v1/chat/completions", kBody)).header("x-request-id");
      troubled = bench.ask(post("/p/v1/chat/completions", kBody)).header("x-request-id");
      const Why why(bench, troubled);
      CHECK(why["attempts"].size() == 2);
    }
    storage::RingDrain drain(**recorders, 512);
    while (!drain.empty()) REQUIRE(drain.pass(**store).ok());
    auto reader = (*store)->open_reader();
    REQUIRE(reader.ok());
    CHECK((*reader)->decision_of(straight)->has_value() == (wanted == "all"));
    const auto stored = *(*reader)->decision_of(troubled);
    CHECK(stored.has_value() == (wanted != "none"));
    if (stored) CHECK(stored->find("\"rate_limit\"") != std::string::npos);
  }
}

// ---- where they are kept
// -----------------------------------------------------------------------------

TEST_CASE("a ring keeps the last ones, and each with what passed over as far as there is room") {
  DecisionRing ring;
  const auto put = [&](int number, uint8_t skips) {
    DecisionRecord record;
    record.trace_id.set("trace-" + std::to_string(number));
    record.user_id = number;
    record.skips = skips;
    for (uint8_t i = 0; i < skips; ++i) record.skip[i].credential_id = number + i;
    ring.put(record);
  };
  const auto find = [&](std::string_view id, DecisionRecord& out) {
    return ring.find([&](const DecisionRecord& r) { return r.trace_id.view() == id; }, out);
  };
  DecisionRecord found;
  CHECK_FALSE(find("trace-0", found));
  const int all = static_cast<int>(DecisionRing::kSlots) + 10;
  for (int i = 0; i < all; ++i) put(i, static_cast<uint8_t>(i % 7));
  CHECK_FALSE(find("trace-9", found));
  REQUIRE(find("trace-10", found));
  CHECK(found.user_id == 10);
  REQUIRE(find("trace-" + std::to_string(all - 1), found));
  const int last = all - 1;
  CHECK(found.skips == last % 7);
  for (int i = 0; i < last % 7; ++i)
    CHECK(found.skip[static_cast<size_t>(i)].credential_id == last + i);
}

TEST_CASE("a reader never sees half of one record and half of another") {
  DecisionRing ring;
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int64_t number = 1; !stop; ++number) {
      DecisionRecord record;
      record.at_us = record.user_id = record.total_us = number;
      record.skips = DecisionRecord::kSkips;
      record.skip.back().until_ms = number;
      ring.put(record);
    }
  });
  int64_t looked = 0, torn = 0;
  while (looked < 20'000) {
    DecisionRecord out;
    ring.find(
        [&](const DecisionRecord& r) {
          ++looked;
          const bool whole =
              r.at_us == r.user_id && r.at_us == r.total_us && r.at_us == r.skip.back().until_ms;
          torn += !whole;
          return false;
        },
        out);
  }
  stop = true;
  writer.join();
  CHECK(torn == 0);
}

TEST_CASE("what is told is bounded in number and in bytes") {
  RecentDecisions recent;
  for (size_t i = 0; i < RecentDecisions::kMostTold + 5; ++i)
    recent.keep("t" + std::to_string(i), "", "{}");
  CHECK_FALSE(recent.find("t4").has_value());
  CHECK(recent.find("t5").has_value());
  const std::string big(RecentDecisions::kMostBytes / 3, ' ');
  for (int i = 0; i < 4; ++i) recent.keep("big" + std::to_string(i), "named", big);
  CHECK_FALSE(recent.find("t1000").has_value());
  CHECK_FALSE(recent.find("big1").has_value());
  CHECK(recent.find("big2").has_value());
  CHECK(recent.find("named").has_value());
}

TEST_CASE("texts of a record are cut at a character's border") {
  ShortText<8> text;
  text.set("abcdef\xc3\xa9");
  CHECK(text.view() == "abcdef");
  text.set("abc");
  CHECK(text.view() == "abc");
  text.set({});
  CHECK(text.view().empty());
}

}  // namespace gproxy::gateway::test
