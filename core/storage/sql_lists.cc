#include "storage/sql_lists.h"

#include <string>

#include "storage/sql_reader.h"

namespace gproxy::storage {
namespace {

constexpr std::string_view kUsageColumns =
    "SELECT id, at, trace_id, attempt_no, final, has_usage, estimated, provider, provider_id,"
    " credential_id, user_id, user_key_id, model, protocol, operation, status, outcome,"
    " input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,"
    " total_tokens, ttft_us, duration_us, cost_nanousd, price_revision";

constexpr std::string_view kUpstreamColumns =
    "SELECT id, at, trace_id, provider, model, request_method, request_path, credential_id,"
    " user_id, user_key_id, attempt_no, protocol, operation, response_status, internal, stream,"
    " outcome, error_kind, error_message, request_bytes, response_bytes, ttft_us, duration_us";

constexpr std::string_view kDownstreamColumns =
    "SELECT id, at, trace_id, provider, model, request_method, request_path, NULL,"
    " user_id, user_key_id, 0, protocol, operation, response_status, 0, stream,"
    " outcome, error_code, NULL, request_bytes, response_bytes, ttft_us, duration_us";

constexpr std::string_view kNewestFirst = " ORDER BY at DESC, id DESC LIMIT ";

// Rows older than the cursor. The first half alone lets an index end the scan.
void older_than(Where& where, const std::optional<Cursor>& before) {
  if (!before) return;
  where.add("at", "<=", before->at);
  where.not_both("at", before->at, "id", ">=", before->id);
}

// The newest rows of `table` that match. SQLite filters by what an index holds before it looks a
// row up. PostgreSQL does so only where the index answers the whole query: it is asked for the ids
// first, and then for the rows of one page.
std::string newest(std::string_view columns, std::string_view table, const Where& where,
                   size_t limit, Dialect dialect) {
  const std::string matching =
      std::string(table) + where.sql() + std::string(kNewestFirst) + std::to_string(limit + 1);
  std::string text(columns);
  if (dialect == Dialect::sqlite) return text.append(" FROM ").append(matching);
  text.append(" FROM ").append(table).append(" JOIN (SELECT id AS page_id FROM ");
  return text.append(matching).append(") page ON id = page_id ORDER BY at DESC, id DESC");
}

// PostgreSQL: the newest rows of each model whose name `where` accepts, and of these the newest. An
// index leads from one distinct name to the next; there are far fewer of them than rows.
std::string newest_by_model(const Where& where, size_t limit) {
  const std::string rows = std::to_string(limit + 1);
  std::string text(kUsageColumns);
  text.append(
      " FROM upstream_usages JOIN (WITH RECURSIVE names(name) AS ("
      "(SELECT model FROM upstream_usages WHERE model IS NOT NULL ORDER BY model LIMIT 1)"
      " UNION ALL SELECT (SELECT model FROM upstream_usages WHERE model > name ORDER BY model"
      " LIMIT 1) FROM names WHERE name IS NOT NULL)"
      " SELECT page_id FROM names CROSS JOIN LATERAL"
      " (SELECT id AS page_id, at AS page_at FROM upstream_usages");
  text.append(where.sql()).append(kNewestFirst).append(rows);
  text.append(") found ORDER BY page_at DESC, page_id DESC LIMIT ").append(rows);
  return text.append(") page ON id = page_id ORDER BY at DESC, id DESC");
}

}  // namespace

ListSql usage_list(const UsageListQuery& q, Dialect dialect) {
  const UsageFilter& f = q.filter;
  Where where;
  where.add("at", ">=", f.from).add("at", "<=", f.to);
  where.equals("provider", f.provider).equals("credential_id", f.credential_id);
  where.equals("user_id", f.user_id).equals("user_key_id", f.user_key_id).equals("model", f.model);
  if (f.model_contains) {
    // SQLite's LIKE ignores the case of ASCII letters by itself and makes no copy of each model.
    if (dialect == Dialect::sqlite) {
      where.with("model LIKE ? ESCAPE '\\'", like_anywhere(*f.model_contains));
    } else {
      where.with("model = name AND strpos(lower(name), lower(?)) > 0", *f.model_contains);
    }
  }
  where.equals("trace_id", q.trace_id);
  if (q.status_min) where.add("status", ">=", *q.status_min);
  if (q.status_max) where.add("status", "<=", *q.status_max);
  if (q.outcome) where.add("outcome", "=", static_cast<int64_t>(*q.outcome));
  older_than(where, q.before);
  if (f.model_contains && dialect == Dialect::postgres)
    return {newest_by_model(where, q.limit), where};
  return {newest(kUsageColumns, "upstream_usages", where, q.limit, dialect), where};
}

ListSql log_list(const LogQuery& q, LogSide side, Dialect dialect) {
  Where where;
  where.add("at", ">=", q.from).add("at", "<=", q.to);
  if (side == LogSide::upstream) {
    where.equals("provider", q.provider).equals("credential_id", q.credential_id);
    where.equals("operation", q.operation);
  }
  where.equals("user_id", q.user_id).equals("user_key_id", q.user_key_id);
  where.equals("trace_id", q.trace_id);
  if (q.status_min) where.add("response_status", ">=", *q.status_min);
  if (q.status_max) where.add("response_status", "<=", *q.status_max);
  if (q.path_contains) {
    where.with(
        dialect == Dialect::sqlite ? "instr(request_path, ?) > 0" : "strpos(request_path, ?) > 0",
        *q.path_contains);
  }
  older_than(where, q.before);
  const bool upstream = side == LogSide::upstream;
  return {newest(upstream ? kUpstreamColumns : kDownstreamColumns,
                 upstream ? "upstream_requests" : "downstream_requests", where, q.limit, dialect),
          where};
}

}  // namespace gproxy::storage
