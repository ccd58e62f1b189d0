// How much the logs take: request rows of both sides, bodies and decisions, with their indexes, by
// an estimate from what each row holds; what else is in the database does not count. It is kept in
// the database from the first time that somebody asks on (nobody asks while retention.log_megabytes
// is 0, and then nothing is counted), and changes in the transactions that add and delete the rows.
// The writer thread's, owned by the SqlStore.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "storage/records.h"
#include "storage/sql_db.h"

namespace gproxy::storage {

enum class LogTable : uint8_t { bodies = 0, decisions = 1, downstream = 2, upstream = 3 };
inline constexpr std::array kLogTables = {LogTable::bodies, LogTable::decisions,
                                          LogTable::downstream, LogTable::upstream};
const char* name(LogTable table);  // in SQL

constexpr LogTable table_of(const BodyRow&) {
  return LogTable::bodies;
}
constexpr LogTable table_of(const DecisionRow&) {
  return LogTable::decisions;
}
constexpr LogTable table_of(const RequestRow&) {
  return LogTable::downstream;
}
constexpr LogTable table_of(const UpstreamRequestRow&) {
  return LogTable::upstream;
}
int64_t log_bytes_of(const BodyRow& row, Dialect dialect);
int64_t log_bytes_of(const DecisionRow& row, Dialect dialect);
int64_t log_bytes_of(const RequestRow& row, Dialect dialect);
int64_t log_bytes_of(const UpstreamRequestRow& row, Dialect dialect);
// The same of a row in the database, as an expression in SQL.
std::string log_bytes_sql(LogTable table, Dialect dialect);

class LogSize {
 public:
  explicit LogSize(Db& db) : db_(db) {}
  // Finds out whether it is kept.
  Result<void> open();
  // Must added and deleted rows be told?
  bool wants_rows() const { return state_ != State::unknown; }
  // In a transaction; a row that goes has `bytes` < 0.
  void change(LogTable table, int64_t id, int64_t bytes) {
    if (id <= cursors_[static_cast<size_t>(table)]) change_ += bytes;
  }
  Result<void> before_commit();
  void committed();
  void rolled_back();

  // A small step towards bytes() where it is not kept yet. True when another one is due.
  Result<bool> count_some();
  // REQUIRES: count_some() has nothing to do.
  Result<int64_t> bytes();
  // There are no rows: whatever it says.
  Result<void> set_empty();

 private:
  enum class State : uint8_t { unknown, counting, kept };
  void start_over();

  Db& db_;
  State state_ = State::unknown;
  // Rows up to these ids are counted; INT64_MAX: all.
  std::array<int64_t, kLogTables.size()> cursors_{};
  int64_t counted_ = 0;  // while counting
  int64_t change_ = 0;   // by the transaction that runs
};

}  // namespace gproxy::storage
