// GET /admin/audit: who changed or revealed what, newest first.
#include <algorithm>

#include "admin/api.h"
#include "base/clock.h"
#include "base/strings.h"

namespace gproxy::admin {
namespace {

Error bad(std::string_view code, std::string message) {
  return Error{ErrorKind::invalid, code, std::move(message)};
}

Result<int64_t> time_parameter(std::string_view query, std::string_view name, std::string_view code,
                               int64_t otherwise) {
  const auto text = query_parameter(query, name);
  if (!text) return otherwise;
  const auto at = parse_rfc3339(*text);
  if (!at) return bad(code, "must be a time as 2026-01-31T12:00:00Z");
  return *at;
}

Result<storage::AuditFilter> read_filter(std::string_view query, int64_t now_us) {
  constexpr int64_t kDefaultRange = int64_t{30} * 86'400 * 1'000'000;
  storage::AuditFilter filter;
  GP_TRY(filter.to, time_parameter(query, "to", "invalid_to", now_us));
  GP_TRY(filter.from, time_parameter(query, "from", "invalid_from", filter.to - kDefaultRange));
  if (filter.to < filter.from) return bad("invalid_range", "`to` must be >= `from`");
  filter.action = query_parameter(query, "action").value_or("");
  filter.target_contains = query_parameter(query, "target_contains").value_or("");
  if (const auto text = query_parameter(query, "limit")) {
    const auto limit = parse_int(*text);
    if (!limit) return bad("invalid_limit", "must be a number");
    filter.limit = static_cast<int32_t>(std::clamp<int64_t>(*limit, 1, 500));
  }
  const auto cursor_at = query_parameter(query, "cursor_at");
  const auto cursor_id = query_parameter(query, "cursor_id");
  if (cursor_at.has_value() != cursor_id.has_value()) {
    return bad("invalid_cursor", "cursor_at and cursor_id go together");
  }
  if (cursor_at) {
    const auto at = parse_rfc3339(*cursor_at);
    if (!at) return bad("invalid_cursor_at", "must be a time as 2026-01-31T12:00:00Z");
    const auto id = parse_int(*cursor_id);
    if (!id) return bad("invalid_cursor", "cursor_id must be a number");
    filter.cursor_at = *at;
    filter.cursor_id = *id;
  }
  return filter;
}

void write_row(json::Writer& w, const storage::AuditRow& row) {
  const auto text = [&](std::string_view name, const std::string& value) {
    w.key(name);
    value.empty() ? w.null() : w.string(value);
  };
  w.begin_object();
  w.field("id", row.id);
  w.field("at", rfc3339(row.at));
  w.field("actor", row.actor);
  text("client", row.client);
  w.field("action", row.action);
  text("target", row.target);
  w.field("status", row.status);
  text("error", row.error_code);
  w.key("detail");
  w.raw(row.detail_json);
  w.end_object();
}

}  // namespace

void list_audit(ContextPtr c) {
  auto filter = read_filter(c->request.query, c->plane.clock().wall_us());
  if (!filter.ok()) return c->respond(error_response(filter.error()));
  c->query([filter = *filter](storage::Reader& reader) -> Result<std::string> {
    auto one_more = filter;
    ++one_more.limit;
    GP_TRY(auto rows, reader.list_audit(one_more));
    const bool more = rows.size() > static_cast<size_t>(filter.limit);
    if (more) rows.pop_back();
    std::string out;
    json::Writer w(out);
    w.begin_object();
    w.field("from", rfc3339(filter.from));
    w.field("to", rfc3339(filter.to));
    w.field("limit", filter.limit);
    w.field("has_more", more);
    w.key("next_cursor_at");
    more ? w.string(rfc3339(rows.back().at)) : w.null();
    w.key("next_cursor_id");
    more ? w.integer(rows.back().id) : w.null();
    w.key("rows");
    w.begin_array();
    for (const auto& row : rows) write_row(w, row);
    w.end_array();
    w.end_object();
    return out;
  });
}

}  // namespace gproxy::admin
