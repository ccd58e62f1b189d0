// A database of each earlier version, with rows of everything it knew, opened by this one.
#include <doctest/doctest.h>

#include <string>

#include "storage/migrations/migrations.h"
#include "storage/sqlite_db.h"
#include "support.h"

using namespace gproxy;
using namespace gproxy::storage;
using namespace gproxy::storage::test;

namespace {

constexpr int64_t kStart = 1'780'000'000'000'000;
constexpr int64_t kRows = 3000;
constexpr int64_t kStep = 97'000'003;  // between two rows: over three days, on no edge of a bucket

// The schema as version `level` left it.
std::string schema_of(int64_t level, Dialect dialect) {
  std::string sql =
      "CREATE TABLE schema_migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, "
      "applied_at BIGINT NOT NULL);";
  for (const Migration& step : migrations()) {
    if (step.version > level) break;
    sql += in_dialect(step.sql, dialect);
    sql += dialect == Dialect::sqlite ? step.sqlite_only : step.postgres_only;
    sql += ";INSERT INTO schema_migrations VALUES (" + std::to_string(step.version) + ", 'x', 0);";
  }
  return sql;
}

// Columns of the first version: every later one has them, too.
std::string rows_of(Dialect dialect) {
  const std::string yes = dialect == Dialect::sqlite ? "1" : "true";
  const std::string no = dialect == Dialect::sqlite ? "0" : "false";
  const std::string digest = dialect == Dialect::sqlite ? "x'" + std::string(64, 'd') + "'"
                                                        : "'\\x" + std::string(64, 'd') + "'";
  std::string sql =
      "INSERT INTO providers (id, name, kind, settings_json, enabled, origin, created_at,"
      " updated_at) VALUES (1, 'alpha', 'custom', '{\"a\":\"plain text\"}', " +
      yes + ", 0, 1, 1);";
  sql +=
      "INSERT INTO users (id, name, enabled, origin, created_at, updated_at) VALUES"
      " (0, 'user0', " +
      yes + ", 0, 1, 1), (7, 'seven', " + no + ", 0, 1, 1);";
  sql +=
      "INSERT INTO user_keys (id, user_id, digest, label, enabled, origin, created_at, updated_at)"
      " VALUES (4, 7, " +
      digest + ", 'laptop', " + yes + ", 0, 1, 1);";
  sql += "UPDATE id_sequences SET next = 50;";
  sql +=
      "INSERT INTO upstream_usages (id, at, trace_id, attempt_no, final, has_usage, estimated,"
      " provider, provider_id, user_id, user_key_id, model, protocol, operation, status, outcome,"
      " input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,"
      " total_tokens, ttft_us, duration_us, cost_nanousd, price_revision) VALUES ";
  for (int64_t i = 0; i < kRows; ++i) {
    if (i > 0) sql += ",";
    sql += "(" + std::to_string(i + 1) + "," + std::to_string(kStart + i * kStep) + ",'t',1," +
           (i % 5 == 0 ? no : yes) + "," + yes + "," + no + (i % 3 == 0 ? ",'alpha'" : ",'gone'") +
           ",1," + (i % 4 == 0 ? "NULL" : "7") + ",4,'m" + std::to_string(i % 3) + "',1,1,200,0," +
           std::to_string(i) + ",1,2,3,0," + std::to_string(i + 6) + ",5,10,7,1)";
  }
  sql +=
      ";INSERT INTO downstream_requests (id, at, trace_id, request_method, request_path, protocol,"
      " operation, stream, response_status, outcome, attempts, request_bytes, response_bytes,"
      " duration_us) VALUES (1, " +
      std::to_string(kStart) + ", 't', 'POST', '/x', 1, 1, " + no + ", 200, 0, 1, 1, 1, 1);";
  return sql;
}

// What brute force says of the rows in [from, to].
UsageSums sums_of(int64_t from, int64_t to, const std::optional<std::string>& provider) {
  UsageSums sums;
  for (int64_t i = 0; i < kRows; ++i) {
    const int64_t at = kStart + i * kStep;
    if (at < from || at > to) continue;
    if (provider && *provider != (i % 3 == 0 ? "alpha" : "gone")) continue;
    ++sums.attempts;
    sums.requests += i % 5 == 0 ? 0 : 1;
    sums.input += i;
    sums.cost_nanousd += 7;
  }
  return sums;
}

void check_upgraded(Store& store) {
  const auto rows = store.load_all();
  REQUIRE(rows);
  REQUIRE(rows->providers.size() == 1);
  CHECK(rows->providers[0].readable);
  CHECK(rows->providers[0].settings_json == R"({"a":"plain text"})");
  REQUIRE(rows->users.size() == 2);
  CHECK_FALSE(rows->users[1].enabled);
  REQUIRE(rows->user_keys.size() == 1);
  CHECK(rows->user_keys[0].label == "laptop");
  auto reader = store.open_reader();
  REQUIRE(reader);
  const int64_t end = kStart + kRows * kStep;
  const std::pair<int64_t, int64_t> ranges[] = {
      {0, INT64_MAX},
      {kStart + 100 * kStep, kStart + 2000 * kStep},
      {kStart + 100 * kStep + 1, kStart + 2000 * kStep - 1},
      {end - 3 * kHourUs, end}};
  for (const auto& [from, to] : ranges) {
    for (const auto& provider :
         {std::optional<std::string>(), std::optional<std::string>("alpha")}) {
      UsageFilter filter;
      filter.from = from;
      filter.to = to;
      filter.provider = provider;
      const auto got = totals_of(**reader, filter);
      const auto want = sums_of(from, to, provider);
      CHECK(got.attempts == want.attempts);
      CHECK(got.requests == want.requests);
      CHECK(got.input == want.input);
      CHECK(got.cost_nanousd == want.cost_nanousd);
    }
  }
  // By user, which sums of an earlier version knew differently.
  UsageQuery by_user;
  by_user.by = UsageQuery::By::user;
  const auto report = (*reader)->usage_report(by_user);
  REQUIRE(report);
  REQUIRE(report->groups.size() == 2);
  CHECK(report->groups[0].sums.attempts + report->groups[1].sums.attempts == kRows);
  const auto logs = (*reader)->list_logs({});
  REQUIRE(logs);
  CHECK(logs->rows.size() == 1);
}

}  // namespace

TEST_CASE("a database of any earlier version is brought up to date with its rows") {
  for (const Migration& step : migrations()) {
    const int64_t level = step.version;
    CAPTURE(level);
    if (level == migrations().back().version) continue;
    if (postgres_url() == nullptr) {
      const Folder folder;
      const std::string sql = schema_of(level, Dialect::sqlite) + rows_of(Dialect::sqlite);
      run_sql(folder.file("gproxy.db"), sql.c_str());
      for (int opened = 0; opened < 2; ++opened) {
        auto store = open(folder);
        REQUIRE(store);
        check_upgraded(**store);
      }
      if (level < 8)
        CHECK(bytes_of(folder.file("gproxy.db")).find("plain text") == std::string::npos);
    } else {
      const StoreOptions options = fresh_options();
      {
        auto server = open_postgres_db({.url = options.dsn, .use = PostgresOptions::Use::reading});
        REQUIRE(server);
        REQUIRE((*server)->exec("SET default_transaction_read_only = off"));
        REQUIRE((*server)->exec(schema_of(level, Dialect::postgres) + rows_of(Dialect::postgres)));
      }
      for (int opened = 0; opened < 2; ++opened) {
        auto store = open_store(options);
        REQUIRE(store);
        check_upgraded(**store);
      }
    }
  }
}

TEST_CASE("a database that the given key does not open keeps its schema") {
  const Folder folder;
  StoreOptions options = fresh_options();
  const bool server = postgres_url() != nullptr;
  if (!server) options.dsn = folder.dsn();
  options.master_key.key = Secret(std::string(64, 'a'));
  const int64_t level = migrations().back().version - 1;
  const auto db = [&]() -> Result<std::unique_ptr<Db>> {
    if (server) return open_postgres_db({.url = options.dsn, .use = PostgresOptions::Use::reading});
    GP_TRY(auto file, SqliteDb::open(folder.file("gproxy.db"), SqliteDb::Access::create, 5'000));
    return std::unique_ptr<Db>(std::move(file));
  };
  {
    auto made = db();
    REQUIRE(made);
    if (server) REQUIRE((*made)->exec("SET default_transaction_read_only = off"));
    REQUIRE((*made)->exec(schema_of(level, server ? Dialect::postgres : Dialect::sqlite)));
    REQUIRE((*made)->exec("INSERT INTO master_keys (fingerprint, created_at) VALUES ('other', 1)"));
  }
  const auto refused = open_store(options);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == "wrong_master_key");
  options.master_key.key = Secret();
  const auto without = open_store(options);
  REQUIRE_FALSE(without.ok());
  CHECK(without.error().code == "missing_master_key");
  auto left = db();
  REQUIRE(left);
  CHECK(*(*left)->number_of("SELECT max(version) FROM schema_migrations") == level);
}
