#include "gateway/reasoning_cache.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

using gproxy::gateway::ReasoningCache;
using gproxy::gateway::TenantReasoning;

TEST_CASE("reasoning state is found by tenant and call") {
  ReasoningCache cache;
  cache.keep(1, "call_a", "gp1.gm.AA", 0);
  CHECK(cache.find(1, "call_a", 10) == "gp1.gm.AA");
  CHECK(cache.find(2, "call_a", 10).empty());
  CHECK(cache.find(1, "call_b", 10).empty());
  cache.keep(1, "call_a", "gp1.gm.BB", 20);
  CHECK(cache.find(1, "call_a", 30) == "gp1.gm.BB");
  CHECK(cache.entries() == 1);
}

TEST_CASE("reasoning state is forgotten after an hour") {
  ReasoningCache cache;
  cache.keep(1, "a", "s", 0);
  CHECK(cache.find(1, "a", ReasoningCache::kKeepMs) == "s");
  CHECK(cache.find(1, "a", ReasoningCache::kKeepMs + 1).empty());
  cache.keep(1, "b", "s", ReasoningCache::kKeepMs + 1);
  CHECK(cache.entries() == 1);
}

TEST_CASE("reasoning state is bounded in entries and bytes, the oldest goes first") {
  ReasoningCache cache;
  const std::string seal(1000, 's');
  for (int i = 0; i < 30'000; ++i) {
    cache.keep(1, "call_" + std::to_string(i), seal, i);
    REQUIRE(cache.entries() <= ReasoningCache::kMaxEntries);
    REQUIRE(cache.bytes() <= ReasoningCache::kMaxBytes);
  }
  CHECK(cache.find(1, "call_29999", 30'000) == seal);
  CHECK(cache.find(1, "call_0", 30'000).empty());
  cache.keep(1, "large", std::string(ReasoningCache::kMaxEntryBytes, 'x'), 30'000);
  CHECK(cache.find(1, "large", 30'000).empty());
}

TEST_CASE("reasoning state that one loop keeps is found by all") {
  const auto cache = std::make_shared<ReasoningCache>();
  const gproxy::FakeClock clock;
  std::vector<std::thread> loops;
  for (int loop = 0; loop < 4; ++loop) {
    loops.emplace_back([&, loop] {
      TenantReasoning mine(cache, 1, clock);
      for (int i = 0; i < 500; ++i) {
        const auto call = std::to_string(loop) + "_" + std::to_string(i);
        mine.keep(call, "seal_" + call);
        if (mine.find(call) != "seal_" + call) return;  // found missing below
      }
    });
  }
  for (auto& loop : loops) loop.join();
  CHECK(cache->entries() == 2000);
  TenantReasoning other(cache, 1, clock);
  for (int loop = 0; loop < 4; ++loop) {
    const auto call = std::to_string(loop) + "_499";
    CHECK(other.find(call) == "seal_" + call);
  }
  CHECK(TenantReasoning(cache, 2, clock).find("0_499").empty());
}
