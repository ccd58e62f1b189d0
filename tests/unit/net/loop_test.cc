#include "net/loop.h"

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "net/timer.h"
#include "support.h"

using namespace gproxy::net;
using gproxy::net::test::run_until;

TEST_CASE("tasks posted from other threads run on the loop, each thread's in its order") {
  Loop loop;
  constexpr int kThreads = 4, kTasks = 500;
  std::vector<std::vector<int>> seen(kThreads);
  int total = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kTasks; ++i) {
        loop.post([&, t, i] {
          CHECK(loop.is_current());
          seen[t].push_back(i);
          ++total;
        });
      }
    });
  }
  CHECK(run_until(loop, [&] { return total == kThreads * kTasks; }));
  for (auto& thread : threads) thread.join();
  for (auto& list : seen) {
    for (int i = 0; i < kTasks; ++i) CHECK(list[i] == i);
  }
}

TEST_CASE("run() returns after stop() from another thread") {
  Loop loop;
  std::thread other([&] { loop.stop(); });
  loop.run();
  other.join();
}

TEST_CASE("what is deferred runs in the same turn, without waiting for I/O") {
  Loop loop;
  std::string order;
  SUBCASE("from a posted task") {
    loop.post([&] {
      order += 'p';
      loop.defer([&] {
        order += 'd';
        loop.defer([&] { order += 'e'; });
      });
      order += 'q';
    });
  }
  SUBCASE("from a timer") {
    Timer timer{loop, [p = &loop] { (void)p; }};
    struct Fired {
      Loop& loop;
      std::string& order;
    } fired{loop, order};
    Timer real{loop, [&fired] {
                 fired.order += 'p';
                 fired.loop.defer([&fired] {
                   fired.order += 'd';
                   fired.loop.defer([&fired] { fired.order += 'e'; });
                 });
                 fired.order += 'q';
               }};
    real.start(1);
    REQUIRE(run_until(loop, [&] { return !order.empty(); }));
  }
  loop.run_once(Loop::Wait::no);
  loop.run_once(Loop::Wait::no);
  CHECK(order == "pqde");
}

TEST_CASE("a turn ends with the kicks, then the deferred tasks, then the flush hooks") {
  Loop loop;
  std::string order;
  struct Mark {
    std::string& order;
    char letter;
  } kicked{order, 'k'}, flushed{order, 'f'};
  auto add = [](void* mark) {
    auto* m = static_cast<Mark*>(mark);
    m->order += m->letter;
  };
  TurnHook kick(add, &kicked), flush(add, &flushed);
  loop.post([&] {
    loop.at_turn_end(flush);
    loop.at_turn_end(flush);
    loop.defer([&] {
      order += 'd';
      loop.kick(kick);
    });
    loop.kick(kick);
  });
  REQUIRE(run_until(loop, [&] { return !order.empty(); }));
  CHECK(order == "kdkf");
  CHECK_FALSE(flush.scheduled());
}

TEST_CASE("a hook that dies before the end of the turn is not called") {
  Loop loop;
  bool called = false, done = false;
  auto hook =
      std::make_unique<TurnHook>([](void* flag) { *static_cast<bool*>(flag) = true; }, &called);
  loop.post([&] {
    loop.at_turn_end(*hook);
    loop.defer([&] {
      hook.reset();
      done = true;
    });
  });
  REQUIRE(run_until(loop, [&] { return done; }));
  CHECK_FALSE(called);
}

TEST_CASE("tasks that defer themselves for ever do not lock out I/O") {
  Loop loop;
  bool stop = false;
  int rounds = 0;
  struct Again {
    Loop& loop;
    bool& stop;
    int& rounds;
    void operator()() {
      ++rounds;
      if (!stop) loop.defer(Again{loop, stop, rounds});
    }
  };
  loop.defer(Again{loop, stop, rounds});
  loop.post([&] { stop = true; });
  CHECK(run_until(loop, [&] { return stop; }));
  CHECK(rounds > 0);
}

TEST_CASE("defer_delete keeps the object until its callbacks have returned") {
  Loop loop;
  struct Probe {
    explicit Probe(bool& d) : dead(d) {}
    ~Probe() { dead = true; }
    bool& dead;
  };
  bool dead = false, alive_after = false;
  loop.post([&] {
    auto probe = std::make_unique<Probe>(dead);
    loop.defer_delete(std::move(probe));
    alive_after = !dead;
  });
  CHECK(run_until(loop, [&] { return dead; }));
  CHECK(alive_after);
}

TEST_CASE("the watchdog sees a turn that takes long") {
  Loop loop(LoopConfig{.slow_turn_ms = 0});
  loop.post([&] {
    const int64_t end = Loop::now_us() + 30'000;
    while (Loop::now_us() < end) {
    }
  });
  REQUIRE(run_until(loop, [&] { return loop.stats().posted == 1; }));
  loop.run_once(Loop::Wait::no);
  CHECK(loop.stats().longest_turn_ms >= 28);
  loop.reset_longest_turn();
  CHECK(loop.stats().longest_turn_ms == 0);
}

TEST_CASE("tasks posted to a loop that ends are run, not lost") {
  bool ran = false;
  {
    Loop loop;
    loop.post([&] { ran = true; });
  }
  CHECK(ran);
}
