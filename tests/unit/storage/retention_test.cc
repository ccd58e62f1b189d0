// What housekeeping deletes, and what it leaves.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "storage/log_size.h"
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

namespace {

// What fill() makes of a moment: a request, an attempt and a body.
int64_t bytes_of_a_moment(Dialect dialect) {
  const std::string headers(400, 'h');
  RequestRow r;
  r.method = "POST";
  r.path = "/v1/messages";
  r.request_headers_json = headers;
  UpstreamRequestRow u;
  u.provider = "alpha";
  u.method = "POST";
  u.path = "/v1/messages";
  BodyRow b;
  b.trace_id = "t";
  b.body = "body";
  return log_bytes_of(r, dialect) + log_bytes_of(u, dialect) + log_bytes_of(b, dialect);
}

}  // namespace

TEST_CASE("beyond their size the oldest logs go, the newest stay, and nothing else counts") {
  StillClock clock;
  StoreOptions options = fresh_options();
  options.clock = &clock;
  const Folder folder;
  const bool server = postgres_url() != nullptr;
  if (!server) options.dsn = folder.dsn();
  auto store = open_store(options);
  REQUIRE(store);
  const int64_t moment = bytes_of_a_moment(server ? Dialect::postgres : Dialect::sqlite);
  fill(**store, clock.at_us - 20'000'000, 1'000, 10'000);
  // As much again of what are no logs.
  std::vector<UsageRow> usage;
  for (int64_t i = 0; i < 10'000; ++i) usage.push_back(a_usage_row(1'000'000 + i));
  REQUIRE((*store)->append_batch({.usage = usage}));
  settle(**store, {});
  Retention keep;
  auto left = [&] { return rows_in(**store, Table::requests); };
  auto all_left = [&](int64_t moments) {
    CHECK(rows_in(**store, Table::requests) == moments);
    CHECK(rows_in(**store, Table::upstream_requests) == moments);
    CHECK(rows_in(**store, Table::bodies) == moments);
    CHECK(rows_in(**store, Table::usage) == 20'000);
  };

  // Exactly what they take: counted row by row in the database, and nothing goes.
  keep.logs_bytes = 10'000 * moment;
  settle(**store, keep);
  all_left(10'000);
  keep.logs_bytes -= 1;
  settle(**store, keep);
  CHECK(left() < 10'000);
  CHECK(left() >= 9'950);  // near the bound a step is small

  // What comes is added, once; what is undone is not.
  const int64_t before = left();
  keep.logs_bytes = (before + 3) * moment;
  RequestRow r;
  UpstreamRequestRow u;
  BodyRow b;
  const std::string headers(400, 'h');
  std::vector<RequestRow> requests;
  std::vector<UpstreamRequestRow> upstream;
  std::vector<BodyRow> bodies;
  for (int64_t i = 0; i < 3; ++i) {
    r.id = 2'000'000 + 3 * i;
    u.id = r.id + 1;
    b.id = r.id + 2;
    r.at = u.at = b.at = clock.at_us;
    r.method = u.method = "POST";
    r.path = u.path = "/v1/messages";
    r.request_headers_json = headers;
    u.provider = "alpha";
    b.trace_id = "t";
    b.body = "body";
    requests.push_back(r);
    upstream.push_back(u);
    bodies.push_back(b);
  }
  const Batch three = {.requests = requests, .upstream = upstream, .bodies = bodies};
  CHECK_FALSE((*store)->transaction([&]() -> Result<void> {
    GP_CHECK((*store)->append_batch(three));
    return Error{ErrorKind::server, "undone", "as asked"};
  }));
  REQUIRE((*store)->append_batch(three));
  REQUIRE((*store)->append_batch(three));
  settle(**store, keep);
  all_left(before + 3);

  // A new start knows the size.
  store->reset();
  store = open_store(options);
  REQUIRE(store);
  settle(**store, keep);
  all_left(before + 3);

  // What goes because of its age is no longer counted either: at half the rows and the bound of
  // that, nothing more goes.
  Retention age;
  age.logs_us = age.bodies_us = clock.at_us - (clock.at_us - 20'000'000 + 5'000 * 1'000);
  settle(**store, age);
  const int64_t half = left();
  CHECK(half == 5'003);
  keep.logs_bytes = half * moment;
  settle(**store, keep);
  all_left(half);

  keep.logs_bytes = 1'000 * moment;
  settle(**store, keep);
  CHECK(left() <= 1'000);
  CHECK(left() > 900);
  all_left(left());
  auto reader = (*store)->open_reader();
  REQUIRE(reader);
  LogQuery newest;
  newest.upstream = false;
  newest.limit = 1;
  auto page = (*reader)->list_logs(newest);
  REQUIRE(page);
  REQUIRE(page->rows.size() == 1);
  CHECK(page->rows[0].id == 2'000'006);

  keep.logs_bytes = 1;
  settle(**store, keep);
  all_left(0);
}

TEST_CASE("logs are counted while they come and go") {
  StillClock clock;
  StoreOptions options = fresh_options();
  options.clock = &clock;
  auto store = open_store(options);
  REQUIRE(store);
  const bool server = postgres_url() != nullptr;
  const int64_t moment = bytes_of_a_moment(server ? Dialect::postgres : Dialect::sqlite);
  fill(**store, clock.at_us - 20'000'000, 1'000, 6'000);
  Retention keep;
  keep.logs_us = keep.bodies_us = 19'000'000;  // a thousand are older
  keep.logs_bytes = 5'050 * moment;
  // Between its steps rows are added, of ids that were passed and of others.
  int64_t late = 0;
  for (bool more = true; more;) {
    auto done = (*store)->maintain(keep);
    REQUIRE(done);
    more = *done;
    if (late == 25) continue;
    std::vector<RequestRow> rows(2);
    const std::string headers(400, 'h');
    for (auto& r : rows) {
      r.at = clock.at_us;
      r.method = "POST";
      r.path = "/v1/messages";
      r.request_headers_json = headers;
    }
    rows[0].id = 4 * late + 4 + 1'000'000;
    rows[1].id = 4 * late + 3;  // of this table nobody has it
    ++late;
    if (rows_in(**store, Table::requests) == 0) break;
    REQUIRE((*store)->append_batch({.requests = rows}));
  }
  settle(**store, keep);
  // All fit; with a row less of room, the oldest go.
  const int64_t requests = rows_in(**store, Table::requests);
  CHECK(requests >= 5'000 + 2);
  CHECK(rows_in(**store, Table::bodies) == 5'000);
  const int64_t one = [&] {
    RequestRow r;
    r.method = "POST";
    r.path = "/v1/messages";
    const std::string headers(400, 'h');
    r.request_headers_json = headers;
    return log_bytes_of(r, server ? Dialect::postgres : Dialect::sqlite);
  }();
  keep.logs_bytes = 5'000 * moment + (requests - 5'000) * one;
  settle(**store, keep);
  CHECK(rows_in(**store, Table::requests) == requests);
  keep.logs_bytes -= 1;
  settle(**store, keep);
  CHECK(rows_in(**store, Table::requests) < requests);
}
