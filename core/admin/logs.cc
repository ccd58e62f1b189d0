// GET /admin/logs: rows of requests and attempts, as the reference lists them.
#include "admin/logs.h"

#include "admin/api.h"
#include "admin/log_json.h"
#include "base/strings.h"
#include "translate/protocol.h"

namespace gproxy::admin {
namespace {

// No row has the number of a name that nobody knows.
int32_t operation_of(std::string_view name) {
  for (int32_t i = 0; i < 32; ++i) {
    if (translate::name(static_cast<translate::Operation>(i)) == name) return i;
  }
  return -1;
}

// Text for JSON out of whatever was sent.
std::string printable(std::string_view bytes) {
  if (is_valid_utf8(bytes)) return std::string(bytes);
  std::string out;
  for (size_t i = 0; i < bytes.size();) {
    // The longest valid character from here, or a mark for one byte.
    size_t n = 1;
    while (n < 4 && i + n <= bytes.size() && !is_valid_utf8(bytes.substr(i, n))) ++n;
    if (i + n <= bytes.size() && is_valid_utf8(bytes.substr(i, n))) {
      out.append(bytes.substr(i, n));
      i += n;
    } else {
      out += "\xef\xbf\xbd";
      ++i;
    }
  }
  return out;
}

void put_body(json::Writer& w, std::string_view name, int32_t attempt_no,
              storage::BodyRow::Direction direction, std::span<const storage::LogBody> bodies) {
  w.key(name);
  for (const auto& body : bodies) {
    if (body.attempt_no != attempt_no || body.direction != direction) continue;
    std::string text = printable(body.body);
    if (body.truncated()) {
      text += "\n[truncated: " + std::to_string(body.total_bytes) + " bytes in all]";
    }
    w.string(text);
    return;
  }
  w.null();
}

void put_id(json::Writer& w, std::string_view name, int64_t id) {
  w.key(name);
  if (id < 0) {
    w.null();
  } else {
    w.integer(id);
  }
}

void put_text(json::Writer& w, std::string_view name, std::string_view text) {
  w.key(name);
  if (text.empty()) {
    w.null();
  } else {
    w.string(text);
  }
}

}  // namespace

void put_log_row(json::Writer& w, const storage::LogRecord& r,
                 std::span<const storage::LogBody> bodies) {
  using Direction = storage::BodyRow::Direction;
  w.begin_object();
  w.field("id", r.id);
  w.field("kind", r.upstream ? "upstream" : "downstream");
  w.field("at", rfc3339(r.at));
  put_text(w, "trace_id", r.trace_id);
  put_text(w, "provider", r.provider);
  put_id(w, "credential_id", r.credential_id);
  put_id(w, "user_id", r.user_id);
  put_id(w, "user_key_id", r.user_key_id);
  w.field("attempt_no", int64_t{r.attempt_no});
  w.field("operation", translate::name(static_cast<translate::Operation>(r.operation)));
  w.field("protocol", translate::name(static_cast<translate::Protocol>(r.protocol)));
  put_text(w, "model", r.model);
  w.field("internal", r.internal);
  w.field("stream", r.stream);
  w.field("request_method", r.method);
  w.field("request_path", r.path);
  put_body(w, "request_body", r.attempt_no, Direction::request, bodies);
  put_id(w, "response_status", r.status == 0 ? -1 : r.status);
  put_body(w, "response_body", r.attempt_no, Direction::response, bodies);
  w.field("outcome", storage::name(r.outcome));
  put_text(w, "error_kind", r.error_kind);
  put_text(w, "error_message", r.error_message);
  w.field("request_bytes", r.request_bytes);
  w.field("response_bytes", r.response_bytes);
  put_id(w, "ttft_us", r.ttft_us);
  w.field("duration_us", r.duration_us);
  w.end_object();
}

Result<storage::LogQuery> log_filter(const Parameters& p) {
  storage::LogQuery q;
  const auto kind = p.text("kind").value_or("all");
  if (kind != "all" && kind != "upstream" && kind != "downstream") {
    return Error{ErrorKind::invalid, "invalid_kind",
                 "unsupported kind: " + kind + "; expected one of all/upstream/downstream"};
  }
  q.upstream = kind != "downstream";
  q.downstream = kind != "upstream";
  q.provider = p.text("provider");
  GP_TRY(q.credential_id, p.integer("credential_id", 0, INT64_MAX));
  if (const auto operation = p.text("operation")) q.operation = operation_of(*operation);
  // These three are about attempts: with one of them `all` means upstream.
  if (kind == "all" && (q.provider || q.credential_id || q.operation)) q.downstream = false;
  GP_TRY(q.user_id, p.integer("user_id", 0, INT64_MAX));
  GP_TRY(q.user_key_id, p.integer("user_key_id", 0, INT64_MAX));
  q.trace_id = p.text("trace_id");
  q.path_contains = p.text("path_contains");
  GP_CHECK(read_page(p, q));
  return q;
}

void list_logs(ContextPtr c) {
  const Parameters p(c->request.query);
  auto query = std::make_shared<storage::LogQuery>();
  bool with_bodies = false;
  auto parse = [&]() -> Result<void> {
    GP_TRY(*query, log_filter(p));
    GP_TRY(const auto range, time_range(p, Ends::last_day, c->plane.clock().wall_us()));
    query->from = range.from;
    query->to = range.to;
    GP_TRY(with_bodies, p.flag("include_body"));
    return ok();
  };
  if (auto r = parse(); !r.ok()) return c->respond(error_response(r.error()));
  const std::string kind = p.text("kind").value_or("all");
  c->query([query, with_bodies, kind](storage::Reader& reader) -> Result<std::string> {
    GP_TRY(const auto page, reader.list_logs(*query));
    std::string out;
    json::Writer w(out);
    w.begin_object();
    w.field("from", rfc3339(query->from));
    w.field("to", rfc3339(query->to));
    w.field("kind", kind);
    w.field("limit", static_cast<int64_t>(query->limit));
    w.field("include_body", with_bodies);
    w.field("has_more", page.more);
    w.key("next_cursor_at");
    if (page.more) {
      w.string(rfc3339(page.rows.back().at));
      w.field("next_cursor_id", page.rows.back().id);
    } else {
      w.null();
      w.key("next_cursor_id");
      w.null();
    }
    w.key("rows");
    w.begin_array();
    for (const auto& row : page.rows) {
      std::vector<storage::LogBody> bodies;
      if (with_bodies) {
        GP_TRY(bodies, reader.bodies_of(row.trace_id));
      }
      put_log_row(w, row, bodies);
    }
    w.end_array();
    w.end_object();
    return out;
  });
}

// Streams are opened where the connection lives (frontend.cc); this is never reached.
void tail_logs(ContextPtr c) {
  c->respond(error_response(Error{ErrorKind::invalid, "not_a_stream", "the tail is a stream"}));
}

}  // namespace gproxy::admin
