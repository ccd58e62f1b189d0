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

Result<std::unique_ptr<Db>> Db::open(const std::string& path, Access access,
                                     int64_t busy_timeout_ms) {
  configure_library();
  auto db = std::unique_ptr<Db>(new Db());
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
  sqlite3_progress_handler(db->db_, kProgressInstructions, &Db::on_progress, db.get());
  return db;
}

Db::~Db() {
  for (auto& [sql, statement] : cache_) sqlite3_finalize(statement);
  sqlite3_close(db_);
}

int Db::on_progress(void* self) {
  auto* db = static_cast<Db*>(self);
  if (db->interrupted_.load(std::memory_order_relaxed)) return 1;
  return db->deadline_ms_ != 0 && Clock::system().now_ms() > db->deadline_ms_ ? 1 : 0;
}

void Db::begin_statement() {
  deadline_ms_ = timeout_ms_ > 0 ? Clock::system().now_ms() + timeout_ms_ : 0;
}

Error Db::error(int rc, std::string_view what) const {
  const std::string detail = db_ != nullptr ? sqlite3_errmsg(db_) : sqlite3_errstr(rc);
  const std::string message = "cannot " + std::string(what) + ": " + detail;
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

Result<void> Db::exec(const std::string& sql) {
  begin_statement();
  const int rc = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
  if (rc != SQLITE_OK) return error(rc, "run a statement");
  return ok();
}

Result<std::string> Db::text_of(const std::string& sql) {
  Query query(*this, sql);
  GP_TRY(const bool row, query.step());
  return row ? query.string(0) : std::string();
}

Result<int64_t> Db::number_of(const std::string& sql) {
  Query query(*this, sql);
  GP_TRY(const bool row, query.step());
  return row ? query.integer(0) : int64_t{0};
}

int64_t Db::changes() const {
  return sqlite3_changes64(db_);
}
bool Db::in_transaction() const {
  return sqlite3_get_autocommit(db_) == 0;
}

void Db::rollback() {
  if (in_transaction()) sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
}

sqlite3_stmt* Db::statement(const char* sql, int& rc) {
  if (const auto found = cache_.find(sql); found != cache_.end()) return found->second;
  sqlite3_stmt* made = nullptr;
  rc = sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &made, nullptr);
  if (rc == SQLITE_OK) cache_.emplace(sql, made);
  return made;
}

Query::Query(Db& db, const char* sql) : db_(db) {
  db_.begin_statement();
  statement_ = db_.statement(sql, rc_);
}

Query::Query(Db& db, const std::string& sql) : db_(db), owned_(true) {
  db_.begin_statement();
  rc_ =
      sqlite3_prepare_v2(db_.db_, sql.c_str(), static_cast<int>(sql.size()), &statement_, nullptr);
}

Query::~Query() {
  if (owned_) {
    sqlite3_finalize(statement_);
  } else if (statement_ != nullptr) {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
}

Query& Query::with(int64_t value) {
  if (rc_ == SQLITE_OK) rc_ = sqlite3_bind_int64(statement_, next_parameter_++, value);
  return *this;
}

Query& Query::with(std::string_view text) {
  // A null pointer would bind NULL, and an empty text is a text.
  const char* bytes = text.data() == nullptr ? "" : text.data();
  if (rc_ == SQLITE_OK) {
    rc_ = sqlite3_bind_text(statement_, next_parameter_++, bytes, static_cast<int>(text.size()),
                            SQLITE_STATIC);
  }
  return *this;
}

Query& Query::with_blob(std::string_view bytes) {
  const char* data = bytes.data() == nullptr ? "" : bytes.data();
  if (rc_ == SQLITE_OK) {
    rc_ = sqlite3_bind_blob(statement_, next_parameter_++, data, static_cast<int>(bytes.size()),
                            SQLITE_STATIC);
  }
  return *this;
}

Query& Query::with_null() {
  if (rc_ == SQLITE_OK) rc_ = sqlite3_bind_null(statement_, next_parameter_++);
  return *this;
}

Result<bool> Query::step() {
  if (rc_ != SQLITE_OK) return db_.error(rc_, "prepare a statement");
  const int rc = sqlite3_step(statement_);
  if (rc == SQLITE_ROW) return true;
  if (rc == SQLITE_DONE) return false;
  return db_.error(rc, "run a statement");
}

Result<void> Query::run() {
  GP_TRY([[maybe_unused]] const bool row, step());
  return ok();
}

void Query::again() {
  if (statement_ != nullptr) sqlite3_reset(statement_);
  next_parameter_ = 1;
}

int64_t Query::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}
bool Query::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}
std::string_view Query::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}
std::string_view Query::blob(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}
std::optional<std::string> Query::optional_string(int column) const {
  if (is_null(column)) return std::nullopt;
  return string(column);
}

}  // namespace gproxy::storage
