// What is kept of the limits that vendors tell in headers.
#include "config/limit_windows.h"

#include <doctest/doctest.h>

using namespace gproxy;
using namespace gproxy::config;
using modhost::LimitWindow;
using modhost::Scope;

namespace {

constexpr int64_t kDay = 24LL * 3600 * 1000;

struct Told {
  std::string_view name, subject = {};
  int64_t used_ppm = -1, limit = -1, remaining = -1, resets_at_ms = 0;
  Scope scope = Scope::credential;
};

void note(LimitWindows& windows, const Told& told, std::string_view model = "m",
          int64_t at = 1'000) {
  LimitWindow one;
  one.name = told.name;
  one.subject = told.subject;
  one.used_ppm = told.used_ppm;
  one.limit = told.limit;
  one.remaining = told.remaining;
  one.resets_at_ms = told.resets_at_ms;
  one.scope = told.scope;
  windows.note({&one, 1}, model, "@generate", at);
}

}  // namespace

TEST_CASE("a window is known by name and by whose it is; the last word counts") {
  LimitWindows windows;
  note(windows, {.name = "tokens", .remaining = 5, .scope = Scope::model}, "a");
  note(windows, {.name = "tokens", .remaining = 7, .scope = Scope::model}, "b");
  note(windows, {.name = "tokens", .remaining = 4, .scope = Scope::model}, "a", 2'000);
  note(windows, {.name = "tokens", .remaining = 1});
  note(windows, {.name = "tokens", .subject = "opus", .remaining = 2});
  const auto list = windows.list(2'000);
  REQUIRE(list.size() == 4);
  CHECK(list[0].scope == "account");
  CHECK(list[1].scope == "model:a");
  CHECK(list[1].remaining == 4);
  CHECK(list[1].seen_at_ms == 2'000);
  CHECK(list[2].scope == "model:b");
  CHECK(list[3].scope == "opus");
}

TEST_CASE("what is used is worked out where only amounts are told") {
  LimitWindows windows;
  note(windows, {.name = "a", .limit = 200, .remaining = 50});
  note(windows, {.name = "b", .remaining = 50});
  note(windows, {.name = "c", .used_ppm = 420'000, .limit = 10, .remaining = 9});
  const auto list = windows.list(1'000);
  REQUIRE(list.size() == 3);
  CHECK(list[0].used_ppm == 750'000);
  CHECK(list[1].used_ppm == -1);
  CHECK(list[2].used_ppm == 420'000);
}

TEST_CASE("a window past its end is unused, and a day later forgotten") {
  LimitWindows windows;
  note(windows, {.name = "five_hour",
                 .used_ppm = 1'000'000,
                 .limit = 9,
                 .remaining = 0,
                 .resets_at_ms = 5'000});
  CHECK(windows.list(4'999)[0].used_ppm == 1'000'000);
  const auto after = windows.list(5'000);
  REQUIRE(after.size() == 1);
  CHECK(after[0].used_ppm == 0);
  CHECK(after[0].remaining == 9);
  CHECK(after[0].resets_at_ms == 0);
  CHECK(windows.list(5'000 + kDay + 1).empty());
}

TEST_CASE("sixteen windows are kept; a new one takes the place of the one not seen for longest") {
  LimitWindows windows;
  for (int i = 0; i < 40; ++i) {
    const auto name = "w" + std::to_string(100 + i);
    note(windows, {.name = name, .remaining = i}, "m", 1'000 + i);
  }
  const auto list = windows.list(2'000);
  REQUIRE(list.size() == modhost::kMaxLimits);
  CHECK(list.front().name == "w124");
  CHECK(list.back().name == "w139");
  windows.clear();
  CHECK(windows.list(2'000).empty());
}
