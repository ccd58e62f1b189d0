// Db on SQLite's C interface: one connection with cached statements. SQLite's types show here as
// forward declarations only.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "storage/sql_db.h"
#include "storage/sqlite_rows.h"

struct sqlite3;
struct sqlite3_stmt;

namespace gproxy::storage {

class SqliteDb;

class SqliteStatement final : public Statement {
 public:
  SqliteStatement(SqliteDb& db, sqlite3_stmt* statement) : db_(db), statement_(statement) {}
  ~SqliteStatement() override;
  void bind_integer(int parameter, int64_t value) override;
  void bind_text(int parameter, std::string_view text) override;
  void bind_blob(int parameter, std::string_view bytes) override;
  void bind_null(int parameter) override;
  Result<bool> step() override;
  void reset() override;
  void clear() override;
  void bind_rows(int parameter, RowSource& rows);
  int64_t integer(int column) const override;
  bool is_null(int column) const override;
  std::string_view text(int column) const override;
  std::string_view blob(int column) const override;

 private:
  SqliteDb& db_;
  sqlite3_stmt* statement_;
  int rc_ = 0;
};

class SqliteDb final : public Db {
 public:
  enum class Access : uint8_t { read_only, read_write, create };
  // `path` may be a file: URI. Errors: "storage_unavailable", "storage_error".
  static Result<std::unique_ptr<SqliteDb>> open(const std::string& path, Access access,
                                                int64_t busy_timeout_ms);
  ~SqliteDb() override;
  SqliteDb(const SqliteDb&) = delete;
  SqliteDb& operator=(const SqliteDb&) = delete;

  Dialect dialect() const override { return Dialect::sqlite; }
  Result<void> exec(const std::string& sql) override;
  Result<void> begin(Intent intent) override;
  Result<void> commit() override;
  void rollback() override;
  bool in_transaction() const override;
  int64_t changes() const override;
  void set_timeout_ms(int64_t timeout_ms) override { timeout_ms_ = timeout_ms; }
  void interrupt() override { interrupted_.store(true, std::memory_order_relaxed); }
  Result<bool> has_table(const std::string& name) override;
  Result<int64_t> count_tables() override;
  Result<Statement*> cached(const char* sql) override;
  Result<std::unique_ptr<Statement>> prepare(const std::string& sql) override;

  // Runs a statement that takes rows by `gproxy_rows($1)`; `sql` is a literal. How many rows it
  // changed.
  Result<int64_t> insert_rows(const char* sql, RowSource& rows);

  // From now on nobody but checkpoint() moves pages from the log into the database, and
  // log_pages() tells how long the log is since the last commit of this connection.
  void tend_log_by_hand();
  int log_pages() const { return log_pages_; }
  // As many of them as no reader still needs. True when that was all: the log begins anew.
  bool checkpoint();

  // `what` is for the message.
  Error error(int rc, std::string_view what) const;

 private:
  SqliteDb() = default;
  static int on_progress(void* self);
  static int on_commit(void* self, sqlite3* db, const char* name, int pages);
  void begin_statement();

  sqlite3* db_ = nullptr;
  // By address: the keys are literals.
  std::unordered_map<const char*, std::unique_ptr<SqliteStatement>> cache_;
  int64_t timeout_ms_ = 0;
  int64_t deadline_ms_ = 0;
  mutable bool damaged_ = false;  // what was read is no database's; rollback() forgets it
  std::atomic<bool> interrupted_{false};
  int log_pages_ = 0;
};

}  // namespace gproxy::storage
