// A thin layer over SQLite's C interface: one connection with cached statements, errors as Result.
// The only place besides sqlite_db.cc that SQLite's types show is a forward declaration here. A Db
// belongs to one thread at a time; interrupt() may be called on any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace gproxy::storage {

class Db {
 public:
  enum class Access : uint8_t { read_only, read_write, create };
  // `path` may be a file: URI. Errors: "storage_unavailable", "storage_error".
  static Result<std::unique_ptr<Db>> open(const std::string& path, Access access,
                                          int64_t busy_timeout_ms);
  ~Db();
  Db(const Db&) = delete;
  Db& operator=(const Db&) = delete;

  // One or more statements without parameters.
  Result<void> exec(const std::string& sql);
  // First column of the first row; for pragmas.
  Result<std::string> text_of(const std::string& sql);
  Result<int64_t> number_of(const std::string& sql);

  // Rows changed by the last statement.
  int64_t changes() const;
  bool in_transaction() const;
  // Rolls back what is open; harmless otherwise.
  void rollback();

  // Statements begun after this end after `timeout_ms` (0 = never).
  void set_timeout_ms(int64_t timeout_ms) { timeout_ms_ = timeout_ms; }
  // Ends the running statement and every later one.
  void interrupt() { interrupted_.store(true, std::memory_order_relaxed); }

  // `what` is for the message.
  Error error(int rc, std::string_view what) const;

 private:
  friend class Query;
  Db() = default;
  sqlite3_stmt* statement(const char* sql, int& rc);
  static int on_progress(void* self);
  void begin_statement();

  sqlite3* db_ = nullptr;
  std::unordered_map<const char*, sqlite3_stmt*> cache_;  // by address: the keys are literals
  int64_t timeout_ms_ = 0;
  int64_t deadline_ms_ = 0;
  std::atomic<bool> interrupted_{false};
};

// One use of a cached statement; the destructor makes it ready for the next. Parameters are $1, $2,
// … in the order of their first appearance. Text is not copied: it must outlive the use.
class Query {
 public:
  // `sql` is a literal (the cache knows it by its address).
  Query(Db& db, const char* sql);
  // A text of this moment, prepared for this use alone.
  Query(Db& db, const std::string& sql);
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  Query& with(int64_t value);
  Query& with(bool value) { return with(int64_t{value}); }
  Query& with(int32_t value) { return with(int64_t{value}); }
  Query& with(std::string_view text);
  Query& with(const std::string& text) { return with(std::string_view(text)); }
  Query& with(const char* text) { return with(std::string_view(text)); }
  Query& with_blob(std::string_view bytes);
  Query& with_null();
  template <class T>
  Query& with(const std::optional<T>& value) {
    return value ? with(*value) : with_null();
  }
  // NULL for an empty text, or for the value that stands for nothing.
  Query& with_text_or_null(std::string_view text) {
    return text.empty() ? with_null() : with(text);
  }
  Query& with_id(int64_t id) { return id < 0 ? with_null() : with(id); }

  // True when there is a row.
  Result<bool> step();
  // For statements whose rows do not matter.
  Result<void> run();
  // Ready to bind (every parameter) and run once more.
  void again();

  int64_t integer(int column) const;
  bool boolean(int column) const { return integer(column) != 0; }
  bool is_null(int column) const;
  std::string_view text(int column) const;  // valid until the next step
  std::string_view blob(int column) const;
  std::string string(int column) const { return std::string(text(column)); }
  std::optional<std::string> optional_string(int column) const;

 private:
  Db& db_;
  sqlite3_stmt* statement_ = nullptr;
  int rc_ = 0;
  int next_parameter_ = 1;
  bool owned_ = false;
};

}  // namespace gproxy::storage
