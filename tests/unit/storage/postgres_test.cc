// What only a server can do: be away, come back, be shared. Runs beside tests/with_postgres alone.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "silent_proxy.h"
#include "storage/sql_db.h"
#include "storage/store.h"
#include "support.h"

using namespace gproxy;
using namespace gproxy::storage;
using namespace gproxy::storage::test;

namespace {

bool control(const char* what) {
  const char* program = std::getenv("GPROXY_TEST_POSTGRES_CONTROL");
  return program != nullptr && std::system((std::string(program) + " " + what).c_str()) == 0;
}

// As the server's own user, beside the store.
bool run_postgres(const std::string& sql) {
  auto server = open_postgres_db({.url = postgres_url(), .use = PostgresOptions::Use::reading});
  return server && (*server)->exec("SET default_transaction_read_only = off") &&
         (*server)->exec(sql);
}

// "postgresql:///name?..." -> "name"
std::string database_of(const StoreOptions& options) {
  const std::string name = options.dsn.substr(0, options.dsn.find('?'));
  return name.substr(name.rfind('/') + 1);
}

}  // namespace

TEST_CASE("a second process is told that the database has a writer") {
  if (postgres_url() == nullptr) return;
  const StoreOptions options = fresh_options();
  auto first = open_store(options);
  REQUIRE(first);
  auto second = open_store(options);
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().code == "database_in_use");
  CHECK(exit_code(second.error()) == 69);
  first->reset();
  CHECK(open_store(options).ok());
}

TEST_CASE("a process that starts while the last one goes waits for its session's end") {
  if (postgres_url() == nullptr) return;
  const StoreOptions options = fresh_options();
  auto last = open_store(options);
  REQUIRE(last);
  Result<std::unique_ptr<Store>> next = Error{ErrorKind::server, "not_run", ""};
  std::atomic<bool> opened = false;
  std::thread start([&] {
    next = open_store(options);
    opened = true;
  });
  auto server = open_postgres_db({.url = postgres_url(), .use = PostgresOptions::Use::reading});
  const auto waits = [&] {
    Query query(**server, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
    return query.step().value_or(true);
  };
  while (server && !opened && !waits()) std::this_thread::yield();
  last->reset();
  start.join();
  CHECK(next);
}

TEST_CASE("on a server the master key must be given, and the right one") {
  if (postgres_url() == nullptr) return;
  StoreOptions options = fresh_options();
  StoreOptions without = options;
  without.master_key.key = Secret();
  auto missing = open_store(without);
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().code == "missing_master_key");
  CHECK(exit_code(missing.error()) == 78);
  REQUIRE(open_store(options));
  options.master_key.key = Secret(std::string(64, 'b'));
  auto wrong = open_store(options);
  REQUIRE_FALSE(wrong.ok());
  CHECK(wrong.error().code == "wrong_master_key");
}

TEST_CASE("text that PostgreSQL cannot hold is mended, not refused") {
  if (postgres_url() == nullptr) return;
  auto store = open_fresh();
  REQUIRE(store);
  RequestRow row;
  row.id = 1;
  row.at = 5;
  row.method = "GET";
  row.path = std::string_view("/a\0b\xff\"\\{},NULL", 15);
  REQUIRE((*store)->append_batch({.requests = std::array{row}}));
  auto reader = (*store)->open_reader();
  auto page = (*reader)->list_logs({});
  REQUIRE(page);
  REQUIRE(page->rows.size() == 1);
  CHECK(page->rows[0].path == "/ab?\"\\{},NULL");
}

TEST_CASE("a connection that the server has ended costs nobody a failure") {
  if (postgres_url() == nullptr) return;
  auto store = open_fresh();
  REQUIRE(store);
  auto reader = (*store)->open_reader();
  REQUIRE(reader);
  REQUIRE((*store)->upsert_user({.id = 3, .name = "three"}));
  REQUIRE((*reader)->ping());
  // A restart while nobody asks: both connections are dead, the server is there.
  REQUIRE(control("stop"));
  REQUIRE(control("start"));
  CHECK((*reader)->ping().ok());
  CHECK((*store)->upsert_user({.id = 4, .name = "four"}).ok());
  REQUIRE(control("kill"));
  REQUIRE(control("start"));
  CHECK((*store)->load_all()->users.size() == 2);
  CHECK((*reader)->ping().ok());
}

TEST_CASE("a server that takes no rows is told from one that does by a write alone") {
  if (postgres_url() == nullptr) return;
  const StoreOptions options = fresh_options();
  const std::string database = database_of(options);
  auto store = open_store(options);
  REQUIRE(store);
  const auto rows_are_taken = [&](const char* word) {
    REQUIRE(run_postgres("ALTER DATABASE " + database +
                         " SET default_transaction_read_only = " + word));
    REQUIRE(control("stop"));
    REQUIRE(control("start"));
  };
  rows_are_taken("on");
  CHECK((*store)->probe(Store::Probe::look).ok());
  CHECK_FALSE((*store)->take_trouble());
  const auto refused = (*store)->probe(Store::Probe::write);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == "storage_unavailable");
  CHECK((*store)->take_trouble());
  CHECK_FALSE((*store)->take_trouble());
  rows_are_taken("off");
  CHECK((*store)->probe(Store::Probe::write).ok());
  CHECK_FALSE((*store)->take_trouble());
}

TEST_CASE("a server that goes away is found again, and no row is lost or doubled") {
  if (postgres_url() == nullptr) return;
  auto store = open_fresh();
  REQUIRE(store);
  auto reader = (*store)->open_reader();
  REQUIRE(reader);
  REQUIRE((*store)->append_batch({.usage = std::array{a_usage_row(1)}}));
  REQUIRE(control("kill"));
  auto failed = (*store)->append_batch({.usage = std::array{a_usage_row(2)}});
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().code == "storage_unavailable");
  CHECK_FALSE((*store)->probe(Store::Probe::look).ok());
  CHECK_FALSE((*reader)->ping().ok());
  REQUIRE(control("start"));
  REQUIRE((*store)->append_batch({.usage = std::array{a_usage_row(1), a_usage_row(2)}}));
  CHECK((*reader)->ping().ok());
  CHECK(totals_of(**reader, {}).attempts == 2);
}

TEST_CASE("a server that falls silent is taken for gone, and the writer ends its lost session") {
  if (postgres_url() == nullptr) return;
  SilentProxy proxy(fresh_options().dsn);
  auto db = open_postgres_db({.url = proxy.dsn(),
                              .lock_timeout_ms = 1'000,
                              .statement_timeout_ms = 2'000,
                              .answer_grace_ms = 100});
  REQUIRE(db);
  REQUIRE((*db)->begin(Db::Intent::write));
  REQUIRE((*db)->exec("CREATE TABLE t (n INTEGER)"));
  proxy.silence();
  // Without a bound of our own this call would never return.
  const auto unanswered = (*db)->exec("INSERT INTO t VALUES (1)");
  REQUIRE_FALSE(unanswered.ok());
  CHECK(unanswered.error().code == "storage_unavailable");
  (*db)->rollback();
  // To the server the first session is alive, in its transaction, and has the writer's lock.
  REQUIRE((*db)->begin(Db::Intent::write));
  CHECK((*db)->exec("CREATE TABLE t (n INTEGER)").ok());
  CHECK((*db)->commit().ok());
}

TEST_CASE("what another process writes is not taken from it") {
  if (postgres_url() == nullptr) return;
  const std::string dsn = fresh_options().dsn;
  SilentProxy proxy(dsn);
  PostgresOptions options{.url = proxy.dsn(),
                          .lock_timeout_ms = 900,
                          .statement_timeout_ms = 1'000,
                          .answer_grace_ms = 100};
  auto first = open_postgres_db(options);
  REQUIRE(first);
  proxy.silence();
  REQUIRE_FALSE((*first)->exec("SELECT 1").ok());
  options.url = dsn;
  REQUIRE_FALSE(open_postgres_db(options).ok());
  REQUIRE(
      run_postgres("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype ="
                   " 'advisory'"));
  auto second = open_postgres_db(options);
  REQUIRE(second);
  const auto late = (*first)->exec("SELECT 1");
  REQUIRE_FALSE(late.ok());
  CHECK(late.error().code == "storage_unavailable");
  CHECK((*second)->exec("SELECT 1").ok());
}

TEST_CASE("a stop does not wait for a server that has fallen silent") {
  if (postgres_url() == nullptr) return;
  SilentProxy proxy(fresh_options().dsn);
  auto db = open_postgres_db({.url = proxy.dsn(), .use = PostgresOptions::Use::reading});
  REQUIRE(db);
  proxy.silence();
  std::atomic<bool> asks = false;
  std::thread stop([&] {
    while (!asks) std::this_thread::yield();
    (*db)->interrupt();
  });
  asks = true;
  const auto ended = (*db)->exec("SELECT 1");
  stop.join();
  REQUIRE_FALSE(ended.ok());
  CHECK(ended.error().code == "query_timeout");
}

TEST_CASE("bytes are read whole whatever the database's bytea_output") {
  if (postgres_url() == nullptr) return;
  const StoreOptions options = fresh_options();
  REQUIRE(run_postgres("ALTER DATABASE " + database_of(options) + " SET bytea_output = 'escape'"));
  auto db = open_postgres_db({.url = options.dsn, .use = PostgresOptions::Use::reading});
  REQUIRE(db);
  Query query(**db, "SELECT $1::bytea");
  query.with_blob(std::string_view("a\0\xff", 3));
  REQUIRE(query.step().value_or(false));
  CHECK(query.blob(0) == std::string_view("a\0\xff", 3));
}

TEST_CASE("a database that cannot hold every text is refused at start") {
  if (postgres_url() == nullptr) return;
  StoreOptions options = fresh_options();
  const std::string name = database_of(options);
  REQUIRE(run_postgres("DROP DATABASE " + name));
  REQUIRE(run_postgres("CREATE DATABASE " + name +
                       " ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"));
  const auto refused = open_store(options);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == "unsupported_database");
  CHECK(refused.error().message.find("LATIN1") != std::string::npos);
  CHECK(exit_code(refused.error()) == 78);
}
