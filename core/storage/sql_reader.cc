#include "storage/sql_reader.h"

#include <string>

#include "storage/sql_lists.h"

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

namespace {

Outcome outcome_of(int64_t number) {
  return number >= 0 && number <= static_cast<int64_t>(Outcome::refused)
             ? static_cast<Outcome>(number)
             : Outcome::failed;
}

}  // namespace

Result<UsagePage> SqlReader::list_usage(const UsageListQuery& q) {
  const ListSql list = usage_list(q, db_->dialect());
  Query query(*db_, list.text);
  list.where.bind(query);
  UsagePage page;
  for (;;) {
    GP_TRY(const bool more, query.step());
    if (!more) return page;
    if (page.rows.size() == q.limit) {
      page.more = true;
      return page;
    }
    UsageRecord& r = page.rows.emplace_back();
    r.id = query.integer(0);
    r.at = query.integer(1);
    r.trace_id = query.string(2);
    r.attempt_no = static_cast<int32_t>(query.integer(3));
    r.final = query.boolean(4);
    r.has_usage = query.boolean(5);
    r.estimated = query.boolean(6);
    r.provider = query.string(7);
    r.provider_id = query.id(8);
    r.credential_id = query.id(9);
    r.user_id = query.id(10);
    r.user_key_id = query.id(11);
    r.model = query.string(12);
    r.protocol = static_cast<int32_t>(query.integer(13));
    r.operation = static_cast<int32_t>(query.integer(14));
    r.status = static_cast<int32_t>(query.integer(15));
    r.outcome = outcome_of(query.integer(16));
    r.input = query.integer(17);
    r.output = query.integer(18);
    r.cache_read = query.integer(19);
    r.cache_write = query.integer(20);
    r.reasoning = query.integer(21);
    r.total = query.integer(22);
    r.ttft_us = query.id(23);
    r.duration_us = query.integer(24);
    r.cost_nanousd = query.id(25);
    r.price_revision = query.id(26);
  }
}

Result<std::vector<LogRecord>> SqlReader::logs_of(const LogQuery& q, bool upstream) {
  const ListSql list =
      log_list(q, upstream ? LogSide::upstream : LogSide::downstream, db_->dialect());
  Query query(*db_, list.text);
  list.where.bind(query);
  std::vector<LogRecord> rows;
  for (;;) {
    GP_TRY(const bool more, query.step());
    if (!more) return rows;
    LogRecord& r = rows.emplace_back();
    r.upstream = upstream;
    r.id = query.integer(0);
    r.at = query.integer(1);
    r.trace_id = query.string(2);
    r.provider = query.string(3);
    r.model = query.string(4);
    r.method = query.string(5);
    r.path = query.string(6);
    r.credential_id = query.id(7);
    r.user_id = query.id(8);
    r.user_key_id = query.id(9);
    r.attempt_no = static_cast<int32_t>(query.integer(10));
    r.protocol = static_cast<int32_t>(query.integer(11));
    r.operation = static_cast<int32_t>(query.integer(12));
    r.status = static_cast<int32_t>(query.integer(13));
    r.internal = query.boolean(14);
    r.stream = query.boolean(15);
    r.outcome = outcome_of(query.integer(16));
    r.error_kind = query.string(17);
    r.error_message = query.string(18);
    r.request_bytes = query.integer(19);
    r.response_bytes = query.integer(20);
    r.ttft_us = query.id(21);
    r.duration_us = query.integer(22);
  }
}

Result<LogPage> SqlReader::list_logs(const LogQuery& q) {
  std::vector<LogRecord> up, down;
  if (q.upstream) {
    GP_TRY(up, logs_of(q, true));
  }
  if (q.downstream) {
    GP_TRY(down, logs_of(q, false));
  }
  // Ids of both tables come from one sequence: (at, id) orders all rows.
  LogPage page;
  size_t u = 0, d = 0;
  while (u < up.size() || d < down.size()) {
    if (page.rows.size() == q.limit) {
      page.more = true;
      break;
    }
    const bool from_up =
        d == down.size() || (u < up.size() && (up[u].at != down[d].at ? up[u].at > down[d].at
                                                                      : up[u].id >= down[d].id));
    page.rows.push_back(std::move(from_up ? up[u++] : down[d++]));
  }
  return page;
}

Result<std::vector<LogBody>> SqlReader::bodies_of(const std::string& trace_id) {
  Query query(*db_,
              "SELECT attempt_no, direction, total_bytes, body FROM request_bodies"
              " WHERE trace_id = $1 ORDER BY id LIMIT 100");
  query.with(trace_id);
  std::vector<LogBody> out;
  for (;;) {
    GP_TRY(const bool more, query.step());
    if (!more) return out;
    LogBody& body = out.emplace_back();
    body.attempt_no = static_cast<int32_t>(query.integer(0));
    body.direction =
        query.integer(1) == 0 ? BodyRow::Direction::request : BodyRow::Direction::response;
    body.total_bytes = query.integer(2);
    body.body = std::string(query.blob(3));
  }
}

Result<std::optional<std::string>> SqlReader::decision_of(std::string_view id) {
  for (const char* sql :
       {"SELECT decision_json FROM request_decisions WHERE trace_id = $1 ORDER BY id DESC LIMIT 1",
        "SELECT decision_json FROM request_decisions WHERE request_id = $1 ORDER BY id DESC LIMIT "
        "1"}) {
    Query query(*db_, sql);
    GP_TRY(const bool found, query.with(id).step());
    if (found) return std::optional<std::string>(query.string(0));
  }
  return std::optional<std::string>();
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
    case Table::bodies:
      sql = "SELECT count(*) FROM request_bodies";
      break;
    case Table::decisions:
      sql = "SELECT count(*) FROM request_decisions";
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
