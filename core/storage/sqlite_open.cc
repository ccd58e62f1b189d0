#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/base64.h"
#include "base/log.h"
#include "storage/migrations/migrations.h"
#include "storage/sqlite_reader.h"
#include "storage/sqlite_store.h"

namespace gproxy::storage {
namespace {

constexpr std::string_view kLookupKey = "user_key_lookup";
// Pages in the log before a commit moves them into the database file: larger than SQLite's own
// 1000, so that hot index pages are moved once for many batches.
constexpr int kCheckpointPages = 4000;

}  // namespace

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const Dsn& dsn,
                                                       const StoreOptions& options) {
  Clock& clock = options.clock != nullptr ? *options.clock : Clock::system();
  auto store = std::unique_ptr<SqliteStore>(new SqliteStore(dsn, clock));
  GP_CHECK(create_parent_directory(dsn));
  GP_CHECK(store->lock_file());
  GP_CHECK(store->connect(options));
  GP_CHECK(store->migrate());
  GP_CHECK(store->open_keys(options));
  return store;
}

SqliteStore::~SqliteStore() {
  if (db_ != nullptr) checkpoint();
  db_.reset();
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

Result<void> SqliteStore::lock_file() {
  if (dsn_.in_memory() || dsn_.mode == Dsn::Mode::ro) return ok();
  if (dsn_.mode == Dsn::Mode::rw && ::access(dsn_.path.c_str(), F_OK) != 0) {
    return Error{ErrorKind::overloaded, "storage_unavailable",
                 "the database " + dsn_.path + " does not exist; mode=rwc creates it"};
  }
  const std::string path = dsn_.path + ".lock";
  lock_fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_fd_ < 0) {
    const bool denied = errno == EACCES || errno == EROFS;
    return Error{ErrorKind::server, denied ? "no_permission" : "cannot_create",
                 "cannot create " + path + ": " + std::strerror(errno)};
  }
  if (::flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    return Error{ErrorKind::conflict, "database_in_use",
                 "another process has the database " + dsn_.path +
                     " open; SQLite serves one process, several need postgres://"};
  }
  return ok();
}

std::string SqliteStore::connection_name() const {
  if (!dsn_.in_memory()) return dsn_.path;
  return "file:/" + memory_name_ + "?vfs=memdb";
}

Result<void> SqliteStore::connect(const StoreOptions& options) {
  busy_timeout_ms_ = options.busy_timeout_ms;
  auto access = Db::Access::read_write;
  if (dsn_.in_memory()) {
    static std::atomic<uint64_t> count{0};
    memory_name_ = "gproxy-" + std::to_string(count.fetch_add(1)) + "-" + random_hex(4);
    access = Db::Access::create;
  } else if (dsn_.mode == Dsn::Mode::ro) {
    access = Db::Access::read_only;
  } else if (dsn_.mode == Dsn::Mode::rwc) {
    access = Db::Access::create;
    // SQLite would make it readable for everybody; its companions take over these permissions.
    const int fd = ::open(dsn_.path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
      const bool denied = errno == EACCES || errno == EROFS;
      return Error{ErrorKind::server, denied ? "no_permission" : "cannot_create",
                   "cannot create " + dsn_.path + ": " + std::strerror(errno)};
    }
    ::close(fd);
  }
  GP_TRY(db_, Db::open(connection_name(), access, busy_timeout_ms_));
  GP_CHECK(db_->exec("PRAGMA foreign_keys = ON"));
  if (access == Db::Access::read_only) return ok();
  if (!dsn_.in_memory()) {
    GP_TRY(const std::string mode, db_->text_of("PRAGMA journal_mode = WAL"));
    if (mode != "wal") log::warn("the database cannot use a write-ahead log", {{"mode", mode}});
  }
  GP_CHECK(db_->exec("PRAGMA synchronous = NORMAL"));
  GP_CHECK(db_->exec("PRAGMA wal_autocheckpoint = " + std::to_string(kCheckpointPages)));
  return ok();
}

Result<void> SqliteStore::migrate() {
  GP_TRY(const int64_t has_history,
         db_->number_of("SELECT count(*) FROM sqlite_master WHERE name = 'schema_migrations'"));
  const int64_t newest = migrations().back().version;
  int64_t current = 0;
  if (has_history != 0) {
    GP_TRY(current, db_->number_of("SELECT coalesce(max(version), 0) FROM schema_migrations"));
  } else {
    GP_TRY(const int64_t tables, db_->number_of("SELECT count(*) FROM sqlite_master"));
    if (tables != 0) {
      return Error{
          ErrorKind::conflict, "foreign_database",
          "the database " + dsn_.path + " holds tables that are not gproxy's; name another file"};
    }
  }
  if (current > newest) {
    return Error{ErrorKind::conflict, "schema_newer",
                 "the database has schema " + std::to_string(current) + ", this gproxy knows " +
                     std::to_string(newest) + "; use a newer gproxy"};
  }
  if (current == newest) return ok();
  // One transaction for all steps: a failure leaves the schema as it was.
  GP_CHECK(db_->exec("BEGIN IMMEDIATE"));
  auto steps = [&]() -> Result<void> {
    if (has_history == 0) {
      GP_CHECK(db_->exec(
          "CREATE TABLE schema_migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, "
          "applied_at BIGINT NOT NULL)"));
    }
    for (const Migration& step : migrations()) {
      if (step.version <= current) continue;
      GP_CHECK(db_->exec(in_dialect(step.sql, Dialect::sqlite)));
      Query note(*db_,
                 "INSERT INTO schema_migrations (version, name, applied_at) VALUES ($1, $2, $3)");
      GP_CHECK(note.with(step.version).with(step.name).with(clock_.wall_us()).run());
    }
    return db_->exec("COMMIT");
  };
  auto done = steps();
  if (!done) {
    db_->rollback();
    return done;
  }
  log::info("database schema is up to date", {{"from", current}, {"to", newest}});
  return ok();
}

Result<void> SqliteStore::open_keys(const StoreOptions& options) {
  std::string fingerprint;
  {
    Query query(*db_, "SELECT fingerprint FROM master_keys ORDER BY created_at DESC");
    GP_TRY(const bool row, query.step());
    if (row) fingerprint = query.string(0);
  }
  MasterKeySource source = options.master_key;
  if (!dsn_.in_memory() && source.data_dir.empty()) source.data_dir = data_directory(dsn_, {});
  GP_TRY(std::optional<Secret> master, read_master_key(source));
  if (!master) {
    if (!fingerprint.empty()) {
      return Error{ErrorKind::invalid, "missing_master_key",
                   "the database is sealed with the master key " + fingerprint +
                       ", and there is none: give it, or put back " + source.data_dir +
                       "/master.key"};
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

Result<void> SqliteStore::first_keys(const Secret& master, const Sealer& sealer) {
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

Result<std::unique_ptr<Reader>> SqliteStore::open_reader() {
  GP_TRY(auto db, Db::open(connection_name(),
                           dsn_.in_memory() ? Db::Access::read_write : Db::Access::read_only,
                           busy_timeout_ms_));
  GP_CHECK(db->exec("PRAGMA query_only = ON"));
  return std::unique_ptr<Reader>(std::make_unique<SqliteReader>(std::move(db)));
}

Result<std::unique_ptr<Store>> open_store(const StoreOptions& options) {
  GP_TRY(const Dsn dsn, parse_dsn(options.dsn));
  if (dsn.backend == Dsn::Backend::postgres) {
    return Error{ErrorKind::unsupported, "unsupported_database",
                 "postgres:// is not built into this gproxy; use sqlite:", "dsn"};
  }
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
