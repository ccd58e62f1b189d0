// The small pure parts: keys, retries, pools, replies, stored texts.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "gateway/auth.h"
#include "gateway/block_pool.h"
#include "gateway/body_buffer.h"
#include "gateway/local_reply.h"
#include "gateway/record_text.h"
#include "gateway/request_id.h"
#include "gateway/retry.h"
#include "gateway/shared_state.h"

namespace gproxy::gateway {
namespace {

using Headers = std::vector<http::HeaderView>;

modhost::Failure answered(int status) {
  modhost::Failure out;
  out.kind = modhost::FailureKind::status;
  out.status = status;
  return out;
}

modhost::Verdict verdict(modhost::Action action) {
  modhost::Verdict out;
  out.action = action;
  return out;
}

}  // namespace

TEST_CASE("the first non-empty key wins, in the order of sources") {
  Arena arena;
  const auto source = [&](const Headers& headers, std::string_view query) {
    return find_key(headers, query, arena);
  };
  const Headers all = {
      {"X-Goog-Api-Key", "g"}, {"x-api-key", "x"}, {"Authorization", "bearer  b "}};
  CHECK(source(all, "key=q").key == "b");
  CHECK(source(all, "key=q").source == KeySource::bearer);
  CHECK(source({{"authorization", "Basic abc"}, {"x-api-key", "x"}}, "").source ==
        KeySource::x_api_key);
  CHECK(source({{"authorization", "Bearer "}, {"x-goog-api-key", "g"}}, "key=q").source ==
        KeySource::x_goog_api_key);
  CHECK(source({{"x-api-key", ""}}, "a=1&key=%20q%2Fr+").key == "q/r");
  CHECK(source({}, "Key=q&monkey=2").source == KeySource::none);
}

TEST_CASE("only the key leaves the query; every other byte stays") {
  Arena arena;
  CHECK(without_key("a=1&key=x&b=%2f&c", arena) == "a=1&b=%2f&c");
  CHECK(without_key("key=x", arena) == "");
  CHECK(without_key("key", arena) == "");
  CHECK(without_key("alt=sse&keys=1", arena) == "alt=sse&keys=1");
}

TEST_CASE("modules see no key, no cookie and nothing about the connection") {
  Arena arena;
  const Headers headers = {{"Host", "h"},
                           {"Authorization", "a"},
                           {"X-API-Key", "k"},
                           {"x-goog-api-key", "g"},
                           {"Cookie", "c"},
                           {"Connection", "keep-alive, X-Hop"},
                           {"x-hop", "1"},
                           {"TE", "trailers"},
                           {"content-length", "3"},
                           {"anthropic-beta", "b1"},
                           {"anthropic-beta", "b2"},
                           {"user-agent", "u"}};
  std::string kept;
  for (const auto& header : without_private(headers, arena))
    kept += std::string(std::string_view(header.name)) + "=" +
            std::string(std::string_view(header.value)) + ";";
  CHECK(kept == "anthropic-beta=b1;anthropic-beta=b2;user-agent=u;");
}

TEST_CASE("headers that never go down") {
  for (const std::string_view name :
       {"Content-Length", "transfer-encoding", "connection", "keep-alive", "proxy-authenticate",
        "proxy-authorization", "te", "trailer", "upgrade", "set-cookie", "alt-svc",
        "Strict-Transport-Security"}) {
    CAPTURE(name);
    CHECK(is_dropped_response_header(name));
  }
  for (const std::string_view name :
       {"content-type", "retry-after", "date", "x-ratelimit-limit-requests", "request-id"}) {
    CHECK_FALSE(is_dropped_response_header(name));
  }
}

TEST_CASE("retry decisions") {
  using modhost::Action;
  using Next = Decision::Next;
  const config::Retry retry;
  const auto failure = answered(429);
  Budget budget{.attempts = 1, .max_attempts = 8, .now_ms = 1000, .deadline_ms = 100'000};
  const auto next = [&](Action action, const Budget& b) {
    return decide(verdict(action), failure, b, retry, 0).next;
  };
  CHECK(next(Action::deliver, budget) == Next::deliver);
  CHECK(next(Action::retry_same, budget) == Next::same);
  CHECK(next(Action::refresh, budget) == Next::refresh);
  CHECK(next(Action::retry_patched, budget) == Next::patch);
  for (const auto action : {Action::next, Action::cool_down, Action::dead})
    CHECK(next(action, budget) == Next::other);

  auto spent = budget;
  spent.same_tried = spent.refreshed = spent.patched = true;
  for (const auto action : {Action::retry_same, Action::refresh, Action::retry_patched})
    CHECK(next(action, spent) == Next::other);

  auto sent = budget;
  sent.content_sent = true;
  CHECK(next(Action::cool_down, sent) == Next::deliver);
  auto last = budget;
  last.attempts = 8;
  CHECK(next(Action::cool_down, last) == Next::deliver);
  auto late = budget;
  late.now_ms = 100'000;
  CHECK(next(Action::retry_same, late) == Next::deliver);
}

TEST_CASE("only trouble of the upstream is waited for before the next credential") {
  const config::Retry retry;
  const Budget budget{.attempts = 1};
  auto failure = answered(429);
  CHECK(decide(verdict(modhost::Action::cool_down), failure, budget, retry, 0).delay_ms == 0);
  failure.status = 503;
  CHECK(decide(verdict(modhost::Action::cool_down), failure, budget, retry, 0).delay_ms == 200);
}

TEST_CASE("backoff doubles, has jitter and an upper bound") {
  const config::Retry retry;
  CHECK(backoff_ms(1, retry, 0) == 200);
  CHECK(backoff_ms(2, retry, 0.5) == 500);
  CHECK(backoff_ms(50, retry, 1) == 2000);
}

TEST_CASE("replies of routes that are no LLM's keep the reference's envelope") {
  const auto admin =
      make_local_reply(RouteKind::admin, translate::Protocol::none, provider_not_found("x"), "");
  CHECK(admin.status == 404);
  CHECK(admin.body == R"({"error":"provider_not_found","detail":"there is no provider \"x\""})");
  const auto bare = make_local_reply(RouteKind::not_found, translate::Protocol::none,
                                     unknown_path("GET", "/x"), "");
  CHECK(bare.status == 404);
  CHECK(bare.body.empty());
}

TEST_CASE("stored texts hold no secret") {
  const Headers headers = {{"Authorization", "Bearer s3cret"},
                           {"x-new-vendor-key", "s3cret"},
                           {"Content-Type", "a/b"},
                           {"x-stainless-os", "L"}};
  CHECK(
      redacted_headers_json(headers) ==
      R"([["Authorization","***"],["x-new-vendor-key","***"],["Content-Type","a/b"],["x-stainless-os","L"]])");
  Arena arena;
  CHECK(redacted_query("a=1&Code=s3cret&state=x", arena) == "a=1&Code=***&state=***");
}

TEST_CASE("request ids are UUIDv7 and only sane ones are taken over") {
  Arena arena;
  const auto id = make_request_id(arena, 0x0123456789ab, 1, 2);
  CHECK(id.size() == 36);
  CHECK(id.substr(0, 15) == "01234567-89ab-7");
  CHECK(is_sane_request_id("abc-1"));
  CHECK_FALSE(is_sane_request_id("a b"));
  CHECK_FALSE(is_sane_request_id(""));
  CHECK_FALSE(is_sane_request_id(std::string(129, 'a')));
}

TEST_CASE("a body grows and is given back") {
  net::Loop loop;
  BlockPool blocks(loop);
  BodyBuffer body(blocks);
  std::string expected;
  for (int i = 0; i < 500; ++i) {
    const std::string piece(static_cast<size_t>(i), static_cast<char>('a' + i % 26));
    REQUIRE(body.append(piece));
    expected += piece;
  }
  CHECK(body.view() == expected);
  body.release();
  CHECK(body.view().empty());
}

TEST_CASE("what is read into a body's room is taken without a copy") {
  net::Loop loop;
  BlockPool blocks(loop);
  BodyBuffer body(blocks);
  body.reserve(100'000);
  REQUIRE(body.append("head"));
  const auto room = body.room(50'000);
  REQUIRE(room.size() == 50'000);
  std::fill(room.begin(), room.end(), 'x');
  const char* const before = body.view().data();
  REQUIRE(body.append({room.data(), 20'000}));
  CHECK(body.view() == "head" + std::string(20'000, 'x'));
  CHECK(body.view().data() == before);
  CHECK(body.room(1'000'000).size() < 131'072);  // never beyond its block
}

TEST_CASE("a large block is used again, and freed when it lies unused") {
  net::Loop loop;
  BlockPool blocks(loop);
  auto first = blocks.take(1'000'000);
  REQUIRE(first.data != nullptr);
  CHECK(first.capacity == size_t{1} << 20);
  blocks.give(first);
  CHECK(blocks.kept_bytes() == size_t{1} << 20);
  CHECK(blocks.take(600'000).data == first.data);
  CHECK(blocks.kept_bytes() == 0);
  blocks.give(first);

  // Neither small nor huge ones are kept.
  blocks.give(blocks.take(100));
  blocks.give(blocks.take(size_t{20} << 20));
  CHECK(blocks.kept_bytes() == size_t{1} << 20);
  // Nor more than a bound.
  std::vector<BlockPool::Block> many;
  for (int i = 0; i < 8; ++i) many.push_back(blocks.take(size_t{8} << 20));
  for (const auto& block : many) blocks.give(block);
  CHECK(blocks.kept_bytes() <= size_t{24} << 20);

  while (blocks.kept_bytes() > 0) loop.run_once(net::Loop::Wait::for_events);
}

TEST_CASE("a memory budget refuses what would exceed it and takes nothing then") {
  MemoryBudget budget;
  CHECK(budget.take(60, 100));
  CHECK_FALSE(budget.take(50, 100));
  CHECK(budget.used() == 60);
  budget.give_back(60);
  CHECK(budget.take(100, 100));
}

TEST_CASE("one refresh runs per credential, and all who joined hear of its end") {
  net::Loop loop;
  RefreshTable table;
  int told = 0;
  const auto waiter = [&](const Result<void>& result) { told += result.ok() ? 1 : 0; };
  CHECK(table.join(7, loop, waiter) == RefreshTable::Role::runs);
  CHECK(table.join(7, loop, waiter) == RefreshTable::Role::waits);
  CHECK(table.join(8, loop, waiter) == RefreshTable::Role::runs);
  table.finish(7, ok());
  for (int i = 0; i < 3; ++i) loop.run_once(net::Loop::Wait::no);
  CHECK(told == 2);
  CHECK(table.join(7, loop, waiter) == RefreshTable::Role::runs);
}

}  // namespace gproxy::gateway
