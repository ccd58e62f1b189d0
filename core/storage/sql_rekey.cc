// Another master key for a database that is in use. begin_rekey() puts the new key in force beside
// the old one, each sealed with the other in the database; from then on both open it, whatever
// happens to the process, and what is written is sealed with the new one. Each rekey_step() seals a
// few records anew, in a transaction of its own, so that no batch of rows waits long; the last one
// takes the old key out of force.
#include <cstdio>
#include <utility>
#include <vector>

#include "base/log.h"
#include "storage/sql_keys.h"
#include "storage/sql_store.h"

namespace gproxy::storage {
namespace {

constexpr int64_t kRecordsPerStep = 64;

struct SealedColumn {
  std::string_view table;
  std::string_view column;  // as the record is bound to it; stored in <column>_sealed
};
constexpr SealedColumn kColumns[] = {
    {"global_config", "admin_key"}, {"global_config", "proxy"}, {"global_config", "secrets"},
    {"providers", "settings"},      {"credentials", "secret"},  {"user_keys", "key"},
    {"oauth_flows", "flow"},
};

}  // namespace

Result<RekeyReport> SqlStore::begin_rekey(const std::optional<Secret>& given) {
  GP_ASSERT(!joined_);
  if (older_) {  // an earlier one is unfinished
    if (given) {
      GP_TRY(const Sealer wanted, Sealer::open(given->reveal()));
      if (wanted.fingerprint() != sealer_->fingerprint()) {
        return Error{ErrorKind::conflict, "rekey_unfinished",
                     "a change to the master key " + sealer_->fingerprint() +
                         " is unfinished: repeat that one first",
                     "key_file"};
      }
    }
    GP_CHECK(overwrite_deleted("ON"));
    return rekey_state();
  }
  Secret master;
  if (given) {
    master = *given;
  } else if (key_file_.empty()) {
    return invalid_error("the master key in force was given: name the file of the new one",
                         "key_file");
  } else {
    // A key in force that still waits for its place there must not be written over.
    GP_CHECK(put_key_file_in_place(sealer_->fingerprint()));
    master = random_master_key();
    GP_CHECK(write_key_file(key_file_ + std::string(kNextFile), master));
  }
  GP_TRY(Sealer sealer, Sealer::open(master.reveal()));
  const std::string fingerprint = sealer.fingerprint();
  if (fingerprint == sealer_->fingerprint()) {
    return Error{ErrorKind::conflict, "same_master_key",
                 "the database is sealed with this key already", "key_file"};
  }
  // Not even in free pages is there to be a master key when this is over.
  GP_CHECK(overwrite_deleted("ON"));
  GP_CHECK(in_transaction([&]() -> Result<void> {
    Query lookup(*db_, "SELECT sealed FROM sealed_keys WHERE name = $1");
    GP_TRY(const bool found, lookup.with(kLookupKey).step());
    if (!found) return internal_error("the database has lost its own keys");
    const std::string place = sealed_key_place(kLookupKey);
    GP_TRY(const Secret digests, unseal_at(place, lookup.blob(0)));
    GP_CHECK(lookup.run());
    const std::string anew = sealer.seal(digests.reveal(), place);
    Query update(*db_, "UPDATE sealed_keys SET sealed = $1 WHERE name = $2");
    GP_CHECK(update.with_blob(anew).with(kLookupKey).run());
    GP_CHECK(
        put_sealed_key(kNewerKey, sealer_->seal(master.reveal(), sealed_key_place(kNewerKey))));
    GP_CHECK(
        put_sealed_key(kOlderKey, sealer.seal(master_.reveal(), sealed_key_place(kOlderKey))));
    GP_TRY(const int64_t last, db_->number_of("SELECT max(created_at) FROM master_keys"));
    Query key(*db_, "INSERT INTO master_keys (fingerprint, created_at) VALUES ($1, $2)");
    return key.with(fingerprint).with(std::max(clock_.wall_us(), last + 1)).run();
  }));
  older_ = std::exchange(sealer_, std::move(sealer));
  master_ = std::move(master);
  rekey_ = {};
  log::info("a new master key is in force, records are sealed anew",
            {{"from", older_->fingerprint()}, {"to", fingerprint}});
  return rekey_state();
}

RekeyReport SqlStore::rekey_state() const {
  RekeyReport report;
  report.fingerprint = sealer_->fingerprint();
  report.done = !older_;
  report.records = rekey_.records;
  report.unreadable = rekey_.unreadable;
  report.key_file = rekey_.key_file;
  return report;
}

Result<RekeyReport> SqlStore::rekey_step() {
  GP_ASSERT(!joined_);
  if (!older_) return rekey_state();
  if (rekey_.column == std::size(kColumns)) {
    GP_CHECK(finish_rekey());
    return rekey_state();
  }
  RekeyRun next = rekey_;
  GP_CHECK(in_transaction([&] { return reseal_some(next); }));
  rekey_ = next;
  return rekey_state();
}

Result<void> SqlStore::reseal_some(RekeyRun& run) {
  const auto [table, column] = kColumns[run.column];
  const std::string stored = std::string(column) + "_sealed";
  std::vector<std::pair<int64_t, std::string>> records;
  {
    std::string sql = "SELECT id, " + stored + " FROM " + std::string(table) + " WHERE id > $1";
    sql += " AND substr(" + stored + ", 2, 4) = $2 ORDER BY id LIMIT $3";
    Query query(*db_, sql);
    const std::string old_key = older_->record_key_id();
    query.with(run.after).with_blob(old_key).with(kRecordsPerStep);
    for (;;) {
      GP_TRY(const bool more, query.step());
      if (!more) break;
      records.emplace_back(query.integer(0), std::string(query.blob(1)));
    }
  }
  Query update(*db_, "UPDATE " + std::string(table) + " SET " + stored + " = $1 WHERE id = $2");
  for (const auto& [id, sealed] : records) {
    run.after = id;
    const auto plain = unseal(table, id, column, sealed);
    if (!plain.ok()) {
      ++run.unreadable;  // damaged before, damaged after
      continue;
    }
    const std::string anew = seal(table, id, column, *plain);
    update.again();
    GP_CHECK(update.with_blob(anew).with(id).run());
    ++run.records;
  }
  if (records.size() < static_cast<size_t>(kRecordsPerStep)) {
    ++run.column;
    run.after = kNoId;
  }
  return ok();
}

Result<void> SqlStore::finish_rekey() {
  GP_CHECK(in_transaction([&]() -> Result<void> {
    Query keys(*db_, "DELETE FROM sealed_keys WHERE name = $1 OR name = $2");
    GP_CHECK(keys.with(kNewerKey).with(kOlderKey).run());
    Query old(*db_, "DELETE FROM master_keys WHERE fingerprint = $1");
    const std::string fingerprint = older_->fingerprint();
    return old.with(fingerprint).run();
  }));
  log::info("the old master key opens nothing any more",
            {{"master_key", sealer_->fingerprint()}, {"records", rekey_.records}});
  older_.reset();
  rekey_.column = 0;
  // Where the file cannot take its place the next start finds it beside the old one.
  if (auto placed = put_key_file_in_place(sealer_->fingerprint()); !placed.ok()) {
    log::error("the new key file did not take the old one's place", placed.error());
  }
  rekey_.key_file = start_finds(sealer_->fingerprint());
  GP_CHECK(overwrite_deleted("OFF"));
  checkpoint();
  return ok();
}

}  // namespace gproxy::storage
