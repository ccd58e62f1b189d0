// The credential pool: what each strategy gives, what rests, what is full, who waits.
#include "config/credential_pool.h"

#include <doctest/doctest.h>

#include <atomic>
#include <map>
#include <thread>

using namespace gproxy;
using namespace gproxy::config;

namespace {

struct House {
  FakeClock clock;
  std::shared_ptr<HealthSignal> signal = std::make_shared<HealthSignal>();
  std::vector<CredentialPool::Member> members;
  std::shared_ptr<CredentialPool> pool;

  House(size_t n, PoolSettings settings, uint32_t limit = 0, std::vector<uint32_t> weights = {}) {
    for (size_t i = 0; i < n; ++i) {
      auto slot =
          std::make_shared<CredentialSlot>(static_cast<int64_t>(i) + 1, Secret("x"), 1, signal);
      members.push_back({slot, i, weights.empty() ? 1 : weights[i], limit});
    }
    pool = std::make_shared<CredentialPool>(settings, members, clock);
  }
  CredentialSlot& slot(size_t i) { return *members[i].slot; }
  int64_t now() const { return clock.now_ms(); }
  int64_t pick(CredentialPool::Ask ask = {}) {
    auto lease = pool->pick(ask);
    return lease ? lease.slot().id() : 0;
  }
};

using Skip = CredentialPool::Skip;

struct Ticket final : CredentialPool::Waiter {
  std::vector<int64_t>* order = nullptr;
  int64_t number = 0;
  Lease lease;
  void granted(Lease given) override {
    lease = std::move(given);
    if (order != nullptr) order->push_back(number);
  }
};

}  // namespace

TEST_CASE("round robin is fair within five per cent, whatever rests meanwhile") {
  for (const size_t n : {3u, 64u, 65u, 1000u}) {
    House house(n, {});
    for (size_t i = 0; i < n; i += 3) house.slot(i).cool_down(house.now() + 1000, "rate_limit");
    std::map<int64_t, int> used;
    const int picks = 10'000;
    for (int i = 0; i < picks; ++i) ++used[house.pick()];
    const auto resting = (n + 2) / 3;
    const double fair = double(picks) / double(n - resting);
    CHECK(used.size() == n - resting);
    for (const auto& [id, count] : used) {
      CHECK((id - 1) % 3 != 0);
      CHECK(std::abs(count - fair) <= std::max(1.0, fair * 0.05));
    }
    house.clock.advance_ms(1000);  // all are back; nobody had to tell the pool
    used.clear();
    for (size_t i = 0; i < n; ++i) ++used[house.pick()];
    CHECK(used.size() == n);
  }
}

TEST_CASE("least in flight takes the one with the fewest running requests, over all loops") {
  House house(3, {.strategy = Strategy::least_in_flight});
  std::vector<Lease> held;
  for (int i = 0; i < 9; ++i)
    held.push_back(house.pool->pick({.loop = static_cast<uint32_t>(i % 2)}));
  for (size_t i = 0; i < 3; ++i) CHECK(house.pool->in_flight(i) == 3);
  const auto freed = held[4].position();
  held[4].release();
  held.push_back(house.pool->pick({.loop = 1}));
  CHECK(held.back().position() == freed);
  held.clear();
  CHECK(house.pool->in_flight() == 0);
}

TEST_CASE("least in flight with equal service times is fair within five per cent") {
  House house(16, {.strategy = Strategy::least_in_flight});
  std::map<size_t, int> used;
  std::vector<Lease> running(40);
  for (int i = 0; i < 10'000; ++i) {
    auto& place = running[static_cast<size_t>(i) % running.size()];
    place.release();
    place = house.pool->pick({});
    ++used[place.position()];
  }
  for (const auto& [at, count] : used) CHECK(std::abs(count - 625.0) <= 625 * 0.05);
}

TEST_CASE("weights are kept exactly, and among those that are left while others rest") {
  House house(4, {.strategy = Strategy::weighted}, 0, {1, 2, 5, 2});
  std::map<int64_t, int> used;
  for (int i = 0; i < 10'000; ++i) ++used[house.pick()];
  CHECK(used[1] == doctest::Approx(1000).epsilon(0.01));
  CHECK(used[2] == doctest::Approx(2000).epsilon(0.01));
  CHECK(used[3] == doctest::Approx(5000).epsilon(0.01));
  CHECK(used[4] == doctest::Approx(2000).epsilon(0.01));
  house.slot(2).cool_down(house.now() + 5'000, "rate_limit");
  used.clear();
  for (int i = 0; i < 1'000; ++i) ++used[house.pick()];
  CHECK(used[3] == 0);
  CHECK(used[1] == doctest::Approx(200).epsilon(0.02));
  house.slot(1).mark_dead("auth_invalid");
  house.slot(3).mark_dead("auth_invalid");
  for (int i = 0; i < 10; ++i) CHECK(house.pick() == 1);
}

TEST_CASE("a conversation stays with its credential and moves only for good") {
  House house(8, {.strategy = Strategy::sticky, .sticky_move_ms = 60'000}, 2);
  const auto home = house.pick({.conversation = 77});
  for (int i = 0; i < 20; ++i)
    CHECK(house.pick({.conversation = 77, .loop = static_cast<uint32_t>(i % 3)}) == home);
  auto& slot = house.slot(static_cast<size_t>(home) - 1);

  SUBCASE("a short rest: elsewhere for now, then home again") {
    slot.cool_down(house.now() + 5'000, "rate_limit", "m");
    CHECK(house.pick({.model = "m", .conversation = 77}) != home);
    CHECK(house.pick({.model = "other", .conversation = 77}) == home);
    house.clock.advance_ms(5'000);
    CHECK(house.pick({.model = "m", .conversation = 77}) == home);
  }
  SUBCASE("full: elsewhere for now") {
    auto one = house.pool->pick({.conversation = 77}), two = house.pool->pick({.conversation = 77});
    CHECK(house.pick({.conversation = 77}) != home);
    one.release();
    CHECK(house.pick({.conversation = 77}) == home);
  }
  SUBCASE("a request that failed there goes elsewhere without moving the conversation") {
    const std::vector<int64_t> tried{home};
    CHECK(house.pick({.tried = tried, .conversation = 77}) != home);
    CHECK(house.pick({.conversation = 77}) == home);
  }
  SUBCASE("a long rest moves it, and it does not come back") {
    slot.cool_down(house.now() + 600'000, "rate_limit");
    const auto next = house.pick({.conversation = 77});
    CHECK(next != home);
    house.clock.advance_ms(600'000);
    CHECK(house.pick({.conversation = 77}) == next);
  }
  SUBCASE("what is learnt outlives a change of the credentials") {
    auto members = house.members;
    members.erase(members.begin() + (home == 1 ? 1 : 0));
    CredentialPool changed(house.pool->settings(), members, house.clock, house.pool.get());
    auto lease = changed.pick({.conversation = 77});
    CHECK(lease.slot().id() == home);
  }
}

TEST_CASE("a rest holds for its scope alone") {
  House house(2, {});
  house.slot(0).cool_down(house.now() + 1'000, "rate_limit", "big");
  house.slot(1).cool_down(house.now() + 2'000, "rate_limit", "big");
  house.slot(0).cool_down(house.now() + 1'000, "rate_limit", "@count_tokens");
  CHECK(house.pick({.model = "big", .operation = "@generate"}) == 0);
  CHECK(house.pool->wait_ms("big", "@generate") == 1'000);
  std::array<Skip, 4> skips;
  REQUIRE(house.pool->skipped({.model = "big", .operation = "@generate"}, skips) == 2);
  CHECK(skips[0].why == Skip::Why::rests);
  CHECK(skips[0].rest.reason() == "rate_limit");
  CHECK(skips[0].rest.scope == RestNote::Scope::model);
  CHECK(skips[0].rest.until_ms == house.now() + 1'000);
  CHECK(house.pool->skipped({.model = "small", .operation = "@generate"}, skips) == 0);
  for (int i = 0; i < 4; ++i)
    CHECK(house.pick({.model = "small", .operation = "@count_tokens"}) == 2);
  CHECK(house.pick({.model = "small", .operation = "@generate"}) != 0);
  house.clock.advance_ms(1'000);
  CHECK(house.pick({.model = "big", .operation = "@generate"}) == 1);
  CHECK(house.pick({.model = "big", .operation = "@generate"}) == 1);
}

TEST_CASE("what a pick passes over is told with its reason, as far as there is room") {
  House house(130, {});
  std::array<Skip, 8> skips;
  CHECK(house.pool->skipped({}, skips) == 0);
  for (size_t i = 0; i < 130; i += 2) house.slot(i).cool_down(house.now() + 1'000, "upstream_5xx");
  house.slot(2).mark_dead("a reason that is longer than a note has room for");
  for (int i = 0; i < 130; ++i) house.pick();
  CHECK(house.pool->skipped({}, skips) == 65);
  CHECK(skips[0].index == 0);
  CHECK(skips[0].rest.reason() == "upstream_5xx");
  CHECK(skips[1].index == 2);
  CHECK(skips[1].why == Skip::Why::dead);
  CHECK(skips[1].rest.until_ms == INT64_MAX);
  CHECK(skips[1].rest.reason() == "a reason that is longer than a");
  CHECK(skips[7].index == 14);
  // What the request has used up itself is no news; a rest that is over is none, either.
  const std::array<int64_t, 1> tried = {1};
  CHECK(house.pool->skipped({.tried = tried}, skips) == 64);
  CHECK(skips[0].index == 2);
  house.clock.advance_ms(1'000);
  std::vector<Skip> all(200);
  CHECK(house.pool->skipped({}, all) == 1);
}

TEST_CASE("more models than the pool keeps bitmaps for still rest each for themselves") {
  House house(3, {});
  for (int m = 0; m < 100; ++m) {
    const auto model = "m" + std::to_string(m);
    house.slot(static_cast<size_t>(m % 3)).cool_down(house.now() + 1'000, "rate_limit", model);
    for (int i = 0; i < 4; ++i) CHECK(house.pick({.model = model}) != m % 3 + 1);
  }
  for (int m = 0; m < 100; ++m) {
    const auto model = "m" + std::to_string(m);
    for (int i = 0; i < 4; ++i) {
      const auto got = house.pick({.model = model});
      CHECK(got != 0);
      CHECK(got != m % 3 + 1);
    }
  }
}

TEST_CASE("health that is given back counts at once; a rest from before the start counts, too") {
  House house(2, {});
  house.slot(0).mark_dead("auth_invalid");
  house.slot(1).restore({"", "rate_limit", house.now() + 500});
  CHECK(house.pick() == 0);
  CHECK(house.pool->away() == 2);
  CHECK(house.pool->wait_ms("", "") == 500);
  house.slot(0).reset_health();
  CHECK(house.pick() == 1);
  house.clock.advance_ms(500);
  CHECK(house.pick() + house.pick() == 3);
}

TEST_CASE("a limit is never exceeded, and the end of a request frees its place") {
  House house(2, {}, 2);
  std::vector<Lease> held;
  for (int i = 0; i < 4; ++i) {
    held.push_back(house.pool->pick({}));
    CHECK(held.back());
  }
  CHECK(house.pick() == 0);
  std::array<Skip, 1> skips;
  CHECK(house.pool->skipped({}, skips) == 2);
  CHECK(skips[0].why == Skip::Why::full);
  const auto position = held[2].position();
  held[2].release();
  CHECK(house.pick() == static_cast<int64_t>(position) + 1);
}

TEST_CASE("those who wait are served in their order, and newcomers behind them") {
  House house(1, {.queue_max = 3}, 1);
  std::vector<int64_t> order;
  auto running = house.pool->pick({});
  std::vector<std::shared_ptr<Ticket>> tickets;
  for (int i = 0; i < 4; ++i) {
    auto ticket = std::make_shared<Ticket>();
    ticket->order = &order;
    ticket->number = i;
    CHECK(house.pool->enqueue(ticket, {}) == (i < 3));
    tickets.push_back(ticket);
  }
  CHECK(house.pool->leave(*tickets[1]));
  CHECK_FALSE(house.pool->leave(*tickets[1]));
  running.release();
  CHECK(order == std::vector<int64_t>{0});
  CHECK(house.pick() == 0);  // a newcomer does not overtake
  tickets[0]->lease.release();
  CHECK(order == std::vector<int64_t>{0, 2});
  tickets[2]->lease.release();
  CHECK(house.pool->waiting() == 0);
  CHECK(house.pick() == 1);
}

TEST_CASE("a waiter is not held up by one who wants what still rests") {
  House house(1, {.queue_max = 8});
  house.slot(0).cool_down(house.now() + 1'000, "rate_limit", "big");
  house.slot(0).cool_down(house.now() + 500, "timeout");
  auto big = std::make_shared<Ticket>(), small = std::make_shared<Ticket>();
  CHECK(house.pool->enqueue(big, {.model = "big"}));
  CHECK(house.pool->enqueue(small, {.model = "small"}));
  house.clock.advance_ms(500);
  house.pool->serve();
  CHECK(small->lease);
  CHECK_FALSE(big->lease);
  house.clock.advance_ms(500);
  house.pool->serve();
  CHECK(big->lease);
}

TEST_CASE("loops share a pool: limits hold and nobody is lost") {
  House house(70, {.strategy = Strategy::least_in_flight}, 1);
  std::array<std::atomic<int>, 70> used{};
  std::atomic<int> broken{0}, done{0};
  std::vector<std::thread> threads;
  for (uint32_t loop = 0; loop < 4; ++loop) {
    threads.emplace_back([&, loop] {
      for (int i = 0; i < 3'000; ++i) {
        auto lease = house.pool->pick(
            {.model = i % 3 == 0 ? "m" : "n", .operation = "@generate", .loop = loop});
        if (!lease) continue;
        ++done;
        auto& count = used[lease.position()];
        if (count.fetch_add(1) != 0) ++broken;
        if (i % 97 == 0) lease.slot().cool_down(house.now() + 1, "timeout", i % 2 == 0 ? "" : "m");
        if (i % 89 == 0) lease.slot().reset_health();
        count.fetch_sub(1);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(broken == 0);
  CHECK(done > 1'000);
  CHECK(house.pool->in_flight() == 0);
  house.clock.advance_ms(1'000);
  std::vector<Lease> all;
  for (int i = 0; i < 70; ++i) {
    all.push_back(house.pool->pick({.model = "m"}));
    CHECK(all.back());
  }
  CHECK_FALSE(house.pool->pick({}));
}
