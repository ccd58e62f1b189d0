#include "config/rate_slot.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

using namespace gproxy::config;

TEST_CASE("a minute's worth may be taken at once, then it refills steadily") {
  MinuteMeter meter;
  const int64_t t = 1'000'000;
  for (int i = 0; i < 60; ++i) CHECK(meter.take(1, 60, t) == 0);
  CHECK(meter.remaining(60, t) == 0);
  CHECK(meter.take(1, 60, t) == 1'000'000);
  CHECK(meter.reset_us(t) == 60'000'000);
  CHECK(meter.take(1, 60, t + 999'999) == 1);
  CHECK(meter.take(1, 60, t + 1'000'000) == 0);
  CHECK(meter.remaining(60, t + 31'000'000) == 30);
  CHECK(meter.reset_us(t + 120'000'000) == 0);
  CHECK(meter.remaining(60, t + 120'000'000) == 60);
}

TEST_CASE("what was expected is settled with what was used") {
  MinuteMeter meter;
  REQUIRE(meter.take(100, 1000, 0) == 0);
  CHECK(meter.remaining(1000, 0) == 900);
  meter.adjust(-40, 1000, 0);
  CHECK(meter.remaining(1000, 0) == 940);
  // Debt is paid before anything is granted again.
  meter.adjust(2940, 1000, 0);
  CHECK(meter.remaining(1000, 0) == 0);
  CHECK(meter.take(1, 1000, 0) == 120'060'000);
  CHECK(meter.take(1, 1000, 120'060'000) == 0);
}

TEST_CASE("giving back never makes more than a full minute") {
  MinuteMeter meter;
  meter.adjust(-500, 10, 0);
  CHECK(meter.remaining(10, 0) == 10);
  for (int i = 0; i < 10; ++i) CHECK(meter.take(1, 10, 0) == 0);
  CHECK(meter.take(1, 10, 0) > 0);
}

TEST_CASE("a request larger than the limit waits for a full minute and is then let in") {
  MinuteMeter meter;
  CHECK(meter.take(5'000'000'000, 100, 0) == 0);
  CHECK(meter.take(1, 100, 0) == 600'000);
  CHECK(meter.take(5'000'000'000, 100, 30'000'000) == 30'000'000);
  CHECK(meter.take(5'000'000'000, 100, 60'000'000) == 0);
}

TEST_CASE("threads together are granted exactly the limit") {
  RateSlot slot;
  std::atomic<int> granted{0}, entered{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        if (slot.requests.take(1, 500, 0) == 0) granted.fetch_add(1);
        if (slot.enter(7)) entered.fetch_add(1);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(granted.load() == 500);
  CHECK(entered.load() == 7);
  CHECK(slot.running() == 7);
}

TEST_CASE("what was used outlives the snapshots, as long as one lists the key") {
  RateTable table;
  auto slot = table.key(5);
  CHECK(table.key(5) == slot);
  CHECK(table.key(6) != slot);
  CHECK(table.user(5) != slot);
  slot->requests.take(1, 1, 0);
  std::weak_ptr<RateSlot> gone = slot;
  slot.reset();
  CHECK(gone.expired());
  CHECK(table.key(5)->requests.take(1, 1, 0) == 0);
}
