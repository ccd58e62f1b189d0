#include "storage/log_size.h"

#include <algorithm>
#include <span>
#include <string_view>

namespace gproxy::storage {
namespace {

constexpr int kRowsPerStep = 2'000;

struct Column {
  std::string_view name;
  int times = 1;  // once more for each index that holds it
};
constexpr Column kBodyColumns[] = {{"trace_id", 2}, {"body"}};
constexpr Column kDecisionColumns[] = {{"trace_id", 2}, {"request_id", 2}, {"decision_json"}};
constexpr Column kDownstreamColumns[] = {{"trace_id", 2},
                                         {"request_method"},
                                         {"request_path", 2},
                                         {"request_query"},
                                         {"request_headers_json"},
                                         {"response_headers_json"},
                                         {"client"},
                                         {"provider"},
                                         {"model"},
                                         {"error_code"}};
constexpr Column kUpstreamColumns[] = {
    {"trace_id", 2},          {"provider", 2},           {"model"},
    {"request_method"},       {"request_path", 2},       {"request_query"},
    {"request_headers_json"}, {"response_headers_json"}, {"error_kind"},
    {"error_message"},        {"transport_kind"}};

// Numbers, heads of rows and entries of indexes, as measured on tables of 100,000 rows (SQLite's
// dbstat, PostgreSQL's pg_total_relation_size).
struct Shape {
  const char* name;
  int64_t sqlite, postgres;  // bytes beside the texts
  std::span<const Column> columns;
};
const Shape& shape(LogTable table) {
  static const Shape kShapes[] = {
      {"request_bodies", 90, 200, kBodyColumns},
      {"request_decisions", 100, 240, kDecisionColumns},
      {"downstream_requests", 120, 350, kDownstreamColumns},
      {"upstream_requests", 137, 460, kUpstreamColumns},
  };
  return kShapes[static_cast<size_t>(table)];
}

int64_t base(LogTable table, Dialect dialect) {
  return dialect == Dialect::sqlite ? shape(table).sqlite : shape(table).postgres;
}

template <class... Texts>
int64_t bytes(const Texts&... texts) {
  return static_cast<int64_t>((size_t{0} + ... + texts.size()));
}

}  // namespace

const char* name(LogTable table) {
  return shape(table).name;
}

int64_t log_bytes_of(const BodyRow& r, Dialect dialect) {
  return base(LogTable::bodies, dialect) + 2 * bytes(r.trace_id) + bytes(r.body);
}
int64_t log_bytes_of(const DecisionRow& r, Dialect dialect) {
  return base(LogTable::decisions, dialect) + 2 * bytes(r.trace_id, r.request_id) +
         bytes(r.decision_json);
}
int64_t log_bytes_of(const RequestRow& r, Dialect dialect) {
  return base(LogTable::downstream, dialect) + 2 * bytes(r.trace_id, r.path) +
         bytes(r.method, r.query, r.request_headers_json, r.response_headers_json, r.client,
               r.provider, r.model, r.error_code);
}
int64_t log_bytes_of(const UpstreamRequestRow& r, Dialect dialect) {
  return base(LogTable::upstream, dialect) + 2 * bytes(r.trace_id, r.provider, r.path) +
         bytes(r.model, r.method, r.query, r.request_headers_json, r.response_headers_json,
               r.error_kind, r.error_message, r.transport_kind);
}

std::string log_bytes_sql(LogTable table, Dialect dialect) {
  std::string sql = std::to_string(base(table, dialect));
  for (const Column& column : shape(table).columns) {
    // Neither reads a long value to tell its length.
    const bool blob = column.name == "body";
    const std::string one = dialect == Dialect::postgres
                                ? "octet_length(" + std::string(column.name) + ")"
                            : blob ? "length(" + std::string(column.name) + ")"
                                   : "length(CAST(" + std::string(column.name) + " AS BLOB))";
    sql += " + " + std::to_string(column.times) + " * coalesce(" + one + ", 0)";
  }
  return sql;
}

void LogSize::start_over() {
  state_ = State::unknown;
  cursors_.fill(0);
  counted_ = change_ = 0;
}

Result<void> LogSize::open() {
  start_over();
  GP_TRY(const int64_t rows, db_.number_of("SELECT count(*) FROM meta WHERE name = 'log_bytes'"));
  if (rows == 0) return ok();
  state_ = State::kept;
  cursors_.fill(INT64_MAX);
  return ok();
}

Result<void> LogSize::before_commit() {
  if (state_ != State::kept || change_ == 0) return ok();
  Query update(db_,
               "UPDATE meta SET value = CAST(CAST(value AS BIGINT) + $1 AS TEXT)"
               " WHERE name = 'log_bytes'");
  return update.with(change_).run();
}

void LogSize::committed() {
  counted_ += change_;
  change_ = 0;
}

void LogSize::rolled_back() {
  // While it is counted, nobody knows whether a commit that failed was one.
  if (state_ == State::counting && change_ != 0) return start_over();
  change_ = 0;
}

Result<bool> LogSize::count_some() {
  if (state_ == State::kept) return false;
  state_ = State::counting;
  for (const LogTable table : kLogTables) {
    int64_t& cursor = cursors_[static_cast<size_t>(table)];
    if (cursor == INT64_MAX) continue;
    const std::string sql =
        "SELECT count(*), coalesce(max(id), 0), CAST(coalesce(sum(bytes), 0) AS BIGINT) FROM"
        " (SELECT id, " +
        log_bytes_sql(table, db_.dialect()) + " AS bytes FROM " + name(table) +
        " WHERE id > $1 ORDER BY id LIMIT " + std::to_string(kRowsPerStep) + ") AS slice";
    Query query(db_, sql);
    GP_TRY([[maybe_unused]] const bool row, query.with(cursor).step());
    counted_ += query.integer(2);
    cursor = query.integer(0) < kRowsPerStep ? INT64_MAX : query.integer(1);
    return true;
  }
  Query put(db_,
            "INSERT INTO meta (name, value) VALUES ('log_bytes', $1)"
            " ON CONFLICT (name) DO UPDATE SET value = excluded.value");
  GP_CHECK(put.with(std::to_string(counted_)).run());
  state_ = State::kept;
  return false;
}

Result<int64_t> LogSize::bytes() {
  return db_.number_of("SELECT CAST(value AS BIGINT) FROM meta WHERE name = 'log_bytes'");
}

Result<void> LogSize::set_empty() {
  return Query(db_, "UPDATE meta SET value = '0' WHERE name = 'log_bytes'").run();
}

}  // namespace gproxy::storage
