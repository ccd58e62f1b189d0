// SqlStore's retention: a small number of the oldest rows goes in each step, so that no batch waits
// for a big deletion.
#include "storage/sql_store.h"

namespace gproxy::storage {
namespace {

constexpr int64_t kRowsPerStep = 500;
// What a request row takes with its indexes, about: for the bound by size, which need not be exact.
constexpr int64_t kLogRowBytes = 700;

}  // namespace

Result<bool> SqlStore::prune_table(std::string_view table, int64_t before_us) {
  std::string sql = "DELETE FROM ";
  sql.append(table).append(" WHERE id IN (SELECT id FROM ").append(table);
  sql.append(" WHERE at < $1 ORDER BY at LIMIT ").append(std::to_string(kRowsPerStep)).append(")");
  Query query(*db_, sql);
  GP_CHECK(query.with(before_us).run());
  return db_->changes() >= kRowsPerStep;
}

// Neither counts rows: that would take seconds. SQLite knows the pages in use, of the whole
// database; PostgreSQL keeps an estimate of each table's rows.
Result<int64_t> SqlStore::log_bytes() {
  if (db_->dialect() == Dialect::sqlite) {
    GP_TRY(const int64_t pages, db_->number_of("PRAGMA page_count"));
    GP_TRY(const int64_t unused, db_->number_of("PRAGMA freelist_count"));
    GP_TRY(const int64_t size, db_->number_of("PRAGMA page_size"));
    return (pages - unused) * size;
  }
  GP_TRY(const int64_t rows,
         db_->number_of("SELECT coalesce(sum(n_live_tup), 0)::bigint FROM pg_stat_user_tables WHERE"
                        " relname IN ('downstream_requests', 'upstream_requests')"));
  GP_TRY(const int64_t bodies, db_->number_of("SELECT pg_total_relation_size('request_bodies') + "
                                              "pg_total_relation_size('request_decisions')"));
  return rows * kLogRowBytes + bodies;
}

Result<bool> SqlStore::prune(const Retention& retention, int64_t now_us) {
  bool more = false;
  auto old = [&](std::string_view table, int64_t keep_us) -> Result<void> {
    if (keep_us <= 0) return ok();
    GP_TRY(const bool left, prune_table(table, now_us - keep_us));
    more = more || left;
    return ok();
  };
  GP_CHECK(old("upstream_usages", retention.usage_us));
  GP_CHECK(old("downstream_requests", retention.logs_us));
  GP_CHECK(old("upstream_requests", retention.logs_us));
  GP_CHECK(old("internal_events", retention.logs_us));
  GP_CHECK(old("request_decisions", retention.logs_us));
  GP_CHECK(old("request_bodies", retention.bodies_us));
  GP_CHECK(old("audit_log", retention.audit_us));
  if (more || retention.logs_bytes <= 0) return more;
  if (excess_rows_ <= 0) {
    if (now_us - sized_at_us_ < kFiveMinutesUs) return false;
    sized_at_us_ = now_us;
    GP_TRY(const int64_t bytes, log_bytes());
    excess_rows_ = (bytes - retention.logs_bytes) / kLogRowBytes;
    if (excess_rows_ <= 0) return false;
  }
  int64_t deleted = 0;
  for (const char* table :
       {"request_bodies", "request_decisions", "downstream_requests", "upstream_requests"}) {
    // The oldest of each table; which of them goes first does not matter.
    GP_TRY([[maybe_unused]] const bool left, prune_table(table, now_us));
    deleted += db_->changes();
  }
  excess_rows_ = deleted == 0 ? 0 : excess_rows_ - deleted;
  return excess_rows_ > 0;
}

}  // namespace gproxy::storage
