// The store: configuration, usage and logs in one database. SQLite today; the interface, its SQL
// dialect and its column types are chosen so that PostgreSQL is a second class behind it.
// A Store belongs to one thread at a time: the main thread during start, then the writer thread.
// A Reader has a connection of its own and belongs to one reader thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "storage/queries.h"
#include "storage/records.h"
#include "storage/secrets.h"

namespace gproxy::storage {

// Errors of every operation:
//   conflict    409  "conflict"            param = the field (name, key, id)
//   not_found   404  "provider_not_found" "credential_not_found" "user_not_found"
//                    "user_key_not_found" "route_not_found"
//   overloaded  503  "storage_unavailable" disk full, locked, read-only, gone: worth trying again
//   timeout     504  "query_timeout"       a reader's statement ran too long or was interrupted
//   server      500  "storage_error"       everything else
// Errors of open_store(): see exit_code().

// Rows that go to the database in one transaction. Spans may be empty.
struct Batch {
  std::span<const UsageRow> usage = {};
  std::span<const RequestRow> requests = {};
  std::span<const UpstreamRequestRow> upstream = {};
  std::span<const InternalEvent> events = {};
  std::span<const ResponseRow> responses = {};
  std::span<const BodyRow> bodies = {};
  std::span<const DecisionRow> decisions = {};

  size_t rows() const {
    return usage.size() + requests.size() + upstream.size() + events.size() + responses.size() +
           bodies.size() + decisions.size();
  }
};

enum class Table : uint8_t {
  usage,
  requests,
  upstream_requests,
  internal_events,
  bodies,
  decisions
};

// What housekeeping may delete. 0 = keep for ever.
struct Retention {
  int64_t usage_us = 0;   // usage rows; their sums stay, whole five minutes from then on
  int64_t logs_us = 0;    // request rows, decisions and events
  int64_t bodies_us = 0;  // bodies
  int64_t audit_us = 0;   // the audit log
  // About so much of request rows, bodies and decisions with their indexes (log_size.h); the oldest
  // go first.
  int64_t logs_bytes = 0;
};

class Reader {
 public:
  virtual ~Reader() = default;
  // Each statement ends with "query_timeout" this long after it began.
  virtual void set_timeout_ms(int64_t timeout_ms) = 0;
  // Any thread: ends the running statement and every later one; for shutdown.
  virtual void interrupt() = 0;

  // Sums of a range, exact at its ends.
  virtual Result<UsageReport> usage_report(const UsageQuery& query) = 0;
  virtual Result<UsagePage> list_usage(const UsageListQuery& query) = 0;
  virtual Result<LogPage> list_logs(const LogQuery& query) = 0;
  // Bodies of the rows with this trace id, oldest first.
  virtual Result<std::vector<LogBody>> bodies_of(const std::string& trace_id) = 0;
  // The decision of the request with this trace id, or the newest with this name of the client's,
  // as JSON; nothing when none is kept.
  virtual Result<std::optional<std::string>> decision_of(std::string_view id) = 0;
  virtual Result<int64_t> count_rows(Table table) = 0;
  // Newest first, by (at, id); at most filter.limit.
  virtual Result<std::vector<AuditRow>> list_audit(const AuditFilter& filter) = 0;
  // Whom a response id belongs to, as far as this user goes; nothing when it is not theirs, not
  // known, or older than 30 days.
  virtual Result<std::optional<ResponseOwner>> response_owner(std::string_view response_id,
                                                              int64_t user_id) = 0;
  // Is the database there? One cheap statement.
  virtual Result<void> ping() = 0;
};

// A change of the master key, as far as it is.
struct RekeyReport {
  std::string fingerprint;  // of the new key, which is in force
  bool done = false;        // the old one opens nothing any more
  int64_t records = 0;      // sealed anew by this process
  int64_t unreadable = 0;   // damaged ones, which stay as they are
  std::string key_file;  // when done: where the next start finds the key; empty = it must be given
};

class Store {
 public:
  virtual ~Store() = default;

  virtual Result<ConfigRows> load_all() = 0;

  // Runs `work` in one transaction: all of it or nothing. Operations called inside join it; do not
  // nest.
  virtual Result<void> transaction(const std::function<Result<void>()>& work) = 0;

  // Every operation below is a transaction of its own, and returns what stands in the database
  // then.

  virtual Result<SettingsRow> put_settings(const SettingsRow& row) = 0;

  // By name: creates, or changes kind, settings, enabled and origin. An id in the row is ignored.
  virtual Result<ProviderRow> upsert_provider(const ProviderRow& row) = 0;
  virtual Result<void> delete_provider(int64_t id) = 0;  // its credentials go, too

  virtual Result<CredentialRow> insert_credential(const CredentialRow& row) = 0;
  // By id: name, settings, secret (version + 1 when it differs), enabled, origin. The provider
  // stays.
  virtual Result<CredentialRow> update_credential(const CredentialRow& row) = 0;
  virtual Result<void> set_credential_enabled(int64_t id, bool enabled) = 0;
  // A refreshed secret. Conflict when the row's version is no longer `expected_version`: somebody
  // else has written it meanwhile. Returns the new version.
  // `settings_json` empty = unchanged. Name, enabled and origin stay as they are.
  virtual Result<int64_t> replace_secret(int64_t id, int64_t expected_version, const Secret& secret,
                                         std::string_view settings_json = {}) = 0;
  virtual Result<void> delete_credential(int64_t id) = 0;

  // By name: creates, or changes body, enabled and origin. An id in the row is ignored.
  virtual Result<RouteRow> upsert_route(const RouteRow& row) = 0;
  virtual Result<void> delete_route(int64_t id) = 0;

  // What rests from now on, and what (by credential and scope) does not any more. Rows of
  // credentials that are gone are passed over. Moves no revision.
  virtual Result<void> put_health(std::span<const HealthRow> resting,
                                  std::span<const HealthRow> ended) = 0;

  // By id: creates with that id (kNoId: the next free one) or changes.
  virtual Result<UserRow> upsert_user(const UserRow& row) = 0;
  virtual Result<void> set_user_enabled(int64_t id, bool enabled) = 0;
  virtual Result<void> delete_user(int64_t id) = 0;  // its keys go, too

  // `key` is the text; the digest in the row is ignored. row.has_copy: keep a sealed copy as well.
  virtual Result<UserKeyRow> insert_user_key(const UserKeyRow& row, const Secret& key) = 0;
  // Label, enabled, bounds, permissions, origin.
  virtual Result<void> update_user_key(const UserKeyRow& row) = 0;
  // Another text for the key. With `grace_until` in the future the text it had is taken until then,
  // too (wall clock, µs); 0 ends it at once.
  virtual Result<void> replace_user_key(int64_t id, const Secret& key, int64_t grace_until) = 0;
  virtual Result<void> set_user_key_enabled(int64_t id, bool enabled) = 0;
  virtual Result<void> delete_user_key(int64_t id) = 0;
  // not_found when the row has no copy.
  virtual Result<Secret> reveal_user_key(int64_t id) = 0;

  virtual Result<void> append_audit(const AuditRow& row) = 0;
  // Logins that wait. put_flow() creates, or changes the flow of a known state; expired ones go,
  // and the oldest of the opener beyond kMaxFlowsPerUser. `state` nothing = any; user_id kNoId =
  // anybody's, with a state only.
  virtual Result<void> put_flow(const FlowRow& row) = 0;
  virtual Result<FoundFlow> find_flow(int64_t provider_id, int64_t user_id,
                                      const std::optional<Digest>& state) = 0;
  virtual Result<void> delete_flow(const Digest& state) = 0;  // none is no error

  // Idempotent: a row whose id is already there is left alone. All rows or none.
  virtual Result<void> append_batch(const Batch& batch) = 0;

  // One small step of housekeeping: sums that are due, rows that are too old. True when another one
  // is due at once.
  virtual Result<bool> maintain(const Retention& retention) = 0;

  // Another master key while everything goes on; never inside transaction(). begin_rekey() puts
  // `key` in force, or a new one of its own where the one in force is a file that gproxy made; from
  // then on records open with either. Where a change is unfinished it is gone on with. Errors:
  // invalid, param "key_file", no key is given where one must be; conflict "same_master_key",
  // "rekey_unfinished".
  virtual Result<RekeyReport> begin_rekey(const std::optional<Secret>& key) = 0;
  // Seals some records anew, in one short transaction; to be called until it is done. After an
  // error, and after a crash, it goes on where it was.
  virtual Result<RekeyReport> rekey_step() = 0;
  virtual RekeyReport rekey_state() const = 0;

  // Could something be written now? Changes nothing that anybody sees; for times when nothing is
  // written. A look is cheap and leaves a full disk unseen; a write is committed.
  enum class Probe : uint8_t { look, write };
  virtual Result<void> probe(Probe how) = 0;
  // Has the database refused a write or housekeeping (full, away, locked) since this was asked
  // last?
  virtual bool take_trouble() = 0;
  // Housekeeping of the database's own log.
  virtual void checkpoint() = 0;

  virtual const KeyHasher& key_hasher() const = 0;
  virtual std::string_view database_id() const = 0;  // random, made with the database
  virtual std::string_view shown_dsn() const = 0;    // password masked
  virtual Result<std::unique_ptr<Reader>> open_reader() = 0;
};

struct StoreOptions {
  std::string dsn;
  MasterKeySource master_key;
  int64_t busy_timeout_ms = 5'000;
  Clock* clock = nullptr;  // Clock::system() when null
};

// Opens, locks, migrates, checks the master key. Blocking; for the main thread at start.
Result<std::unique_ptr<Store>> open_store(const StoreOptions& options);

// The process exit code (sysexits) for a failure of open_store() or Recorders::open():
//   78  bad_dsn unsupported_database foreign_database schema_newer
//       wrong_master_key missing_master_key bad_master_key master_key_unreadable
//   69  database_in_use storage_unavailable
//   73  cannot_create
//   77  no_permission
//   74  everything else
int exit_code(const Error& error);

}  // namespace gproxy::storage
