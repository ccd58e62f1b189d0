#include "storage/postgres_store.h"

#ifdef GPROXY_POSTGRES

#include "storage/postgres_db.h"
#include "storage/sql_reader.h"
#include "storage/sql_store.h"

namespace gproxy::storage {
namespace {

// Migrations of two processes that start at once take turns.
constexpr const char* kMigrationLock = "7453010388482293762";

class PostgresStore final : public SqlStore {
 public:
  static Result<std::unique_ptr<Store>> open(const Dsn& dsn, const StoreOptions& options) {
    Clock& clock = options.clock != nullptr ? *options.clock : Clock::system();
    auto store =
        std::unique_ptr<PostgresStore>(new PostgresStore(dsn, clock, options.busy_timeout_ms));
    GP_TRY(store->db_, open_postgres_db(store->connection(PostgresOptions::Use::writing)));
    GP_CHECK(store->check_key(options, NewKey::must_be_given));
    GP_CHECK(store->db_->exec(std::string("SELECT pg_advisory_lock(") + kMigrationLock + ")"));
    auto migrated = store->migrate();
    GP_CHECK(store->db_->exec(std::string("SELECT pg_advisory_unlock(") + kMigrationLock + ")"));
    GP_CHECK(std::move(migrated));
    GP_CHECK(store->open_rollups());
    GP_CHECK(store->open_keys(options, NewKey::must_be_given));
    return std::unique_ptr<Store>(std::move(store));
  }

  void checkpoint() override {}  // the server's own affair
  Result<std::unique_ptr<Reader>> open_reader() override {
    GP_TRY(auto db, open_postgres_db(connection(PostgresOptions::Use::reading)));
    return std::unique_ptr<Reader>(std::make_unique<SqlReader>(std::move(db)));
  }

 private:
  PostgresStore(Dsn dsn, Clock& clock, int64_t lock_timeout_ms)
      : SqlStore(std::move(dsn), clock), lock_timeout_ms_(lock_timeout_ms) {}
  PostgresOptions connection(PostgresOptions::Use use) const {
    PostgresOptions options;
    options.url = dsn_.text;
    options.lock_timeout_ms = lock_timeout_ms_;
    options.use = use;
    return options;
  }

  const int64_t lock_timeout_ms_;
};

}  // namespace

Result<std::unique_ptr<Store>> open_postgres(const Dsn& dsn, const StoreOptions& options) {
  return PostgresStore::open(dsn, options);
}

}  // namespace gproxy::storage

#else  // built without libpqxx

namespace gproxy::storage {

Result<std::unique_ptr<Store>> open_postgres(const Dsn&, const StoreOptions&) {
  return Error{ErrorKind::unsupported, "unsupported_database",
               "postgres:// is not built into this gproxy; use sqlite:", "dsn"};
}

}  // namespace gproxy::storage

#endif
