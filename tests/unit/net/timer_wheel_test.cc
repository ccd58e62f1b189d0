#include "net/timer_wheel.h"

#include <doctest/doctest.h>

#include <memory>
#include <random>
#include <vector>

#include "net/loop.h"
#include "support.h"

using namespace gproxy::net;
using gproxy::net::test::run_until;

TEST_CASE("a timer fires once, not before its time") {
  Loop loop;
  int fired = 0;
  int64_t at = 0;
  Timer timer{loop, [&fired] { ++fired; }};
  const int64_t start = loop.now_ms();
  timer.start(20);
  CHECK(timer.active());
  REQUIRE(run_until(loop, [&] {
    at = loop.now_ms();
    return fired == 1;
  }));
  CHECK(at >= start + 20);
  CHECK_FALSE(timer.active());
  loop.run_once(Loop::Wait::no);
  CHECK(fired == 1);
}

TEST_CASE("a repeating timer fires until it is stopped, also from inside its callback") {
  Loop loop;
  struct Owner {
    explicit Owner(Loop& loop) : timer{loop, [this] { tick(); }} {}
    void tick() {
      if (++ticks == 3) timer.stop();
    }
    int ticks = 0;
    Timer timer;
  } owner(loop);
  owner.timer.start(1, 1);
  REQUIRE(run_until(loop, [&] { return owner.ticks == 3; }));
  CHECK_FALSE(owner.timer.active());
}

TEST_CASE("pushing a timer back delays it, pulling it forward hastens it") {
  Loop loop;
  int late = 0, early = 0;
  Timer pushed{loop, [&late] { ++late; }};
  Timer pulled{loop, [&early] { ++early; }};
  pushed.start(5);
  pushed.start(60);
  pulled.start(100'000);
  pulled.start(5);
  REQUIRE(run_until(loop, [&] { return early == 1; }));
  CHECK(late == 0);
  REQUIRE(run_until(loop, [&] { return late == 1; }));
}

TEST_CASE("a callback may destroy its own timer and others that are due") {
  Loop loop;
  std::vector<std::unique_ptr<Timer>> timers;
  int fired = 0;
  struct Shared {
    std::vector<std::unique_ptr<Timer>>& timers;
    int& fired;
  } shared{timers, fired};
  for (int i = 0; i < 50; ++i) {
    timers.push_back(std::make_unique<Timer>(loop, [&shared] {
      ++shared.fired;
      shared.timers.clear();
    }));
    timers.back()->start(3);
  }
  REQUIRE(run_until(loop, [&] { return fired > 0; }));
  loop.run_once(Loop::Wait::no);
  CHECK(fired == 1);
}

namespace {

// Time by hand; remembers when the wheel wants to be called.
struct FakeHost final : TimerWheel::Host {
  int64_t now_ms() const override { return now; }
  void wake_at(int64_t deadline_ms) override { wake = deadline_ms; }
  int64_t now = 1'000'000'007;
  int64_t wake = INT64_MAX;
};

}  // namespace

TEST_CASE("every timer of a random set fires in its own millisecond, if woken as asked") {
  // A real loop gives the timers; its wheel is driven by real time, so the distances stay small.
  Loop loop;
  std::mt19937 random(42);
  struct One {
    One(Loop& l, std::vector<One*>& o) : loop(l), order(o), timer{l, [this] { fire(); }} {}
    void fire() {
      fired_at = loop.now_ms();
      order.push_back(this);
    }
    Loop& loop;
    std::vector<One*>& order;
    int64_t deadline = 0, fired_at = 0;
    Timer timer;
  };
  std::vector<One*> order;
  std::vector<std::unique_ptr<One>> all;
  for (int i = 0; i < 2000; ++i) {
    all.push_back(std::make_unique<One>(loop, order));
    all.back()->timer.start(1 + static_cast<int64_t>(random() % 300));
    all.back()->deadline = all.back()->timer.deadline_ms();
  }
  REQUIRE(run_until(loop, [&] { return order.size() == all.size(); }));
  for (auto& one : all) CHECK(one->fired_at >= one->deadline);
  for (size_t i = 1; i < order.size(); ++i) CHECK(order[i - 1]->deadline <= order[i]->deadline);
}

TEST_CASE("an empty wheel asks for nothing and survives a jump of the clock") {
  FakeHost host;
  TimerWheel wheel(host);
  host.now += int64_t{1} << 40;
  wheel.advance();
  CHECK(host.wake == INT64_MAX);
  CHECK(wheel.size() == 0);
}
