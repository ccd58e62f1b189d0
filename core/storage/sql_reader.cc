#include "storage/sql_reader.h"

#include <string>

namespace gproxy::storage {

std::string like_anywhere(std::string_view text) {
  std::string out = "%";
  for (char c : text) {
    if (c == '%' || c == '_' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  out.push_back('%');
  return out;
}

Result<UsageTotals> SqlReader::usage_totals(const UsageFilter& filter) {
  std::string sql =
      "SELECT count(*), coalesce(sum(CASE WHEN has_usage THEN 1 ELSE 0 END), 0),"
      " coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0),"
      " coalesce(sum(cache_read_tokens), 0), coalesce(sum(cache_write_tokens), 0),"
      " coalesce(sum(reasoning_tokens), 0) FROM upstream_usages WHERE at >= $1 AND at <= $2";
  int parameter = 2;
  auto next = [&parameter] { return "$" + std::to_string(++parameter); };
  if (filter.provider) sql += " AND provider = " + next();
  if (filter.credential_id) sql += " AND credential_id = " + next();
  if (filter.model) sql += " AND model = " + next();
  std::string pattern;
  if (filter.model_contains) {
    pattern = like_anywhere(*filter.model_contains);
    sql += " AND model LIKE " + next() + " ESCAPE '\\'";
  }
  Query query(*db_, sql);
  query.with(filter.from).with(filter.to);
  if (filter.provider) query.with(*filter.provider);
  if (filter.credential_id) query.with(*filter.credential_id);
  if (filter.model) query.with(*filter.model);
  if (filter.model_contains) query.with(pattern);
  GP_TRY(const bool row, query.step());
  UsageTotals totals;
  if (!row) return totals;
  totals.attempts = query.integer(0);
  totals.rows = query.integer(1);
  totals.input = query.integer(2);
  totals.output = query.integer(3);
  totals.cache_read = query.integer(4);
  totals.cache_write = query.integer(5);
  totals.reasoning = query.integer(6);
  return totals;
}

Result<int64_t> SqlReader::count_rows(Table table) {
  const char* sql = nullptr;
  switch (table) {
    case Table::usage:
      sql = "SELECT count(*) FROM upstream_usages";
      break;
    case Table::requests:
      sql = "SELECT count(*) FROM downstream_requests";
      break;
    case Table::upstream_requests:
      sql = "SELECT count(*) FROM upstream_requests";
      break;
    case Table::internal_events:
      sql = "SELECT count(*) FROM internal_events";
      break;
  }
  if (sql == nullptr) return internal_error("no such table");
  Query query(*db_, sql);
  GP_TRY([[maybe_unused]] const bool row, query.step());
  return query.integer(0);
}

Result<std::optional<ResponseOwner>> SqlReader::response_owner(std::string_view response_id,
                                                               int64_t user_id) {
  Query query(*db_,
              "SELECT provider_id, credential_id, at FROM response_owners"
              " WHERE response_id = $1 AND user_id = $2");
  GP_TRY(const bool found, query.with(response_id).with(user_id).step());
  if (!found) return std::optional<ResponseOwner>();
  const ResponseOwner owner{query.integer(0), query.integer(1), query.integer(2)};
  if (owner.at + kResponseLifeUs < Clock::system().wall_us()) return std::optional<ResponseOwner>();
  return std::optional<ResponseOwner>(owner);
}

Result<void> SqlReader::ping() {
  Query query(*db_, "SELECT revision FROM config_state WHERE id = 1");
  return query.run();
}

}  // namespace gproxy::storage
