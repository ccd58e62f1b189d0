// Store on a SQL database: everything both databases do alike. What they do differently, opening
// above all, is in sqlite_store.h and postgres_store.h.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "storage/dsn.h"
#include "storage/log_size.h"
#include "storage/sql_bulk.h"
#include "storage/sql_db.h"
#include "storage/sql_rollup.h"
#include "storage/store.h"

namespace gproxy::storage {

class SqlStore : public Store {
 public:
  Result<ConfigRows> load_all() override;
  Result<void> transaction(const std::function<Result<void>()>& work) override;

  Result<SettingsRow> put_settings(const SettingsRow& row) override;
  Result<ProviderRow> upsert_provider(const ProviderRow& row) override;
  Result<void> delete_provider(int64_t id) override;
  Result<CredentialRow> insert_credential(const CredentialRow& row) override;
  Result<CredentialRow> update_credential(const CredentialRow& row) override;
  Result<void> set_credential_enabled(int64_t id, bool enabled) override;
  Result<int64_t> replace_secret(int64_t id, int64_t expected_version, const Secret& secret,
                                 std::string_view settings_json) override;
  Result<void> delete_credential(int64_t id) override;
  Result<RouteRow> upsert_route(const RouteRow& row) override;
  Result<void> delete_route(int64_t id) override;
  Result<void> put_health(std::span<const HealthRow> resting,
                          std::span<const HealthRow> ended) override;
  Result<UserRow> upsert_user(const UserRow& row) override;
  Result<void> set_user_enabled(int64_t id, bool enabled) override;
  Result<void> delete_user(int64_t id) override;
  Result<UserKeyRow> insert_user_key(const UserKeyRow& row, const Secret& key) override;
  Result<void> update_user_key(const UserKeyRow& row) override;
  Result<void> replace_user_key(int64_t id, const Secret& key, int64_t grace_until) override;
  Result<void> set_user_key_enabled(int64_t id, bool enabled) override;
  Result<void> delete_user_key(int64_t id) override;
  Result<Secret> reveal_user_key(int64_t id) override;

  Result<void> append_audit(const AuditRow& row) override;
  Result<void> put_flow(const FlowRow& row) override;
  Result<FoundFlow> find_flow(int64_t provider_id, int64_t user_id,
                              const std::optional<Digest>& state) override;
  Result<void> delete_flow(const Digest& state) override;

  Result<void> append_batch(const Batch& batch) override;
  Result<bool> maintain(const Retention& retention) override;
  Result<RekeyReport> begin_rekey(const std::optional<Secret>& key) override;
  Result<RekeyReport> rekey_step() override;
  RekeyReport rekey_state() const override;
  Result<void> probe(Probe how) override;
  bool take_trouble() override { return std::exchange(trouble_, false); }

  const KeyHasher& key_hasher() const override { return hasher_; }
  std::string_view database_id() const override { return database_id_; }
  std::string_view shown_dsn() const override { return dsn_.shown; }

 protected:
  SqlStore(Dsn dsn, Clock& clock) : dsn_(std::move(dsn)), clock_(clock) {}

  // For opening, in this order, when db_ is connected and nobody else migrates (sql_open.cc).
  // may_be_made: a database that is still without a key may get one of its own.
  enum class NewKey : uint8_t { must_be_given, may_be_made };
  // Ahead of migrate(): who cannot open the database changes nothing in it.
  Result<void> check_key(const StoreOptions& options, NewKey new_key);
  Result<void> migrate();
  Result<void> open_keys(const StoreOptions& options, NewKey new_key);

  const Dsn dsn_;
  Clock& clock_;
  std::unique_ptr<Db> db_;
  // After migrate().
  Result<void> open_rollups();

 private:
  // Keys (sql_keys.cc).
  Result<Secret> given_master_key(const StoreOptions& options, NewKey new_key,
                                  const std::string& in_force);
  Result<std::vector<std::string>> known_keys();  // fingerprints, the one in force last
  Result<void> choose_keys(Secret given, const std::vector<std::string>& known);
  Result<void> first_keys(const Sealer& sealer);
  Result<void> put_sealed_key(std::string_view name, const std::string& sealed);
  // The file in which a start without options finds this key; empty = in none.
  std::string start_finds(const std::string& fingerprint) const;
  Result<void> put_key_file_in_place(const std::string& fingerprint);
  Result<void> seal_plain_settings();
  Result<void> overwrite_deleted(const char* on_or_off);

  // How far a rekey is (sql_rekey.cc).
  struct RekeyRun {
    size_t column = 0;      // of the sealed ones
    int64_t after = kNoId;  // the last row of it that was looked at
    int64_t records = 0, unreadable = 0;
    std::string key_file;  // done: see RekeyReport
  };
  Result<void> reseal_some(RekeyRun& run);
  Result<void> finish_rekey();

  void note_trouble(const Error& error);

  // Runs `work` in the transaction of the caller or in one of its own.
  Result<void> in_transaction(const std::function<Result<void>()>& work);
  // The same for a configuration write: counts the revision up.
  Result<void> change(const std::function<Result<void>()>& work);

  // Conflict when a key other than `id` still answers to this digest.
  Result<void> check_digest_free(const Digest& digest, int64_t id);
  Result<int64_t> next_id(const char* sequence);
  std::string seal(std::string_view table, int64_t id, std::string_view column,
                   const Secret& plain) const;
  Result<Secret> unseal_at(const std::string& place, std::string_view sealed) const;
  Result<Secret> unseal(std::string_view table, int64_t id, std::string_view column,
                        std::string_view sealed) const;
  Result<CredentialRow> read_credential(int64_t id);

  // Reading (sql_load.cc): a row of the query's columns.
  CredentialRow credential_in(const Query& query) const;
  ProviderRow provider_in(const Query& query) const;
  Result<std::optional<SettingsRow>> load_settings();
  Result<void> load_into(ConfigRows& out);

  // May rows of the batch be in the database already?
  enum class Known : uint8_t { nothing, maybe };
  Result<void> append_batch(const Batch& batch, Known known);
  template <class Row>
  Result<void> append_rows(std::span<const Row> rows, Known known, const char* insert_sql,
                           std::string_view table, std::span<const BulkColumn> columns,
                           std::vector<const Row*>* fresh = nullptr);
  Result<bool> prune(const Retention& retention, int64_t now_us);
  Result<bool> prune_table(std::string_view table, int64_t before_us);
  Result<int64_t> prune_logs(LogTable table, int64_t before_us);
  Result<bool> prune_by_size(int64_t limit_bytes);
  Result<void> append_responses(std::span<const ResponseRow> rows);
  Result<void> prune_responses();

  static constexpr size_t kPruneResponsesEvery = 4096;

  std::optional<RollupKeeper> rollups_;
  std::optional<LogSize> log_size_;
  std::optional<Sealer> sealer_;  // of the master key in force
  std::optional<Sealer> older_;   // while a rekey is under way: what is not sealed anew yet
  std::optional<Secret> given_;   // while opening
  Secret master_;                 // the one in force
  std::string key_file_;          // which gproxy has made and reads; empty: the key is given
  RekeyRun rekey_;
  KeyHasher hasher_;
  std::string database_id_;
  bool trouble_ = false;                                 // since take_trouble()
  size_t responses_since_prune_ = kPruneResponsesEvery;  // the first rows of a start prune
  bool joined_ = false;                                  // inside transaction()
};

}  // namespace gproxy::storage
