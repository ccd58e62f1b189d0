#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/base64.h"
#include "base/log.h"
#include "storage/sql_reader.h"
#include "storage/sqlite_db.h"
#include "storage/sqlite_store.h"

namespace gproxy::storage {
namespace {

// Pages in the log before they are moved into the database file: larger than SQLite's own 1000, so
// that hot index pages are moved once for many batches.
constexpr int kCheckpointPages = 4000;
// Beyond these readers are asked to let it be begun anew.
constexpr int kLongLogPages = 4 * kCheckpointPages;
constexpr int64_t kKeptLogBytes = int64_t{kLongLogPages} * 4096;  // of its file, for reuse

}  // namespace

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const Dsn& dsn,
                                                       const StoreOptions& options) {
  Clock& clock = options.clock != nullptr ? *options.clock : Clock::system();
  auto store = std::unique_ptr<SqliteStore>(new SqliteStore(dsn, clock));
  GP_CHECK(create_parent_directory(dsn));
  GP_CHECK(store->lock_file());
  GP_CHECK(store->connect(options));
  GP_CHECK(store->check_key(options, NewKey::may_be_made));
  GP_CHECK(store->migrate());
  GP_CHECK(store->open_rollups());
  GP_CHECK(store->open_keys(options, NewKey::may_be_made));
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
                     " open; one gproxy at a time writes to a database"};
  }
  return ok();
}

std::string SqliteStore::connection_name() const {
  if (!dsn_.in_memory()) return dsn_.path;
  return "file:/" + memory_name_ + "?vfs=memdb";
}

Result<void> SqliteStore::connect(const StoreOptions& options) {
  busy_timeout_ms_ = options.busy_timeout_ms;
  auto access = SqliteDb::Access::read_write;
  if (dsn_.in_memory()) {
    static std::atomic<uint64_t> count{0};
    memory_name_ = "gproxy-" + std::to_string(count.fetch_add(1)) + "-" + random_hex(4);
    access = SqliteDb::Access::create;
  } else if (dsn_.mode == Dsn::Mode::ro) {
    access = SqliteDb::Access::read_only;
  } else if (dsn_.mode == Dsn::Mode::rwc) {
    access = SqliteDb::Access::create;
    // SQLite would make it readable for everybody; its companions take over these permissions.
    const int fd = ::open(dsn_.path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
      const bool denied = errno == EACCES || errno == EROFS;
      return Error{ErrorKind::server, denied ? "no_permission" : "cannot_create",
                   "cannot create " + dsn_.path + ": " + std::strerror(errno)};
    }
    ::close(fd);
  }
  GP_TRY(db_, SqliteDb::open(connection_name(), access, busy_timeout_ms_));
  GP_CHECK(db_->exec("PRAGMA foreign_keys = ON"));
  if (access == SqliteDb::Access::read_only) return ok();
  if (!dsn_.in_memory()) {
    GP_TRY(const std::string mode, db_->text_of("PRAGMA journal_mode = WAL"));
    if (mode != "wal") log::warn("the database cannot use a write-ahead log", {{"mode", mode}});
  }
  GP_CHECK(db_->exec("PRAGMA synchronous = NORMAL"));
  GP_CHECK(db_->exec("PRAGMA journal_size_limit = " + std::to_string(kKeptLogBytes)));
  static_cast<SqliteDb&>(*db_).tend_log_by_hand();
  return ok();
}

Result<std::unique_ptr<Reader>> SqliteStore::open_reader() {
  GP_TRY(auto db, SqliteDb::open(
                      connection_name(),
                      dsn_.in_memory() ? SqliteDb::Access::read_write : SqliteDb::Access::read_only,
                      busy_timeout_ms_));
  GP_CHECK(db->exec("PRAGMA query_only = ON"));
  return behind_gate(std::make_unique<SqlReader>(std::move(db)), gate_);
}

Result<void> SqliteStore::append_batch(const Batch& batch) {
  auto done = SqlStore::append_batch(batch);
  tend_log();
  return done;
}

Result<bool> SqliteStore::maintain(const Retention& retention) {
  tend_log();
  return SqlStore::maintain(retention);
}

// What SQLite would do by itself after a commit, but not at each commit as long as a reader is in
// the way, and never without an end.
void SqliteStore::tend_log() {
  auto& db = static_cast<SqliteDb&>(*db_);
  if (db.in_transaction()) return;
  const int pages = db.log_pages();
  if (pages < log_seen_) checkpoint_at_ = kCheckpointPages;  // it has begun anew
  log_seen_ = pages;
  if (gate_->is_shut() ? !gate_->empty() : pages < std::max(checkpoint_at_, kCheckpointPages)) {
    return;
  }
  const bool all = db.checkpoint();
  checkpoint_at_ = pages + kCheckpointPages;
  if (gate_->is_shut()) {
    gate_->open();
  } else if (!all && pages >= kLongLogPages) {
    gate_->shut();
  }
}

void SqliteStore::checkpoint() {
  if (dsn_.in_memory() || dsn_.mode == Dsn::Mode::ro) return;
  Query query(*db_, "PRAGMA wal_checkpoint(PASSIVE)");
  (void)query.step();  // a busy reader only postpones it
}

}  // namespace gproxy::storage
