// How SQLite would answer the lists: through an index, in its order, without sorting a whole range.
// A change of a query or an index that loses this takes seconds on large books and nothing on small
// ones, so the plans are asked for, not the clock.
#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "storage/sql_lists.h"
#include "storage/sqlite_db.h"
#include "support.h"

using namespace gproxy;
using namespace gproxy::storage;
using namespace gproxy::storage::test;

namespace {

class Plans {
 public:
  Plans() {
    REQUIRE(open(folder_));
    auto db = SqliteDb::open(folder_.file("gproxy.db"), SqliteDb::Access::read_write, 1'000);
    REQUIRE(db);
    db_ = std::move(*db);
  }
  std::string of(const ListSql& list) { return of(list.text, list.where); }
  std::string of(const std::string& sql, const Where& where = {}) {
    Query query(*db_, "EXPLAIN QUERY PLAN " + sql);
    where.bind(query);
    std::string out;
    for (;;) {
      auto more = query.step();
      REQUIRE(more);
      if (!*more) return out;
      out += query.string(3) + "\n";
    }
  }

 private:
  const Folder folder_;
  std::unique_ptr<SqliteDb> db_;
};

// An index walked in the list's own order, from the newest row back.
void check_walk(const std::string& plan, const std::string& index) {
  CAPTURE(plan);
  CHECK(plan.find("USING INDEX " + index + " (at>? AND at<?)") != std::string::npos);
  CHECK(plan.find("TEMP B-TREE") == std::string::npos);
}

void check_found(const std::string& plan, const std::string& index) {
  CAPTURE(plan);
  CHECK(plan.find("USING INDEX " + index + " (trace_id=?)") != std::string::npos);
}

}  // namespace

TEST_CASE("each filter of the usage list walks the list's index") {
  Plans plans;
  const std::vector<std::function<void(UsageListQuery&)>> edits = {
      [](auto&) {},
      [](auto& q) {
        q.before = Cursor{1, 1};
      },
      [](auto& q) { q.filter.provider = "p"; },
      [](auto& q) { q.filter.model = "m"; },
      [](auto& q) { q.filter.model_contains = "m"; },
      [](auto& q) { q.filter.credential_id = 1; },
      [](auto& q) { q.filter.user_id = 1; },
      [](auto& q) { q.filter.user_key_id = 1; },
      [](auto& q) { q.status_min = 400; },
      [](auto& q) { q.status_max = 400; },
      [](auto& q) { q.outcome = Outcome::failed; },
      [](auto& q) {
        q.filter.provider = "p";
        q.filter.user_id = 1;
        q.status_min = 500;
        q.before = Cursor{1, 1};
      },
  };
  for (const auto& edit : edits) {
    UsageListQuery q;
    q.filter.from = 1'000;
    q.filter.to = 2'000;
    edit(q);
    check_walk(plans.of(usage_list(q, Dialect::sqlite)), "idx_upstream_usages_list");
  }
}

TEST_CASE("each filter of the logs walks its table's index") {
  Plans plans;
  const std::vector<std::function<void(LogQuery&)>> edits = {
      [](auto&) {},
      [](auto& q) {
        q.before = Cursor{1, 1};
      },
      [](auto& q) { q.user_id = 1; },
      [](auto& q) { q.user_key_id = 1; },
      [](auto& q) { q.status_min = 400; },
      [](auto& q) { q.path_contains = "chat"; },
      [](auto& q) { q.provider = "p"; },
      [](auto& q) { q.credential_id = 1; },
      [](auto& q) { q.operation = 1; },
  };
  for (const auto& edit : edits) {
    LogQuery q;
    q.from = 1'000;
    q.to = 2'000;
    edit(q);
    check_walk(plans.of(log_list(q, LogSide::upstream, Dialect::sqlite)),
               "idx_upstream_requests_list");
    check_walk(plans.of(log_list(q, LogSide::downstream, Dialect::sqlite)),
               "idx_downstream_requests_list");
  }
}

TEST_CASE("a trace is found by its id, in usage and logs") {
  Plans plans;
  UsageListQuery u;
  u.filter.to = 2'000;
  u.trace_id = "t";
  check_found(plans.of(usage_list(u, Dialect::sqlite)), "idx_upstream_usages_trace_id");
  LogQuery q;
  q.to = 2'000;
  q.trace_id = "t";
  check_found(plans.of(log_list(q, LogSide::upstream, Dialect::sqlite)),
              "idx_upstream_requests_trace_id");
  check_found(plans.of(log_list(q, LogSide::downstream, Dialect::sqlite)),
              "idx_downstream_requests_trace_id");
}

TEST_CASE("sums find their segments, and the crooked ends their rows, by an index") {
  Plans plans;
  const auto segments = plans.of(
      "SELECT bucket, data FROM rollup_segments WHERE level = 1 AND dimension = 0"
      " AND bucket >= 5 AND bucket < 9 AND shard = 3");
  CAPTURE(segments);
  CHECK(segments.find("USING INDEX idx_rollup_segments (level=? AND dimension=? AND bucket>?") !=
        std::string::npos);
  const auto rows = plans.of(
      "SELECT model FROM upstream_usages WHERE at >= 5 AND at < 9 AND NOT (at = 5 AND id <= 7)"
      " ORDER BY at, id LIMIT 10");
  CAPTURE(rows);
  CHECK(rows.find("INDEX idx_upstream_usages_list (at>? AND at<?)") != std::string::npos);
  CHECK(rows.find("TEMP B-TREE") == std::string::npos);
}
