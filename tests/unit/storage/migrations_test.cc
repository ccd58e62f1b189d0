#include "storage/migrations/migrations.h"

#include <doctest/doctest.h>

#include "support.h"

using namespace gproxy;
using namespace gproxy::storage;
using namespace gproxy::storage::test;

TEST_CASE("migrations are numbered from one without gaps") {
  int64_t expected = 1;
  for (const Migration& step : migrations()) {
    CHECK(step.version == expected++);
    CHECK_FALSE(step.name.empty());
    CHECK(step.sql.size() + step.sqlite_only.size() + step.postgres_only.size() > 0);
  }
}

TEST_CASE("one text serves both dialects") {
  CHECK(in_dialect("a $ID, b $BYTES, '$1'", Dialect::sqlite) ==
        "a INTEGER PRIMARY KEY, b BLOB, '$1'");
  CHECK(in_dialect("a $ID, b $BYTES", Dialect::postgres) == "a BIGINT PRIMARY KEY, b BYTEA");
  for (const Migration& step : migrations()) {
    CHECK(in_dialect(step.sql, Dialect::postgres).find('$') == std::string::npos);
  }
}

TEST_CASE("a schema of a newer gproxy is refused and left alone") {
  const Folder folder;
  REQUIRE(open(folder));
  run_sql(folder.file("gproxy.db"),
          "INSERT INTO schema_migrations (version, name, applied_at) VALUES (9999, 'future', 0)");
  auto store = open(folder);
  REQUIRE_FALSE(store.ok());
  CHECK(store.error().code == "schema_newer");
  CHECK(exit_code(store.error()) == 78);
}

TEST_CASE("a database with somebody else's tables is refused and left alone") {
  const Folder folder;
  run_sql(folder.file("gproxy.db"), "CREATE TABLE providers (id INTEGER PRIMARY KEY)");
  auto store = open(folder);
  REQUIRE_FALSE(store.ok());
  CHECK(store.error().code == "foreign_database");
  CHECK(exit_code(store.error()) == 78);
}

TEST_CASE("a file that is no database is an error, not a crash") {
  const Folder folder;
  std::ofstream(folder.file("gproxy.db")) << std::string(8192, 'x');
  auto store = open(folder);
  REQUIRE_FALSE(store.ok());
  CHECK(exit_code(store.error()) == 74);
}

TEST_CASE("a damaged secret costs its credential alone") {
  const Folder folder;
  {
    auto store = open(folder);
    REQUIRE(store);
    auto provider = (*store)->upsert_provider(a_provider("alpha"));
    REQUIRE((*store)->insert_credential(a_credential(provider->id, "one")));
    REQUIRE((*store)->insert_credential(a_credential(provider->id, "two")));
  }
  run_sql(folder.file("gproxy.db"), "UPDATE credentials SET secret_sealed = x'00ff' WHERE id = 1");
  auto store = open(folder);
  REQUIRE(store);
  auto rows = (*store)->load_all();
  REQUIRE(rows);
  REQUIRE(rows->credentials.size() == 2);
  CHECK_FALSE(rows->credentials[0].readable);
  CHECK(rows->credentials[0].secret.empty());
  CHECK(rows->credentials[1].secret.equals("two"));
}
