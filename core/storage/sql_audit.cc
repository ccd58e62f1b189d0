// The audit log: written by the Store, read by a Reader.
#include "storage/sql_reader.h"
#include "storage/sql_store.h"

namespace gproxy::storage {

Result<void> SqlStore::append_audit(const AuditRow& row) {
  return in_transaction([&]() -> Result<void> {
    GP_TRY(const int64_t id, next_id("audit_log"));
    Query insert(*db_,
                 "INSERT INTO audit_log (id, at, actor, client, action, target, status, error_code,"
                 " detail_json) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
    insert.with(id).with(row.at).with(row.actor).with_text_or_null(row.client).with(row.action);
    insert.with_text_or_null(row.target).with(row.status).with_text_or_null(row.error_code);
    return insert.with(row.detail_json).run();
  });
}

Result<std::vector<AuditRow>> SqlReader::list_audit(const AuditFilter& filter) {
  std::string sql =
      "SELECT id, at, actor, client, action, target, status, error_code, detail_json"
      " FROM audit_log WHERE at >= $1 AND at <= $2";
  int parameter = 2;
  const auto next = [&parameter] { return "$" + std::to_string(++parameter); };
  const bool cursor = filter.cursor_at >= 0;
  if (cursor) {
    // In both databases a row value compares as its first difference does.
    sql += " AND (at, id) < (" + next();
    sql += ", " + next() + ")";
  }
  if (!filter.action.empty()) sql += " AND action = " + next();
  std::string pattern;
  if (!filter.target_contains.empty()) {
    pattern = like_anywhere(filter.target_contains);
    sql += " AND target LIKE " + next() + " ESCAPE '\\'";
  }
  sql += " ORDER BY at DESC, id DESC LIMIT " + next();
  Query query(*db_, sql);
  query.with(filter.from).with(filter.to);
  if (cursor) query.with(filter.cursor_at).with(filter.cursor_id);
  if (!filter.action.empty()) query.with(filter.action);
  if (!pattern.empty()) query.with(pattern);
  query.with(filter.limit);
  std::vector<AuditRow> out;
  for (;;) {
    GP_TRY(const bool more, query.step());
    if (!more) return out;
    AuditRow row;
    row.id = query.integer(0);
    row.at = query.integer(1);
    row.actor = query.string(2);
    row.client = query.string(3);
    row.action = query.string(4);
    row.target = query.string(5);
    row.status = static_cast<int32_t>(query.integer(6));
    row.error_code = query.string(7);
    row.detail_json = query.string(8);
    out.push_back(std::move(row));
  }
}

}  // namespace gproxy::storage
