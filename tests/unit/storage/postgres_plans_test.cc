// How PostgreSQL would answer the lists: from an index alone, and what few rows match by an index
// of its own. Runs beside tests/with_postgres alone.
#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "storage/sql_lists.h"
#include "storage/store.h"
#include "support.h"

using namespace gproxy;
using namespace gproxy::storage;
using namespace gproxy::storage::test;

namespace {

// Plans over empty tables, where reading and sorting everything costs nothing: both are forbidden.
class Plans {
 public:
  Plans() {
    const StoreOptions options = fresh_options();
    REQUIRE(open_store(options));
    auto db = open_postgres_db({.url = options.dsn, .use = PostgresOptions::Use::reading});
    REQUIRE(db);
    db_ = std::move(*db);
    for (const char* method : {"seqscan", "bitmapscan", "sort"}) {
      REQUIRE(db_->exec(std::string("SET enable_") + method + " = off"));
    }
  }
  std::string of(const ListSql& list) {
    Query query(*db_, "EXPLAIN " + list.text);
    list.where.bind(query);
    std::string out;
    for (;;) {
      auto more = query.step();
      REQUIRE(more);
      if (!*more) return out;
      out += query.string(0) + "\n";
    }
  }

 private:
  std::unique_ptr<Db> db_;
};

void check_index_alone(const std::string& plan, const std::string& index) {
  CAPTURE(plan);
  CHECK(plan.find("Index Only Scan Backward using " + index) != std::string::npos);
}

}  // namespace

TEST_CASE("PostgreSQL finds a page of usage in an index alone") {
  if (postgres_url() == nullptr) return;
  Plans plans;
  struct Case {
    const char* index;
    std::function<void(UsageListQuery&)> edit;
  };
  const Case cases[] = {
      {"idx_upstream_usages_", [](auto&) {}},  // any that begins with the time
      {"idx_upstream_usages_provider", [](auto& q) { q.filter.provider = "p"; }},
      {"idx_upstream_usages_model", [](auto& q) { q.filter.model = "m"; }},
      {"idx_upstream_usages_model", [](auto& q) { q.filter.model_contains = "m"; }},
      {"idx_upstream_usages_credential", [](auto& q) { q.filter.credential_id = 1; }},
      {"idx_upstream_usages_user", [](auto& q) { q.filter.user_id = 1; }},
      {"idx_upstream_usages_key", [](auto& q) { q.filter.user_key_id = 1; }},
      {"idx_upstream_usages_problems", [](auto& q) { q.status_min = 400; }},
      {"idx_upstream_usages_problems", [](auto& q) { q.outcome = Outcome::failed; }},
      {"idx_upstream_usages_list", [](auto& q) { q.status_max = 302; }},
  };
  for (const Case& c : cases) {
    UsageListQuery q;
    q.filter.from = 1'000;
    q.filter.to = 2'000;
    c.edit(q);
    check_index_alone(plans.of(usage_list(q, Dialect::postgres)), c.index);
  }
}

TEST_CASE("PostgreSQL finds a page of logs in an index alone") {
  if (postgres_url() == nullptr) return;
  Plans plans;
  struct Case {
    LogSide side;
    const char* index;
    std::function<void(LogQuery&)> edit;
  };
  const Case cases[] = {
      {LogSide::upstream, "idx_upstream_requests_provider", [](auto& q) { q.provider = "p"; }},
      {LogSide::upstream, "idx_upstream_requests_operation", [](auto& q) { q.operation = 1; }},
      {LogSide::upstream, "idx_upstream_requests_credential", [](auto& q) { q.credential_id = 1; }},
      {LogSide::upstream, "idx_upstream_requests_user", [](auto& q) { q.user_id = 1; }},
      {LogSide::upstream, "idx_upstream_requests_key", [](auto& q) { q.user_key_id = 1; }},
      {LogSide::upstream, "idx_upstream_requests_problems", [](auto& q) { q.status_min = 500; }},
      {LogSide::upstream, "idx_upstream_requests_list", [](auto& q) { q.path_contains = "x"; }},
      {LogSide::downstream, "idx_downstream_requests_user", [](auto& q) { q.user_id = 1; }},
      {LogSide::downstream, "idx_downstream_requests_key", [](auto& q) { q.user_key_id = 1; }},
      {LogSide::downstream, "idx_downstream_requests_problems",
       [](auto& q) { q.status_min = 500; }},
      {LogSide::downstream, "idx_downstream_requests_list", [](auto& q) { q.path_contains = "x"; }},
  };
  for (const Case& c : cases) {
    LogQuery q;
    q.from = 1'000;
    q.to = 2'000;
    c.edit(q);
    check_index_alone(plans.of(log_list(q, c.side, Dialect::postgres)), c.index);
  }
}
