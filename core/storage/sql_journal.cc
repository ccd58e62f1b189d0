// SqlStore's journal: rows of a batch, in one transaction with the sums they add to.
#include <algorithm>
#include <vector>

#include "storage/sql_bulk.h"
#include "storage/sql_store.h"
#include "storage/sqlite_db.h"

namespace gproxy::storage {
namespace {

// The tables' columns in the order of bind().
constexpr BulkColumn kUsageColumns[] = {
    {"id", "bigint"},
    {"at", "bigint"},
    {"trace_id", "text"},
    {"attempt_no", "integer"},
    {"final", "boolean"},
    {"has_usage", "boolean"},
    {"estimated", "boolean"},
    {"provider", "text"},
    {"provider_id", "bigint"},
    {"credential_id", "bigint"},
    {"user_id", "bigint"},
    {"user_key_id", "bigint"},
    {"model", "text"},
    {"protocol", "smallint"},
    {"operation", "smallint"},
    {"status", "integer"},
    {"outcome", "smallint"},
    {"input_tokens", "bigint"},
    {"output_tokens", "bigint"},
    {"cache_read_tokens", "bigint"},
    {"cache_write_tokens", "bigint"},
    {"reasoning_tokens", "bigint"},
    {"total_tokens", "bigint"},
    {"ttft_us", "bigint"},
    {"duration_us", "bigint"},
    {"cost_nanousd", "bigint"},
    {"price_revision", "bigint"},
};
constexpr const char* kUsageInsert =
    "INSERT INTO upstream_usages (id, at, trace_id, attempt_no, final, has_usage, "
    "estimated, provider, provider_id, credential_id, user_id, user_key_id, model, "
    "protocol, operation, status, outcome, input_tokens, output_tokens, "
    "cache_read_tokens, cache_write_tokens, reasoning_tokens, total_tokens, ttft_us, "
    "duration_us, cost_nanousd, price_revision) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, "
    "$9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, "
    "$26, $27) ON CONFLICT (id) DO NOTHING";

constexpr BulkColumn kRequestsColumns[] = {
    {"id", "bigint"},
    {"at", "bigint"},
    {"trace_id", "text"},
    {"user_id", "bigint"},
    {"user_key_id", "bigint"},
    {"request_method", "text"},
    {"request_path", "text"},
    {"request_query", "text"},
    {"request_headers_json", "text"},
    {"response_headers_json", "text"},
    {"client", "text"},
    {"provider", "text"},
    {"model", "text"},
    {"protocol", "smallint"},
    {"operation", "smallint"},
    {"stream", "boolean"},
    {"response_status", "integer"},
    {"outcome", "smallint"},
    {"error_code", "text"},
    {"attempts", "integer"},
    {"request_bytes", "bigint"},
    {"response_bytes", "bigint"},
    {"ttft_us", "bigint"},
    {"duration_us", "bigint"},
};
constexpr const char* kRequestsInsert =
    "INSERT INTO downstream_requests (id, at, trace_id, user_id, user_key_id, "
    "request_method, request_path, request_query, request_headers_json, "
    "response_headers_json, client, provider, model, protocol, operation, stream, "
    "response_status, outcome, error_code, attempts, request_bytes, response_bytes, "
    "ttft_us, duration_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, "
    "$13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24) ON CONFLICT (id) DO "
    "NOTHING";

constexpr BulkColumn kUpstreamColumns[] = {
    {"id", "bigint"},
    {"at", "bigint"},
    {"trace_id", "text"},
    {"user_id", "bigint"},
    {"user_key_id", "bigint"},
    {"provider", "text"},
    {"provider_id", "bigint"},
    {"credential_id", "bigint"},
    {"internal", "boolean"},
    {"attempt_no", "integer"},
    {"protocol", "smallint"},
    {"operation", "smallint"},
    {"stream", "boolean"},
    {"model", "text"},
    {"request_method", "text"},
    {"request_path", "text"},
    {"request_query", "text"},
    {"request_headers_json", "text"},
    {"response_headers_json", "text"},
    {"response_status", "integer"},
    {"outcome", "smallint"},
    {"error_kind", "text"},
    {"error_message", "text"},
    {"transport_kind", "text"},
    {"request_bytes", "bigint"},
    {"response_bytes", "bigint"},
    {"ttft_us", "bigint"},
    {"duration_us", "bigint"},
};
constexpr const char* kUpstreamInsert =
    "INSERT INTO upstream_requests (id, at, trace_id, user_id, user_key_id, provider, "
    "provider_id, credential_id, internal, attempt_no, protocol, operation, stream, "
    "model, request_method, request_path, request_query, request_headers_json, "
    "response_headers_json, response_status, outcome, error_kind, error_message, "
    "transport_kind, request_bytes, response_bytes, ttft_us, duration_us) VALUES ($1, $2, "
    "$3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, "
    "$21, $22, $23, $24, $25, $26, $27, $28) ON CONFLICT (id) DO NOTHING";

constexpr BulkColumn kEventsColumns[] = {
    {"id", "bigint"},
    {"at", "bigint"},
    {"event_type", "text"},
    {"payload_json", "text"},
};
constexpr const char* kEventsInsert =
    "INSERT INTO internal_events (id, at, event_type, payload_json) VALUES ($1, $2, $3, "
    "$4) ON CONFLICT (id) DO NOTHING";

constexpr BulkColumn kBodiesColumns[] = {
    {"id", "bigint"},          {"at", "bigint"},          {"trace_id", "text"},
    {"attempt_no", "integer"}, {"direction", "smallint"}, {"total_bytes", "bigint"},
    {"body", "bytea"},
};
constexpr const char* kBodiesInsert =
    "INSERT INTO request_bodies (id, at, trace_id, attempt_no, direction, total_bytes, "
    "body) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING";

constexpr BulkColumn kDecisionsColumns[] = {
    {"id", "bigint"},       {"at", "bigint"},          {"trace_id", "text"},
    {"request_id", "text"}, {"decision_json", "text"},
};
constexpr const char* kDecisionsInsert =
    "INSERT INTO request_decisions (id, at, trace_id, request_id, decision_json) VALUES ($1, $2, "
    "$3, $4, $5) ON CONFLICT (id) DO NOTHING";

template <class To>
void bind(To& to, const UsageRow& r) {
  to.with(r.id).with(r.at).with_text_or_null(r.trace_id).with(r.attempt_no).with(r.final);
  to.with(r.has_usage).with(r.estimated).with(r.provider).with_id(r.provider_id);
  to.with_id(r.credential_id).with_id(r.user_id).with_id(r.user_key_id);
  to.with_text_or_null(r.model).with(r.protocol).with(r.operation);
  to.with_id(r.status == 0 ? kNoId : r.status).with(static_cast<int32_t>(r.outcome));
  to.with(r.input).with(r.output).with(r.cache_read).with(r.cache_write).with(r.reasoning);
  to.with(r.total()).with_id(r.ttft_us).with(r.duration_us);
  to.with_id(r.cost_nanousd).with_id(r.price_revision);
}

template <class To>
void bind(To& to, const RequestRow& r) {
  to.with(r.id).with(r.at).with_text_or_null(r.trace_id).with_id(r.user_id).with_id(r.user_key_id);
  to.with(r.method).with(r.path).with_text_or_null(r.query);
  to.with_text_or_null(r.request_headers_json).with_text_or_null(r.response_headers_json);
  to.with_text_or_null(r.client).with_text_or_null(r.provider).with_text_or_null(r.model);
  to.with(r.protocol).with(r.operation).with(r.stream);
  to.with_id(r.status == 0 ? kNoId : r.status).with(static_cast<int32_t>(r.outcome));
  to.with_text_or_null(r.error_code).with(r.attempts).with(r.request_bytes).with(r.response_bytes);
  to.with_id(r.ttft_us).with(r.duration_us);
}

template <class To>
void bind(To& to, const UpstreamRequestRow& r) {
  to.with(r.id).with(r.at).with_text_or_null(r.trace_id).with_id(r.user_id).with_id(r.user_key_id);
  to.with(r.provider).with_id(r.provider_id).with_id(r.credential_id).with(r.internal);
  to.with(r.attempt_no).with(r.protocol).with(r.operation).with(r.stream);
  to.with_text_or_null(r.model).with(r.method).with(r.path).with_text_or_null(r.query);
  to.with_text_or_null(r.request_headers_json).with_text_or_null(r.response_headers_json);
  to.with_id(r.status == 0 ? kNoId : r.status).with(static_cast<int32_t>(r.outcome));
  to.with_text_or_null(r.error_kind).with_text_or_null(r.error_message);
  to.with_text_or_null(r.transport_kind).with(r.request_bytes).with(r.response_bytes);
  to.with_id(r.ttft_us).with(r.duration_us);
}

template <class To>
void bind(To& to, const InternalEvent& r) {
  to.with(r.id).with(r.at).with(r.event_type).with(r.payload_json);
}

template <class To>
void bind(To& to, const BodyRow& r) {
  to.with(r.id).with(r.at).with(r.trace_id).with(r.attempt_no);
  to.with(static_cast<int32_t>(r.direction)).with(r.total_bytes).with_blob(r.body);
}

template <class To>
void bind(To& to, const DecisionRow& r) {
  to.with(r.id).with(r.at).with(r.trace_id).with_text_or_null(r.request_id).with(r.decision_json);
}

// The rows of a batch for SQLite's one statement.
template <class Row>
class BatchSource final : public RowSource {
 public:
  explicit BatchSource(std::span<const Row> rows) : rows_(rows) {}
  bool next(RowCells& row) override {
    if (at_ == rows_.size()) return false;
    bind(row, rows_[at_++]);
    return true;
  }

 private:
  std::span<const Row> rows_;
  size_t at_ = 0;
};

std::string insert_from_rows(std::string_view table, std::span<const BulkColumn> columns) {
  std::string names, cells;
  for (size_t i = 0; i < columns.size(); ++i) {
    names.append(i == 0 ? "" : ", ").append(columns[i].name);
    cells.append(i == 0 ? "c" : ", c").append(std::to_string(i));
  }
  // WHERE: without it ON would be read as a join's.
  return "INSERT INTO " + std::string(table) + " (" + names + ") SELECT " + cells +
         " FROM gproxy_rows($1) WHERE true ON CONFLICT (id) DO NOTHING";
}

// Rows of which the size is kept.
template <class Row>
concept Logged = requires(const Row& row) {
  table_of(row);
};

// A row of the batch is there already; no error of the store.
Error already_there() {
  return Error{ErrorKind::conflict, "rows_repeated", "rows of the batch are in the database"};
}

}  // namespace

// `fresh`, when asked for, gets the rows that were not there before.
template <class Row>
Result<void> SqlStore::append_rows(std::span<const Row> rows, Known known, const char* insert_sql,
                                   std::string_view table, std::span<const BulkColumn> columns,
                                   std::vector<const Row*>* fresh) {
  if (rows.empty()) return ok();
  bool told = fresh != nullptr;  // must it be known which rows are new?
  if constexpr (Logged<Row>) told = told || log_size_->wants_rows();
  auto is_new = [&](const Row& row) {
    if (fresh != nullptr) fresh->push_back(&row);
    if constexpr (Logged<Row>) {
      if (log_size_->wants_rows())
        log_size_->change(table_of(row), row.id, log_bytes_of(row, db_->dialect()));
    }
  };
  if (db_->dialect() == Dialect::postgres) {
    BulkInsert insert(table, columns);
    for (const Row& row : rows) {
      insert.again();
      bind(insert, row);
    }
    GP_TRY(auto ids, insert.run(*db_));
    if (!told) return ok();
    std::sort(ids.begin(), ids.end());
    for (const Row& row : rows) {
      if (std::binary_search(ids.begin(), ids.end(), row.id)) is_new(row);
    }
    return ok();
  }
  if (known == Known::nothing) {
    static const std::string sql = insert_from_rows(table, columns);  // one table to a Row
    BatchSource<Row> source(rows);
    GP_TRY(const int64_t inserted, static_cast<SqliteDb&>(*db_).insert_rows(sql.c_str(), source));
    if (!told) return ok();
    if (inserted != static_cast<int64_t>(rows.size())) return already_there();
    for (const Row& row : rows) is_new(row);
    return ok();
  }
  Query insert(*db_, insert_sql);
  for (const Row& row : rows) {
    insert.again();
    bind(insert, row);
    GP_CHECK(insert.run());
    if (told && db_->changes() != 0) is_new(row);
  }
  return ok();
}

Result<void> SqlStore::append_batch(const Batch& batch) {
  // What was killed between a commit and its release is written again: which rows those are shows
  // only one by one, and it is rare.
  if (joined_) return append_batch(batch, Known::maybe);
  auto done = append_batch(batch, Known::nothing);
  if (!done && done.error().code == already_there().code) return append_batch(batch, Known::maybe);
  return done;
}

Result<void> SqlStore::append_batch(const Batch& batch, Known known) {
  return in_transaction([&]() -> Result<void> {
    std::vector<const UsageRow*> fresh;
    fresh.reserve(batch.usage.size());
    GP_CHECK(
        append_rows(batch.usage, known, kUsageInsert, "upstream_usages", kUsageColumns, &fresh));
    GP_CHECK(rollups_->append(fresh, clock_.wall_us()));
    GP_CHECK(append_rows(batch.requests, known, kRequestsInsert, "downstream_requests",
                         kRequestsColumns));
    GP_CHECK(
        append_rows(batch.upstream, known, kUpstreamInsert, "upstream_requests", kUpstreamColumns));
    GP_CHECK(append_rows(batch.events, known, kEventsInsert, "internal_events", kEventsColumns));
    GP_CHECK(append_rows(batch.bodies, known, kBodiesInsert, "request_bodies", kBodiesColumns));
    GP_CHECK(append_rows(batch.decisions, known, kDecisionsInsert, "request_decisions",
                         kDecisionsColumns));
    return append_responses(batch.responses);
  });
}

Result<bool> SqlStore::maintain(const Retention& retention) {
  const int64_t now = clock_.wall_us();
  auto more = rollups_->maintain(now);
  if (more.ok() && !*more) more = prune(retention, now);
  if (!more.ok()) note_trouble(more.error());
  return more;
}

void SqlStore::note_trouble(const Error& error) {
  if (error.kind == ErrorKind::overloaded) trouble_ = true;
}

Result<void> SqlStore::probe(Probe how) {
  if (how == Probe::write) {
    // Something new each time: SQLite writes no page that stays the same.
    const std::string now = std::to_string(clock_.wall_us());
    return in_transaction([&] {
      Query put(*db_,
                "INSERT INTO meta (name, value) VALUES ('probed_at', $1)"
                " ON CONFLICT (name) DO UPDATE SET value = excluded.value");
      return put.with(now).run();
    });
  }
  GP_CHECK(db_->begin(Db::Intent::write));
  // On a server BEGIN alone would not tell whether it takes rows.
  auto done = Query(*db_, "SELECT 1 FROM config_state").run();
  db_->rollback();
  return done;
}

}  // namespace gproxy::storage
