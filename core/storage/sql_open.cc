// Opening a store: the parts both databases share, and the choice between them.
#include <string>

#include "base/base64.h"
#include "base/log.h"
#include "storage/migrations/migrations.h"
#include "storage/postgres_store.h"
#include "storage/sql_store.h"
#include "storage/sqlite_store.h"

namespace gproxy::storage {
namespace {

constexpr std::string_view kLookupKey = "user_key_lookup";

}  // namespace

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
    if (!has_history) {
      GP_CHECK(db_->exec(
          "CREATE TABLE schema_migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, "
          "applied_at BIGINT NOT NULL)"));
    }
    for (const Migration& step : migrations()) {
      if (step.version <= current) continue;
      GP_CHECK(db_->exec(in_dialect(step.sql, db_->dialect())));
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
  return rollups_->open(clock_.wall_us());
}

Result<void> SqlStore::open_keys(const StoreOptions& options, NewKey new_key) {
  std::string fingerprint;
  {
    Query query(*db_, "SELECT fingerprint FROM master_keys ORDER BY created_at DESC");
    GP_TRY(const bool row, query.step());
    if (row) fingerprint = query.string(0);
  }
  MasterKeySource source = options.master_key;
  if (new_key == NewKey::must_be_given) {
    source.data_dir.clear();  // several machines may use this database: no file of one of them
  } else if (!dsn_.in_memory() && source.data_dir.empty()) {
    source.data_dir = data_directory(dsn_, {});
  }
  GP_TRY(std::optional<Secret> master, read_master_key(source));
  if (!master) {
    if (!fingerprint.empty()) {
      return Error{
          ErrorKind::invalid, "missing_master_key",
          "the database is sealed with the master key " + fingerprint +
              ", and there is none: give it" +
              (source.data_dir.empty() ? std::string()
                                       : ", or put back " + source.data_dir + "/master.key")};
    }
    if (new_key == NewKey::must_be_given) {
      return Error{ErrorKind::invalid, "missing_master_key",
                   "a PostgreSQL database needs a master key that is given: GPROXY_MASTER_KEY or "
                   "--master-key-file, 32 bytes as hex or base64"};
    }
    if (dsn_.in_memory()) {
      char raw[32];
      random_bytes(raw, sizeof raw);
      master = Secret{std::string_view(raw, sizeof raw)};
    } else {
      GP_TRY(master, generate_master_key(source.data_dir));
    }
  }
  GP_TRY(Sealer sealer, Sealer::open(master->reveal()));
  if (fingerprint.empty()) {
    GP_CHECK(first_keys(*master, sealer));
  } else if (fingerprint != sealer.fingerprint()) {
    return Error{ErrorKind::invalid, "wrong_master_key",
                 "the database is sealed with the master key " + fingerprint +
                     ", the given one is " + sealer.fingerprint()};
  }
  GP_TRY(database_id_, db_->text_of("SELECT value FROM meta WHERE name = 'database_id'"));
  Query query(*db_, "SELECT sealed FROM sealed_keys WHERE name = $1");
  GP_TRY(const bool row, query.with(kLookupKey).step());
  if (!row || database_id_.empty()) {
    return Error{ErrorKind::server, "storage_error", "the database has lost its own keys"};
  }
  auto lookup = sealer.unseal(query.blob(0), "sealed_keys/" + std::string(kLookupKey));
  if (!lookup) {
    return Error{ErrorKind::invalid, "wrong_master_key",
                 "the master key does not open the database's own keys"};
  }
  hasher_ = KeyHasher(std::move(*lookup));
  sealer_ = std::move(sealer);
  return ok();
}

Result<void> SqlStore::first_keys(const Secret& master, const Sealer& sealer) {
  return in_transaction([&]() -> Result<void> {
    const int64_t now = clock_.wall_us();
    Query id(*db_, "INSERT INTO meta (name, value) VALUES ('database_id', $1)");
    const std::string random = random_hex(16);
    GP_CHECK(id.with(random).run());
    char raw[32];
    random_bytes(raw, sizeof raw);
    const std::string sealed =
        sealer.seal(std::string_view(raw, sizeof raw), "sealed_keys/" + std::string(kLookupKey));
    wipe_memory(raw, sizeof raw);
    Query lookup(*db_, "INSERT INTO sealed_keys (name, sealed, created_at) VALUES ($1, $2, $3)");
    GP_CHECK(lookup.with(kLookupKey).with_blob(sealed).with(now).run());
    Query key(*db_, "INSERT INTO master_keys (fingerprint, created_at) VALUES ($1, $2)");
    const std::string fingerprint = sealer.fingerprint();
    return key.with(fingerprint).with(now).run();
  });
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
