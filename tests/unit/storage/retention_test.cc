// What housekeeping deletes, and what it leaves.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "storage/rollup.h"
#include "support.h"

using namespace gproxy;
using namespace gproxy::storage;
using namespace gproxy::storage::test;

namespace {

class StillClock final : public Clock {
 public:
  int64_t now_ms() const override { return at_us / 1000; }
  int64_t now_us() const override { return at_us; }
  int64_t wall_us() const override { return at_us; }
  int64_t at_us = kDayUs * 20'000;
};

// A row of each table at each moment, oldest first.
void fill(Store& store, int64_t begin, int64_t step, int64_t count) {
  const std::string headers(400, 'h');
  for (int64_t done = 0; done < count;) {
    std::vector<UsageRow> usage;
    std::vector<RequestRow> requests;
    std::vector<UpstreamRequestRow> upstream;
    std::vector<BodyRow> bodies;
    for (; done < count && usage.size() < 1'000; ++done) {
      const int64_t at = begin + done * step, id = done * 4 + 1;
      usage.push_back(a_usage_row(id));
      usage.back().at = at;
      RequestRow& r = requests.emplace_back();
      r.id = id + 1;
      r.at = at;
      r.method = "POST";
      r.path = "/v1/messages";
      r.request_headers_json = headers;
      UpstreamRequestRow& u = upstream.emplace_back();
      u.id = id + 2;
      u.at = at;
      u.provider = "alpha";
      u.method = "POST";
      u.path = "/v1/messages";
      BodyRow& b = bodies.emplace_back();
      b.id = id + 3;
      b.at = at;
      b.trace_id = "t";
      b.body = "body";
      b.total_bytes = 4;
    }
    REQUIRE(store.append_batch(
        {.usage = usage, .requests = requests, .upstream = upstream, .bodies = bodies}));
  }
}

// Steps until nothing is due; how many there were.
int settle(Store& store, const Retention& keep) {
  for (int steps = 1;; ++steps) {
    auto more = store.maintain(keep);
    REQUIRE(more);
    if (!*more) return steps;
    REQUIRE(steps < 100'000);
  }
}

}  // namespace

TEST_CASE("each table keeps its rows for its own time, and what is at the border stays") {
  StillClock clock;
  StoreOptions options = fresh_options();
  options.clock = &clock;
  auto store = open_store(options);
  REQUIRE(store);
  // Ten hours, a row a minute, the last one now.
  fill(**store, clock.at_us - int64_t{599} * 60'000'000, 60'000'000, 600);
  Retention keep;
  keep.usage_us = 8 * kHourUs;
  keep.logs_us = 4 * kHourUs;
  keep.bodies_us = kHourUs;
  settle(**store, keep);
  CHECK(rows_in(**store, Table::usage) == 481);
  CHECK(rows_in(**store, Table::requests) == 241);
  CHECK(rows_in(**store, Table::upstream_requests) == 241);
  CHECK(rows_in(**store, Table::bodies) == 61);
  auto reader = (*store)->open_reader();
  REQUIRE(reader);
  CHECK(totals_of(**reader, {}).attempts == 600);  // their sums stay
  settle(**store, {});                             // nothing is asked for: nothing goes
  CHECK(rows_in(**store, Table::usage) == 481);
}

TEST_CASE("a deletion goes in small steps, so that no batch waits for a big one") {
  StillClock clock;
  StoreOptions options = fresh_options();
  options.clock = &clock;
  auto store = open_store(options);
  REQUIRE(store);
  fill(**store, clock.at_us - kDayUs, 1'000, 3'000);
  settle(**store, {});
  Retention keep;
  keep.logs_us = kHourUs;
  int64_t before = rows_in(**store, Table::requests);
  int steps = 0;
  for (bool more = true; more; ++steps) {
    auto done = (*store)->maintain(keep);
    REQUIRE(done);
    more = *done;
    const int64_t left = rows_in(**store, Table::requests);
    CHECK(before - left <= 500);
    before = left;
  }
  CHECK(steps >= 6);
  CHECK(before == 0);
  CHECK(rows_in(**store, Table::usage) == 3'000);
}

TEST_CASE("beyond its size the oldest logs go, the newest stay, usage is not touched") {
  if (postgres_url() != nullptr) return;  // its estimate of rows follows when the server likes
  StillClock clock;
  const Folder folder;
  StoreOptions options;
  options.dsn = folder.dsn();
  options.clock = &clock;
  auto store = open_store(options);
  REQUIRE(store);
  fill(**store, clock.at_us - 20'000'000, 1'000, 20'000);
  settle(**store, {});
  const auto size = static_cast<int64_t>(std::filesystem::file_size(folder.file("gproxy.db")));
  REQUIRE(size > 10'000'000);
  Retention keep;
  keep.logs_bytes = size - 5'000'000;
  // Looked at every five minutes; what is deleted is an estimate, so it takes some rounds.
  for (int round = 0; round < 20; ++round) {
    clock.at_us += 301'000'000;
    settle(**store, keep);
  }
  const int64_t left = rows_in(**store, Table::requests);
  CHECK(left < 19'000);
  CHECK(left > 1'000);
  CHECK(rows_in(**store, Table::usage) == 20'000);
  auto reader = (*store)->open_reader();
  REQUIRE(reader);
  LogQuery newest;
  newest.upstream = false;
  newest.limit = 1;
  auto page = (*reader)->list_logs(newest);
  REQUIRE(page);
  REQUIRE(page->rows.size() == 1);
  CHECK(page->rows[0].id == 19'999 * 4 + 2);
  // Small enough now: nothing more goes.
  clock.at_us += 301'000'000;
  settle(**store, keep);
  CHECK(rows_in(**store, Table::requests) == left);
}
