#ifdef GPROXY_POSTGRES

#include "storage/postgres_db.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstring>
#include <deque>
#include <unordered_map>

// The replacement of what it deprecates comes with a later libpqxx.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#include <pqxx/pqxx>

#include "base/strings.h"
#include "storage/answer_watch.h"

namespace gproxy::storage {
namespace {

// Held by the writing process for as long as it lives; numbers of our own choosing.
constexpr int64_t kOwnerLock = 0x6770726f78790001;
constexpr int64_t kOwnerWaitMs = 3'000;
// A session that is being set up has no statement timeout yet.
constexpr int64_t kSetUpMs = 5'000;

bool begins(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

// "DETAIL:  Key (name)=(ann) already exists." -> "name"
std::string column_in(std::string_view message) {
  const size_t open = message.find("Key (");
  if (open == std::string_view::npos) return {};
  const size_t close = message.find(')', open);
  if (close == std::string_view::npos) return {};
  return std::string(message.substr(open + 5, close - open - 5));
}

std::string first_line(std::string_view message) {
  return std::string(message.substr(0, message.find('\n')));
}

// SQLSTATE classes: https://www.postgresql.org/docs/15/errcodes-appendix.html
Error error_of(const pqxx::sql_error& e) {
  const std::string_view state = e.sqlstate();
  const std::string message = "cannot run a statement: " + first_line(e.what());
  if (state == "23505") {
    const std::string column = column_in(e.what());
    return Error{ErrorKind::conflict, "conflict", "another row has this " + column, column};
  }
  if (state == "57014") {  // query_canceled
    return Error{ErrorKind::timeout, "query_timeout", "the query took too long or was interrupted"};
  }
  if (begins(state, "22") || begins(state, "23")) {  // data, integrity
    return Error{ErrorKind::invalid, "row_rejected", message};
  }
  // connection, rollback, resources (disk full: 53100), lock not available, operator, system,
  // read-only
  for (std::string_view gone : {"08", "40", "53", "55P03", "57P", "58", "25006", "25P03"}) {
    if (begins(state, gone)) return Error{ErrorKind::overloaded, "storage_unavailable", message};
  }
  return Error{ErrorKind::server, "storage_error", message};
}

Error gone(std::string_view why) {
  return Error{ErrorKind::overloaded, "storage_unavailable",
               "the database cannot be reached: " + first_line(why)};
}

// What PostgreSQL takes for text: UTF-8 without NUL.
std::string as_text(std::string_view text) {
  std::string out(text);
  if (!is_valid_utf8(text)) {
    for (char& c : out) c = static_cast<unsigned char>(c) < 0x80 ? c : '?';
  }
  if (out.find('\0') != std::string::npos) std::erase(out, '\0');
  return out;
}

std::string as_bytea(std::string_view bytes) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out(2 + 2 * bytes.size(), '\\');
  out[1] = 'x';
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto c = static_cast<unsigned char>(bytes[i]);
    out[2 + 2 * i] = kHex[c >> 4];
    out[3 + 2 * i] = kHex[c & 15];
  }
  return out;
}

// What a hexadecimal digit stands for; a table, as segments of sums come by the megabyte and their
// digits cannot be predicted.
constexpr std::array<uint8_t, 256> kNibbles = [] {
  std::array<uint8_t, 256> table{};
  for (uint8_t i = 0; i < 16; ++i) table[static_cast<uint8_t>("0123456789abcdef"[i])] = i;
  return table;
}();

unsigned nibble(char c) {
  return kNibbles[static_cast<uint8_t>(c)];
}

class PostgresDb;

class PostgresStatement final : public Statement {
 public:
  // `name` is empty for a statement of this moment.
  PostgresStatement(PostgresDb& db, std::string sql, std::string name)
      : db_(db), sql_(std::move(sql)), name_(std::move(name)) {}

  void bind_integer(int parameter, int64_t value) override {
    slot(parameter) = std::to_string(value);
  }
  void bind_text(int parameter, std::string_view text) override { slot(parameter) = as_text(text); }
  void bind_blob(int parameter, std::string_view bytes) override {
    slot(parameter) = as_bytea(bytes);
  }
  void bind_null(int parameter) override { slot(parameter).reset(); }
  Result<bool> step() override;
  void reset() override {
    ran_ = false;
    row_ = 0;
    result_ = {};
    blobs_.clear();
  }
  void clear() override {
    reset();
    parameters_.clear();
  }

  int64_t integer(int column) const override {
    const auto value = text(column);
    if (value == "t") return 1;
    int64_t number = 0;
    std::from_chars(value.data(), value.data() + value.size(), number);
    return number;
  }
  bool is_null(int column) const override { return field(column).is_null(); }
  std::string_view text(int column) const override {
    const auto f = field(column);
    return {f.c_str(), f.size()};
  }
  std::string_view blob(int column) const override {
    auto hex = text(column);
    if (!begins(hex, "\\x")) return {};
    hex.remove_prefix(2);
    std::string& bytes = blobs_.emplace_back(hex.size() / 2, '\0');
    for (size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<char>(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
    }
    return bytes;
  }

 private:
  friend class PostgresDb;
  std::optional<std::string>& slot(int parameter) {
    if (parameters_.size() < static_cast<size_t>(parameter))
      parameters_.resize(static_cast<size_t>(parameter));
    return parameters_[static_cast<size_t>(parameter) - 1];
  }
  pqxx::field field(int column) const {
    return result_[static_cast<pqxx::result::size_type>(row_ - 1)]
                  [static_cast<pqxx::row::size_type>(column)];
  }

  PostgresDb& db_;
  const std::string sql_;
  const std::string name_;
  std::vector<std::optional<std::string>> parameters_;
  bool ran_ = false;
  size_t row_ = 0;  // rows given so far
  pqxx::result result_;
  mutable std::deque<std::string> blobs_;  // of the current row
  uint64_t prepared_on_ = 0;               // the connection that knows name_
};

class PostgresDb final : public Db {
 public:
  explicit PostgresDb(PostgresOptions options)
      : options_(std::move(options)),
        timeout_ms_(options_.use == PostgresOptions::Use::writing ? options_.statement_timeout_ms
                                                                  : 0) {}
  ~PostgresDb() override { disconnect(); }

  Result<void> connect();
  Result<void> own(pqxx::nontransaction& work) const;
  Result<void> set_up(pqxx::connection& made, pqxx::nontransaction& work);

  Dialect dialect() const override { return Dialect::postgres; }
  Result<void> exec(const std::string& sql) override {
    return guarded([&] { changes_ = static_cast<int64_t>(work_->exec(sql).affected_rows()); });
  }
  Result<void> begin(Intent intent) override {
    beginning_ = true;
    auto begun =
        exec(intent == Intent::write ? "BEGIN" : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    beginning_ = false;
    GP_CHECK(std::move(begun));
    in_transaction_ = true;
    return ok();
  }
  Result<void> commit() override {
    GP_CHECK(exec("COMMIT"));
    in_transaction_ = patient_ = false;
    return ok();
  }
  void rollback() override {
    if (in_transaction_ && connection_ != nullptr) (void)exec("ROLLBACK");
    in_transaction_ = patient_ = false;
  }
  bool in_transaction() const override { return in_transaction_; }
  Result<void> take_time() override {
    patient_ = true;
    return exec("SET LOCAL statement_timeout = 0");
  }
  int64_t changes() const override { return changes_; }
  void set_timeout_ms(int64_t timeout_ms) override {
    timeout_ms_ = timeout_ms;
    (void)exec("SET statement_timeout = " + std::to_string(timeout_ms));
  }
  void interrupt() override {
    // Not by asking the server: libpq waits for its word without end, too.
    interrupted_.store(true, std::memory_order_relaxed);
    watch_.cut();
  }
  Result<bool> has_table(const std::string& name) override {
    Query query(*this, std::string("SELECT 1 FROM information_schema.tables WHERE table_schema ="
                                   " current_schema() AND table_name = $1"));
    return query.with(name).step();
  }
  Result<int64_t> count_tables() override {
    return number_of(
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema()");
  }
  Result<Statement*> cached(const char* sql) override {
    auto& kept = cache_[sql];
    if (kept == nullptr) {
      kept = std::make_unique<PostgresStatement>(*this, sql, "s" + std::to_string(cache_.size()));
    }
    return kept.get();
  }
  Result<std::unique_ptr<Statement>> prepare(const std::string& sql) override {
    return std::unique_ptr<Statement>(
        std::make_unique<PostgresStatement>(*this, sql, std::string()));
  }

  Result<void> run(PostgresStatement& s) {
    return guarded([&] {
      const auto parameters = pqxx::prepare::make_dynamic_params(pointers(s));
      if (s.name_.empty()) {
        s.result_ = work_->exec_params(s.sql_, parameters);
      } else {
        if (s.prepared_on_ != generation_) {
          connection_->prepare(s.name_, s.sql_);
          s.prepared_on_ = generation_;
        }
        s.result_ = work_->exec_prepared(s.name_, parameters);
      }
      changes_ = static_cast<int64_t>(s.result_.affected_rows());
    });
  }

 private:
  const std::vector<const char*>& pointers(const PostgresStatement& s) {
    pointers_.clear();
    for (const auto& p : s.parameters_) pointers_.push_back(p ? p->c_str() : nullptr);
    return pointers_;
  }

  // On a connection that may have died since it was last used: where nothing can have been done
  // yet, a fresh one is tried before anybody is told.
  template <class Work>
  Result<void> guarded(Work work) {
    const bool kept = connection_ != nullptr && !in_transaction_;
    auto done = once(work);
    const bool lost = kept && !done.ok() && connection_ == nullptr;
    const bool harmless = beginning_ || options_.use == PostgresOptions::Use::reading;
    return lost && harmless && !overdue_ ? once(work) : done;
  }

  template <class Work>
  Result<void> once(Work& work) {
    overdue_ = false;
    if (interrupted_.load(std::memory_order_relaxed)) return interrupted();
    if (connection_ == nullptr) {
      if (in_transaction_) return gone("the connection was lost within a transaction");
      GP_CHECK(connect());
    }
    watch_.expect(patient_ || timeout_ms_ == 0 ? 0 : timeout_ms_ + options_.answer_grace_ms);
    auto done = caught(work);
    overdue_ = watch_.came();
    if (!done.ok() && interrupted_.load(std::memory_order_relaxed)) return interrupted();
    if (!done.ok() && overdue_) {
      disconnect();
      return gone("no answer within " + std::to_string(timeout_ms_ + options_.answer_grace_ms) +
                  " ms");
    }
    return done;
  }

  template <class Work>
  Result<void> caught(Work& work) {
    try {
      work();
      return ok();
    } catch (const pqxx::broken_connection& e) {
      disconnect();
      return gone(e.what());
    } catch (const pqxx::sql_error& e) {
      Error error = error_of(e);
      // The server says goodbye (shutdown, crash of another backend): the connection is of no use.
      if (begins(e.sqlstate(), "57P") || !connection_->is_open()) disconnect();
      return error;
    } catch (const std::exception& e) {
      if (!connection_->is_open()) {
        disconnect();
        return gone(e.what());
      }
      return Error{ErrorKind::server, "storage_error", first_line(e.what())};
    }
  }

  static Error interrupted() {
    return Error{ErrorKind::timeout, "query_timeout", "the query took too long or was interrupted"};
  }

  void disconnect() {
    watch_.set_socket(-1);
    work_.reset();
    connection_.reset();
  }

  const PostgresOptions options_;
  std::unique_ptr<pqxx::connection> connection_;
  std::unique_ptr<pqxx::nontransaction> work_;
  uint64_t generation_ = 0;  // of the connection: statements are prepared on each anew
  std::unordered_map<const char*, std::unique_ptr<PostgresStatement>> cache_;
  std::vector<const char*> pointers_;
  int64_t timeout_ms_ = 0;  // of statements, the server's
  bool patient_ = false;    // statements of this moment may take as long as they like
  bool overdue_ = false;    // the last statement's answer was not waited for any longer
  std::string session_;     // which of the server's sessions is ours: SQL of its row
  int64_t changes_ = 0;
  bool in_transaction_ = false;
  bool beginning_ = false;
  std::atomic<bool> interrupted_{false};
  AnswerWatch watch_;
};

// libpq's parameters stand in the URL; those that are not given there get our defaults.
std::string with_defaults(std::string url, const PostgresOptions& options) {
  const std::pair<std::string_view, std::string> defaults[] = {
      {"connect_timeout", std::to_string(options.connect_timeout_s)},
      {"application_name", "gproxy"},
      // A peer that vanished without a word must not hold the writer up for hours.
      {"keepalives_idle", "10"},
      {"keepalives_interval", "5"},
      {"keepalives_count", "3"},
      {"tcp_user_timeout", "15000"},
      {"client_encoding", "UTF8"},
  };
  for (const auto& [name, value] : defaults) {
    const size_t query = url.find('?');
    if (query != std::string::npos && url.find(std::string(name) + "=", query) != std::string::npos)
      continue;
    url += query == std::string::npos ? '?' : '&';
    url.append(name).append("=").append(value);
  }
  return url;
}

// One writer: the session holds a lock for as long as it lives. The server ends the session of a
// process that has gone a moment after the process, so who starts next waits for it. After a break
// of our own the server (or a balancer before it) may take the broken session for alive, for hours:
// it is ours, and is ended. Only where another process took the lock the caller comes back.
Result<void> PostgresDb::own(pqxx::nontransaction& work) const {
  const std::string lock = std::to_string(kOwnerLock);
  if (!session_.empty()) {
    work.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE " + session_);
  }
  const int64_t wait_ms = std::min(kOwnerWaitMs, options_.lock_timeout_ms);
  try {
    work.exec("SET lock_timeout = " + std::to_string(wait_ms));
    work.exec("SELECT pg_advisory_lock(" + lock + ")");
    return ok();
  } catch (const pqxx::sql_error& e) {
    if (e.sqlstate() != "55P03") throw;  // lock_not_available
  }
  if (generation_ != 0) return gone("another session holds the writer's lock");
  return Error{ErrorKind::conflict, "database_in_use",
               "another gproxy writes to this PostgreSQL database"};
}

Result<void> PostgresDb::set_up(pqxx::connection& made, pqxx::nontransaction& work) {
  const bool writes = options_.use == PostgresOptions::Use::writing;
  // In one round trip. The role or the database may have other defaults: bytes are read as
  // hexadecimal here. A client whose machine has gone must not hold the writer's lock for the hours
  // that a server's keepalives take by default.
  std::string sql =
      "SET client_min_messages = error; SET bytea_output = hex;"
      " SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5;"
      " SET tcp_keepalives_count = 3; SET tcp_user_timeout = 15000;"
      " SET statement_timeout = " +
      std::to_string(timeout_ms_) + ";";
  if (!writes) sql += " SET default_transaction_read_only = on; SET jit = off;";
  work.exec(sql);
  // What has no sign in the server's encoding would be refused row by row, and lost.
  const auto encoding = work.exec("SHOW server_encoding")[0][0].as<std::string>();
  if (encoding != "UTF8" && encoding != "SQL_ASCII") {
    return Error{ErrorKind::invalid, "unsupported_database",
                 "the database has the encoding " + encoding + "; make one with ENCODING 'UTF8'",
                 "dsn"};
  }
  if (writes) {
    GP_CHECK(own(work));
    const auto born = work.exec(
        "SELECT extract(epoch FROM backend_start)::text FROM pg_stat_activity"
        " WHERE pid = pg_backend_pid()");
    if (!born.empty() && !born[0][0].is_null()) {
      session_ = "pid = " + std::to_string(made.backendpid()) +
                 " AND extract(epoch FROM backend_start)::text = " +
                 work.quote(born[0][0].as<std::string>());
    }
  }
  work.exec("SET lock_timeout = " + std::to_string(options_.lock_timeout_ms));
  return ok();
}

Result<void> PostgresDb::connect() {
  try {
    auto made = std::make_unique<pqxx::connection>(with_defaults(options_.url, options_));
    // Without us knowing it would come back outside the transaction it was lost in.
    made->inhibit_reactivation(true);
    auto work = std::make_unique<pqxx::nontransaction>(*made);
    watch_.set_socket(made->sock());
    watch_.expect(kSetUpMs + options_.answer_grace_ms);
    auto done = set_up(*made, *work);
    overdue_ = watch_.came();
    if (!done) {
      watch_.set_socket(-1);
      return done;
    }
    connection_ = std::move(made);
    work_ = std::move(work);
    ++generation_;
    return ok();
  } catch (const pqxx::sql_error& e) {
    overdue_ = watch_.came();
    watch_.set_socket(-1);
    return error_of(e);
  } catch (const std::exception& e) {
    overdue_ = watch_.came();
    watch_.set_socket(-1);
    return gone(e.what());
  }
}

Result<bool> PostgresStatement::step() {
  if (!ran_) {
    GP_CHECK(db_.run(*this));
    ran_ = true;
  }
  blobs_.clear();
  if (row_ >= static_cast<size_t>(result_.size())) return false;
  ++row_;
  return true;
}

}  // namespace

Result<std::unique_ptr<Db>> open_postgres_db(PostgresOptions options) {
  auto db = std::make_unique<PostgresDb>(std::move(options));
  GP_CHECK(db->connect());
  return std::unique_ptr<Db>(std::move(db));
}

}  // namespace gproxy::storage

#pragma GCC diagnostic pop
#endif
