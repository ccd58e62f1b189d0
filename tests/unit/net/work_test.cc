#include "net/work.h"

#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>

#include "support.h"

using namespace gproxy::net;
using gproxy::net::test::run_until;

TEST_CASE("work runs on another thread and answers on the loop") {
  Loop loop;
  const auto here = std::this_thread::get_id();
  std::thread::id there;
  std::string answer;
  auto work = run_in_pool(
      loop,
      [&there] {
        there = std::this_thread::get_id();
        return std::string("done");
      },
      [&](std::string text) {
        CHECK(loop.is_current());
        answer = std::move(text);
      });
  CHECK(work.pending());
  REQUIRE(run_until(loop, [&] { return !answer.empty(); }));
  CHECK(answer == "done");
  CHECK(there != here);
  CHECK_FALSE(work.pending());
}

TEST_CASE("the result of cancelled work is dropped") {
  Loop loop;
  std::atomic<bool> started = false, go = false;
  bool answered = false;
  auto work = run_in_pool(
      loop,
      [&] {
        started = true;
        while (!go) std::this_thread::yield();
      },
      [&] { answered = true; });
  while (!started) std::this_thread::yield();
  work.cancel();
  go = true;
  bool other = false;
  auto next = run_in_pool(
      loop, [] {}, [&] { other = true; });
  REQUIRE(run_until(loop, [&] { return other; }));
  CHECK_FALSE(answered);
}

TEST_CASE("a handle may be moved while its work runs") {
  Loop loop;
  int answer = 0;
  PendingWork kept;
  {
    auto work = run_in_pool(
        loop, [] { return 3; }, [&](int value) { answer = value; });
    kept = std::move(work);
  }
  REQUIRE(run_until(loop, [&] { return answer == 3; }));
}

TEST_CASE("a loop that ends waits for the work it began") {
  auto token = std::make_shared<int>(0);
  {
    Loop loop;
    auto work = run_in_pool(
        loop, [token] { *token = 1; }, [token] {});
  }
  CHECK(token.use_count() == 1);
}
