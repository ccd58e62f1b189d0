// SqlStore's retention: a small number of the oldest rows goes in each step, so that no batch waits
// for a big deletion.
#include <algorithm>

#include "storage/sql_store.h"

namespace gproxy::storage {
namespace {

constexpr int64_t kRowsPerStep = 500;
// Steps of the bound by size: the smaller ones near it, and where there are few rows.
constexpr int64_t kSteps[] = {kRowsPerStep, 50, 5, 1};
constexpr int64_t kNearBytes = 4 << 20;

}  // namespace

Result<bool> SqlStore::prune_table(std::string_view table, int64_t before_us) {
  std::string sql = "DELETE FROM ";
  sql.append(table).append(" WHERE id IN (SELECT id FROM ").append(table);
  sql.append(" WHERE at < $1 ORDER BY at LIMIT ").append(std::to_string(kRowsPerStep)).append(")");
  Query query(*db_, sql);
  GP_CHECK(query.with(before_us).run());
  return db_->changes() >= kRowsPerStep;
}

// The same for logs, whose size goes down by that. Returns how many rows went.
Result<int64_t> SqlStore::prune_logs(LogTable table, int64_t before_us) {
  if (!log_size_->wants_rows()) {
    GP_TRY([[maybe_unused]] const bool more, prune_table(name(table), before_us));
    return db_->changes();
  }
  int64_t rows = 0;
  GP_CHECK(in_transaction([&]() -> Result<void> {
    const std::string of(name(table));
    Query query(*db_, "DELETE FROM " + of + " WHERE id IN (SELECT id FROM " + of +
                          " WHERE at < $1 ORDER BY at LIMIT " + std::to_string(kRowsPerStep) +
                          ") RETURNING id, " + log_bytes_sql(table, db_->dialect()));
    query.with(before_us);
    for (;; ++rows) {
      GP_TRY(const bool more, query.step());
      if (!more) return ok();
      log_size_->change(table, query.integer(0), -query.integer(1));
    }
  }));
  return rows;
}

// The oldest rows of all log tables go together, so that what is left of a time is whole.
Result<bool> SqlStore::prune_by_size(int64_t limit_bytes) {
  GP_TRY(const bool counting, log_size_->count_some());
  if (counting) return true;
  GP_TRY(const int64_t bytes, log_size_->bytes());
  if (bytes <= limit_bytes) return false;
  int64_t until = INT64_MAX;
  for (const int64_t rows : kSteps) {
    if (rows == kSteps[0] && bytes - limit_bytes < kNearBytes) continue;
    for (const LogTable table : kLogTables) {
      Query nth(*db_, "SELECT at FROM " + std::string(name(table)) +
                          " ORDER BY at LIMIT 1 OFFSET " + std::to_string(rows - 1));
      GP_TRY(const bool found, nth.step());
      if (found) until = std::min(until, nth.integer(0));
    }
    if (until != INT64_MAX) break;
  }
  if (until == INT64_MAX) {
    GP_CHECK(log_size_->set_empty());
    return false;
  }
  for (const LogTable table : kLogTables) {
    GP_TRY([[maybe_unused]] const int64_t rows, prune_logs(table, until + 1));
  }
  return true;
}

Result<bool> SqlStore::prune(const Retention& retention, int64_t now_us) {
  bool more = false;
  auto old = [&](std::string_view table, int64_t keep_us) -> Result<void> {
    if (keep_us <= 0) return ok();
    GP_TRY(const bool left, prune_table(table, now_us - keep_us));
    more = more || left;
    return ok();
  };
  auto old_logs = [&](LogTable table, int64_t keep_us) -> Result<void> {
    if (keep_us <= 0) return ok();
    GP_TRY(const int64_t rows, prune_logs(table, now_us - keep_us));
    more = more || rows >= kRowsPerStep;
    return ok();
  };
  GP_CHECK(old("upstream_usages", retention.usage_us));
  GP_CHECK(old_logs(LogTable::downstream, retention.logs_us));
  GP_CHECK(old_logs(LogTable::upstream, retention.logs_us));
  GP_CHECK(old("internal_events", retention.logs_us));
  GP_CHECK(old_logs(LogTable::decisions, retention.logs_us));
  GP_CHECK(old_logs(LogTable::bodies, retention.bodies_us));
  GP_CHECK(old("audit_log", retention.audit_us));
  if (more || retention.logs_bytes <= 0) return more;
  return prune_by_size(retention.logs_bytes);
}

}  // namespace gproxy::storage
