// One connection to a SQL database, in the few terms the store needs: statements with parameters,
// transactions, a timeout, errors as Result. Two kinds stand behind it, SQLite (sqlite_db.h) and
// PostgreSQL (postgres_db.h); SQL text that both read is written once. A Db belongs to one thread
// at a time; interrupt() may be called on any.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "storage/migrations/migrations.h"

namespace gproxy::storage {

// One prepared statement. Parameters and columns: parameters count from 1, columns from 0. Text is
// not copied: it must outlive the step that uses it.
class Statement {
 public:
  virtual ~Statement() = default;
  virtual void bind_integer(int parameter, int64_t value) = 0;
  virtual void bind_text(int parameter, std::string_view text) = 0;
  virtual void bind_blob(int parameter, std::string_view bytes) = 0;
  virtual void bind_null(int parameter) = 0;
  // True when there is a row. The first step runs the statement.
  virtual Result<bool> step() = 0;
  // Ready to run again; what is bound stays.
  virtual void reset() = 0;
  // reset(), and nothing is bound any more.
  virtual void clear() = 0;

  virtual int64_t integer(int column) const = 0;  // also of booleans: 0 and 1
  virtual bool is_null(int column) const = 0;
  virtual std::string_view text(int column) const = 0;  // valid until the next step
  virtual std::string_view blob(int column) const = 0;
};

class Db {
 public:
  enum class Intent : uint8_t { read, write };

  virtual ~Db() = default;
  virtual Dialect dialect() const = 0;

  // One or more statements without parameters.
  virtual Result<void> exec(const std::string& sql) = 0;
  // read: everything that follows sees the database as of one moment. write: locks, where the
  // database knows only one writer.
  virtual Result<void> begin(Intent intent) = 0;
  virtual Result<void> commit() = 0;
  // Rolls back what is open; harmless otherwise.
  virtual void rollback() = 0;
  virtual bool in_transaction() const = 0;
  // The statements of this transaction have no timeout.
  virtual Result<void> take_time() { return ok(); }
  // Rows changed by the last statement.
  virtual int64_t changes() const = 0;

  // Statements begun after this end after `timeout_ms` (0 = never).
  virtual void set_timeout_ms(int64_t timeout_ms) = 0;
  // Ends the running statement and every later one. Any thread.
  virtual void interrupt() = 0;

  // Is there such a table? How many tables are there at all?
  virtual Result<bool> has_table(const std::string& name) = 0;
  virtual Result<int64_t> count_tables() = 0;

  // `sql` is a literal (the cache knows it by its address). The Db owns the statement.
  virtual Result<Statement*> cached(const char* sql) = 0;
  // A text of this moment.
  virtual Result<std::unique_ptr<Statement>> prepare(const std::string& sql) = 0;

  // First column of the first row.
  Result<std::string> text_of(const std::string& sql);
  Result<int64_t> number_of(const std::string& sql);
};

// One use of a statement; the destructor makes a cached one ready for the next use. Parameters are
// $1, $2, … in the order of their first appearance.
class Query {
 public:
  Query(Db& db, const char* sql);
  Query(Db& db, const std::string& sql);
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  Query& with(int64_t value) {
    if (statement_ != nullptr) statement_->bind_integer(next_parameter_++, value);
    return *this;
  }
  Query& with(bool value) { return with(int64_t{value}); }
  Query& with(int32_t value) { return with(int64_t{value}); }
  Query& with(std::string_view text) {
    if (statement_ != nullptr) statement_->bind_text(next_parameter_++, text);
    return *this;
  }
  Query& with(const std::string& text) { return with(std::string_view(text)); }
  Query& with(const char* text) { return with(std::string_view(text)); }
  Query& with_blob(std::string_view bytes) {
    if (statement_ != nullptr) statement_->bind_blob(next_parameter_++, bytes);
    return *this;
  }
  Query& with_null() {
    if (statement_ != nullptr) statement_->bind_null(next_parameter_++);
    return *this;
  }
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

  int64_t integer(int column) const { return statement_->integer(column); }
  bool boolean(int column) const { return integer(column) != 0; }
  bool is_null(int column) const { return statement_->is_null(column); }
  std::string_view text(int column) const { return statement_->text(column); }
  std::string_view blob(int column) const { return statement_->blob(column); }
  std::string string(int column) const { return std::string(text(column)); }
  // -1 for NULL, as rows have it.
  int64_t id(int column) const { return is_null(column) ? -1 : integer(column); }
  std::optional<std::string> optional_string(int column) const {
    if (is_null(column)) return std::nullopt;
    return string(column);
  }

 private:
  Statement* statement_ = nullptr;  // null: it could not be prepared, see error_
  std::unique_ptr<Statement> owned_;
  std::optional<Error> error_;
  int next_parameter_ = 1;
};

}  // namespace gproxy::storage
