// Opening a store: the parts both databases share, and the choice between them.
#include <string>

#include "base/log.h"
#include "storage/migrations/migrations.h"
#include "storage/postgres_store.h"
#include "storage/sql_store.h"
#include "storage/sqlite_store.h"

namespace gproxy::storage {
Result<void> SqlStore::migrate() {
  GP_TRY(const bool has_history, db_->has_table("schema_migrations"));
  const int64_t newest = migrations().back().version;
  int64_t current = 0;
  if (has_history) {
    GP_TRY(current, db_->number_of("SELECT coalesce(max(version), 0) FROM schema_migrations"));
  } else {
    GP_TRY(const int64_t tables, db_->count_tables());
    if (tables != 0) {
      return Error{
          ErrorKind::conflict, "foreign_database",
          "the database " + dsn_.shown + " holds tables that are not gproxy's; name another"};
    }
  }
  if (current > newest) {
    return Error{ErrorKind::conflict, "schema_newer",
                 "the database has schema " + std::to_string(current) + ", this gproxy knows " +
                     std::to_string(newest) + "; use a newer gproxy"};
  }
  if (current == newest) return ok();
  // One transaction for all steps: a failure leaves the schema as it was.
  GP_CHECK(db_->begin(Db::Intent::write));
  auto steps = [&]() -> Result<void> {
    // A new index of a large table takes its time.
    GP_CHECK(db_->take_time());
    if (!has_history) {
      GP_CHECK(db_->exec(
          "CREATE TABLE schema_migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, "
          "applied_at BIGINT NOT NULL)"));
    }
    for (const Migration& step : migrations()) {
      if (step.version <= current) continue;
      if (!step.sql.empty()) GP_CHECK(db_->exec(in_dialect(step.sql, db_->dialect())));
      const auto more = db_->dialect() == Dialect::sqlite ? step.sqlite_only : step.postgres_only;
      if (!more.empty()) GP_CHECK(db_->exec(std::string(more)));
      Query note(*db_,
                 "INSERT INTO schema_migrations (version, name, applied_at) VALUES ($1, $2, $3)");
      GP_CHECK(note.with(step.version).with(step.name).with(clock_.wall_us()).run());
    }
    return db_->commit();
  };
  auto done = steps();
  if (!done) {
    db_->rollback();
    return done;
  }
  log::info("database schema is up to date", {{"from", current}, {"to", newest}});
  return ok();
}

Result<void> SqlStore::open_rollups() {
  rollups_.emplace(*db_);
  GP_CHECK(rollups_->open(clock_.wall_us()));
  log_size_.emplace(*db_);
  return log_size_->open();
}

Result<std::unique_ptr<Store>> open_store(const StoreOptions& options) {
  GP_TRY(const Dsn dsn, parse_dsn(options.dsn));
  if (dsn.backend == Dsn::Backend::postgres) return open_postgres(dsn, options);
  GP_TRY(auto store, SqliteStore::open(dsn, options));
  return std::unique_ptr<Store>(std::move(store));
}

int exit_code(const Error& error) {
  struct Row {
    std::string_view code;
    int exit;
  };
  static constexpr Row kRows[] = {
      {"bad_dsn", 78},
      {"unsupported_database", 78},
      {"foreign_database", 78},
      {"wrong_master_key", 78},
      {"missing_master_key", 78},
      {"bad_master_key", 78},
      {"schema_newer", 78},
      {"master_key_unreadable", 78},
      {"database_in_use", 69},
      {"storage_unavailable", 69},
      {"cannot_create", 73},
      {"no_permission", 77},
  };
  for (const Row& row : kRows) {
    if (row.code == error.code) return row.exit;
  }
  return 74;
}

}  // namespace gproxy::storage
