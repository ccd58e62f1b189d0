#include "storage/sqlite_db.h"

#include <sqlite3.h>

#include <mutex>

#include "base/clock.h"

namespace gproxy::storage {
namespace {

// How many virtual machine instructions pass between two looks at the clock.
constexpr int kProgressInstructions = 2000;

void configure_library() {
  static std::once_flag once;
  // Statistics of memory take a lock at each allocation, and nobody reads them.
  std::call_once(once, [] { sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); });
}

// "UNIQUE constraint failed: users.name" -> "name"
std::string column_in(std::string_view message) {
  const size_t dot = message.rfind('.');
  return dot == std::string_view::npos ? std::string() : std::string(message.substr(dot + 1));
}

}  // namespace

Result<std::unique_ptr<SqliteDb>> SqliteDb::open(const std::string& path, Access access,
                                                 int64_t busy_timeout_ms) {
  configure_library();
  auto db = std::unique_ptr<SqliteDb>(new SqliteDb());
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI | SQLITE_OPEN_EXRESCODE;
  switch (access) {
    case Access::read_only:
      flags |= SQLITE_OPEN_READONLY;
      break;
    case Access::read_write:
      flags |= SQLITE_OPEN_READWRITE;
      break;
    case Access::create:
      flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
      break;
  }
  const int rc = sqlite3_open_v2(path.c_str(), &db->db_, flags, nullptr);
  if (rc != SQLITE_OK) return db->error(rc, "open the database");
  sqlite3_busy_timeout(db->db_, static_cast<int>(busy_timeout_ms));
  if (const int added = add_row_function(db->db_); added != SQLITE_OK)
    return db->error(added, "prepare the database");
  sqlite3_progress_handler(db->db_, kProgressInstructions, &SqliteDb::on_progress, db.get());
  return db;
}

SqliteDb::~SqliteDb() {
  cache_.clear();
  sqlite3_close(db_);
}

int SqliteDb::on_progress(void* self) {
  auto* db = static_cast<SqliteDb*>(self);
  if (db->interrupted_.load(std::memory_order_relaxed)) return 1;
  return db->deadline_ms_ != 0 && Clock::system().now_ms() > db->deadline_ms_ ? 1 : 0;
}

void SqliteDb::tend_log_by_hand() {
  sqlite3_wal_hook(db_, &SqliteDb::on_commit, this);
}

int SqliteDb::on_commit(void* self, sqlite3*, const char*, int pages) {
  static_cast<SqliteDb*>(self)->log_pages_ = pages;
  return SQLITE_OK;
}

bool SqliteDb::checkpoint() {
  int pages = 0, moved = 0;
  const int rc = sqlite3_wal_checkpoint_v2(db_, nullptr, SQLITE_CHECKPOINT_PASSIVE, &pages, &moved);
  return rc == SQLITE_OK && pages == moved;
}

void SqliteDb::begin_statement() {
  deadline_ms_ = timeout_ms_ > 0 ? Clock::system().now_ms() + timeout_ms_ : 0;
}

Error SqliteDb::error(int rc, std::string_view what) const {
  const std::string detail = db_ != nullptr ? sqlite3_errmsg(db_) : sqlite3_errstr(rc);
  const std::string message = "cannot " + std::string(what) + ": " + detail;
  damaged_ = damaged_ || (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB;
  switch (rc & 0xff) {
    case SQLITE_CONSTRAINT:
      if (rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY ||
          rc == SQLITE_CONSTRAINT_ROWID) {
        const std::string column = column_in(detail);
        return Error{ErrorKind::conflict, "conflict", "another row has this " + column, column};
      }
      return Error{ErrorKind::invalid, "row_rejected", message, column_in(detail)};
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
    case SQLITE_RANGE:
      return Error{ErrorKind::invalid, "row_rejected", message};
    case SQLITE_INTERRUPT:
      return Error{ErrorKind::timeout, "query_timeout",
                   "the query took too long or was interrupted"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
    case SQLITE_NOMEM:
    case SQLITE_NOLFS:
    case SQLITE_PERM:
      return Error{ErrorKind::overloaded, "storage_unavailable", message};
    default:
      return Error{ErrorKind::server, "storage_error", message};
  }
}

Result<void> SqliteDb::exec(const std::string& sql) {
  begin_statement();
  const int rc = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
  if (rc != SQLITE_OK) return error(rc, "run a statement");
  return ok();
}

int64_t SqliteDb::changes() const {
  return sqlite3_changes64(db_);
}
bool SqliteDb::in_transaction() const {
  return sqlite3_get_autocommit(db_) == 0;
}

Result<void> SqliteDb::begin(Intent intent) {
  return Query(*this, intent == Intent::write ? "BEGIN IMMEDIATE" : "BEGIN").run();
}

Result<void> SqliteDb::commit() {
  return Query(*this, "COMMIT").run();
}

void SqliteDb::rollback() {
  if (in_transaction()) sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
  // Pages that were read damaged would stay in the cache when the file is whole again.
  if (damaged_) sqlite3_db_release_memory(db_);
  damaged_ = false;
}

Result<bool> SqliteDb::has_table(const std::string& name) {
  Query query(*this, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1");
  return query.with(name).step();
}

Result<int64_t> SqliteDb::count_tables() {
  return number_of("SELECT count(*) FROM sqlite_master");
}

Result<Statement*> SqliteDb::cached(const char* sql) {
  if (interrupted_.load(std::memory_order_relaxed)) return error(SQLITE_INTERRUPT, "begin");
  begin_statement();
  if (const auto found = cache_.find(sql); found != cache_.end()) return found->second.get();
  sqlite3_stmt* made = nullptr;
  const int rc = sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &made, nullptr);
  if (rc != SQLITE_OK) return error(rc, "prepare a statement");
  auto& kept = cache_[sql];
  kept = std::make_unique<SqliteStatement>(*this, made);
  return kept.get();
}

Result<std::unique_ptr<Statement>> SqliteDb::prepare(const std::string& sql) {
  if (interrupted_.load(std::memory_order_relaxed)) return error(SQLITE_INTERRUPT, "begin");
  begin_statement();
  sqlite3_stmt* made = nullptr;
  const int rc = sqlite3_prepare_v2(db_, sql.c_str(), static_cast<int>(sql.size()), &made, nullptr);
  if (rc != SQLITE_OK) return error(rc, "prepare a statement");
  return std::unique_ptr<Statement>(std::make_unique<SqliteStatement>(*this, made));
}

Result<int64_t> SqliteDb::insert_rows(const char* sql, RowSource& rows) {
  GP_TRY(Statement * statement, cached(sql));
  auto& insert = static_cast<SqliteStatement&>(*statement);
  insert.bind_rows(1, rows);
  auto done = insert.step();
  const int64_t inserted = changes();
  insert.clear();  // the pointer dies with the caller
  if (!done) return std::move(done).error();
  return inserted;
}

SqliteStatement::~SqliteStatement() {
  sqlite3_finalize(statement_);
}

void SqliteStatement::bind_integer(int parameter, int64_t value) {
  if (rc_ == SQLITE_OK) rc_ = sqlite3_bind_int64(statement_, parameter, value);
}

void SqliteStatement::bind_text(int parameter, std::string_view text) {
  // A null pointer would bind NULL, and an empty text is a text.
  const char* bytes = text.data() == nullptr ? "" : text.data();
  if (rc_ == SQLITE_OK) {
    rc_ = sqlite3_bind_text(statement_, parameter, bytes, static_cast<int>(text.size()),
                            SQLITE_STATIC);
  }
}

void SqliteStatement::bind_blob(int parameter, std::string_view bytes) {
  const char* data = bytes.data() == nullptr ? "" : bytes.data();
  if (rc_ == SQLITE_OK) {
    rc_ = sqlite3_bind_blob(statement_, parameter, data, static_cast<int>(bytes.size()),
                            SQLITE_STATIC);
  }
}

void SqliteStatement::bind_rows(int parameter, RowSource& rows) {
  if (rc_ == SQLITE_OK)
    rc_ = sqlite3_bind_pointer(statement_, parameter, &rows, kRowSourcePointer, nullptr);
}

void SqliteStatement::bind_null(int parameter) {
  if (rc_ == SQLITE_OK) rc_ = sqlite3_bind_null(statement_, parameter);
}

Result<bool> SqliteStatement::step() {
  if (rc_ != SQLITE_OK) return db_.error(rc_, "bind a parameter");
  const int rc = sqlite3_step(statement_);
  if (rc == SQLITE_ROW) return true;
  if (rc == SQLITE_DONE) return false;
  return db_.error(rc, "run a statement");
}

void SqliteStatement::reset() {
  sqlite3_reset(statement_);
  rc_ = SQLITE_OK;
}

void SqliteStatement::clear() {
  reset();
  sqlite3_clear_bindings(statement_);
}

int64_t SqliteStatement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}
bool SqliteStatement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}
std::string_view SqliteStatement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}
std::string_view SqliteStatement::blob(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

}  // namespace gproxy::storage
