// SqlStore's keys: which master key opens the database at start, the sealing of records with it,
// and the lookup key of user keys.
#include "storage/sql_keys.h"

#include <algorithm>

#include "base/base64.h"
#include "base/log.h"
#include "storage/sql_store.h"

namespace gproxy::storage {
namespace {

Error wrong_key(const std::string& in_force, const std::string& given) {
  return Error{
      ErrorKind::invalid, "wrong_master_key",
      "the database is sealed with the master key " + in_force + ", the given one is " + given};
}

// The key beside the generated one, where a rekey that was killed has left it.
std::optional<Secret> waiting_key(const std::string& key_file) {
  MasterKeySource beside;
  beside.key_file = key_file + std::string(kNextFile);
  auto key = read_master_key(beside);
  return key.ok() ? std::move(*key) : std::nullopt;
}

std::string fingerprint_of(const Secret& master) {
  const auto sealer = Sealer::open(master.reveal());
  return sealer.ok() ? sealer->fingerprint() : std::string();
}

}  // namespace

std::string sealed_place(std::string_view table, int64_t id, std::string_view column) {
  std::string place(table);
  return place.append("/").append(std::to_string(id)).append("/").append(column);
}
std::string sealed_key_place(std::string_view name) {
  return std::string("sealed_keys/").append(name);
}

std::string SqlStore::seal(std::string_view table, int64_t id, std::string_view column,
                           const Secret& plain) const {
  return sealer_->seal(plain.reveal(), sealed_place(table, id, column));
}

Result<Secret> SqlStore::unseal_at(const std::string& place, std::string_view sealed) const {
  auto plain = sealer_->unseal(sealed, place);
  if (!plain.ok() && older_) plain = older_->unseal(sealed, place);
  // Which of the records it is: "credentials/7/secret".
  if (!plain.ok()) plain.error().message = place + ": " + plain.error().message;
  return plain;
}

Result<Secret> SqlStore::unseal(std::string_view table, int64_t id, std::string_view column,
                                std::string_view sealed) const {
  return unseal_at(sealed_place(table, id, column), sealed);
}

Result<Secret> SqlStore::given_master_key(const StoreOptions& options, NewKey new_key,
                                          const std::string& in_force) {
  MasterKeySource source = options.master_key;
  if (new_key == NewKey::must_be_given) {
    source.data_dir.clear();  // several machines may use this database: no file of one of them
  } else if (!dsn_.in_memory() && source.data_dir.empty()) {
    source.data_dir = data_directory(dsn_, {});
  }
  if (source.key.empty() && source.key_file.empty() && !source.data_dir.empty()) {
    key_file_ = generated_key_file(source.data_dir);
  }
  // Read once: it may be a pipe.
  if (!given_) {
    GP_TRY(given_, read_master_key(source));
  }
  if (given_) return *given_;
  if (!in_force.empty()) {
    return Error{ErrorKind::invalid, "missing_master_key",
                 "the database is sealed with the master key " + in_force +
                     ", and there is none: give it" +
                     (key_file_.empty() ? std::string() : ", or put back " + key_file_)};
  }
  if (new_key == NewKey::must_be_given) {
    return Error{ErrorKind::invalid, "missing_master_key",
                 "a PostgreSQL database needs a master key that is given: GPROXY_MASTER_KEY or "
                 "--master-key-file, 32 bytes as hex or base64"};
  }
  if (!dsn_.in_memory()) return generate_master_key(source.data_dir);
  return random_master_key();
}

std::string SqlStore::start_finds(const std::string& fingerprint) const {
  if (key_file_.empty()) return {};
  const auto waiting = waiting_key(key_file_);
  if (waiting && fingerprint_of(*waiting) == fingerprint) return key_file_ + std::string(kNextFile);
  MasterKeySource source;
  source.key_file = key_file_;
  const auto key = read_master_key(source);
  return key.ok() && *key && fingerprint_of(**key) == fingerprint ? key_file_ : std::string();
}

Result<void> SqlStore::put_key_file_in_place(const std::string& fingerprint) {
  if (key_file_.empty()) return ok();
  const auto waiting = waiting_key(key_file_);
  if (!waiting || fingerprint_of(*waiting) != fingerprint) return ok();
  return replace_key_file(key_file_ + std::string(kNextFile), key_file_);
}

// One key is in force, or two while a rekey is under way: then either opens the other.
Result<void> SqlStore::choose_keys(Secret given, const std::vector<std::string>& known) {
  const std::string& in_force = known.back();
  const std::string& before = known.front();
  std::string name = fingerprint_of(given);
  if (name != in_force && name != before && !key_file_.empty()) {
    if (auto waiting = waiting_key(key_file_); waiting && fingerprint_of(*waiting) == in_force) {
      given = std::move(*waiting);
      name = in_force;
      if (auto placed = put_key_file_in_place(in_force); !placed.ok()) {
        log::warn("the new key file does not take the old one's place", placed.error());
      }
    }
  }
  if (name != in_force && name != before) return wrong_key(in_force, name);
  GP_TRY(Sealer sealer, Sealer::open(given.reveal()));
  if (known.size() == 1) {
    sealer_ = std::move(sealer);
    master_ = std::move(given);
    return ok();
  }
  const std::string_view row_name = name == in_force ? kOlderKey : kNewerKey;
  Query query(*db_, "SELECT sealed FROM sealed_keys WHERE name = $1");
  GP_TRY(const bool row, query.with(row_name).step());
  if (!row) return wrong_key(in_force, name);
  GP_TRY(Secret other, sealer.unseal(query.blob(0), sealed_key_place(row_name)));
  GP_TRY(Sealer other_sealer, Sealer::open(other.reveal()));
  if (name == in_force) {
    sealer_ = std::move(sealer);
    master_ = std::move(given);
    older_ = std::move(other_sealer);
  } else {
    sealer_ = std::move(other_sealer);
    master_ = std::move(other);
    older_ = std::move(sealer);
  }
  log::warn("a change of the master key is unfinished: repeat gproxy rekey",
            {{"from", before}, {"to", in_force}});
  return ok();
}

Result<std::vector<std::string>> SqlStore::known_keys() {
  std::vector<std::string> known;
  Query query(*db_, "SELECT fingerprint FROM master_keys ORDER BY created_at");
  for (;;) {
    GP_TRY(const bool row, query.step());
    if (!row) return known;
    known.push_back(query.string(0));
  }
}

Result<void> SqlStore::check_key(const StoreOptions& options, NewKey new_key) {
  std::vector<std::string> known;
  GP_TRY(const bool has_keys, db_->has_table("master_keys"));
  if (has_keys) {
    GP_TRY(known, known_keys());
  }
  if (known.empty() && new_key == NewKey::may_be_made) return ok();
  GP_TRY(const Secret given,
         given_master_key(options, new_key, known.empty() ? std::string() : known.back()));
  GP_TRY(const Sealer sealer, Sealer::open(given.reveal()));
  const auto opens = [&](const std::string& name) {
    return std::find(known.begin(), known.end(), name) != known.end();
  };
  if (known.empty() || opens(sealer.fingerprint())) return ok();
  if (!key_file_.empty()) {
    if (const auto waiting = waiting_key(key_file_); waiting && opens(fingerprint_of(*waiting))) {
      return ok();
    }
  }
  return wrong_key(known.back(), sealer.fingerprint());
}

Result<void> SqlStore::open_keys(const StoreOptions& options, NewKey new_key) {
  GP_TRY(const std::vector<std::string> known, known_keys());
  GP_TRY(Secret master,
         given_master_key(options, new_key, known.empty() ? std::string() : known.back()));
  given_.reset();
  if (known.empty()) {
    GP_TRY(sealer_, Sealer::open(master.reveal()));
    GP_CHECK(first_keys(*sealer_));
    master_ = std::move(master);
  } else {
    GP_CHECK(choose_keys(std::move(master), known));
  }
  GP_TRY(database_id_, db_->text_of("SELECT value FROM meta WHERE name = 'database_id'"));
  {
    Query query(*db_, "SELECT sealed FROM sealed_keys WHERE name = $1");
    GP_TRY(const bool row, query.with(kLookupKey).step());
    if (!row || database_id_.empty()) {
      return Error{ErrorKind::server, "storage_error", "the database has lost its own keys"};
    }
    auto lookup = unseal_at(sealed_key_place(kLookupKey), query.blob(0));
    if (!lookup) {
      return Error{ErrorKind::invalid, "wrong_master_key",
                   "the master key does not open the database's own keys"};
    }
    hasher_ = KeyHasher(std::move(*lookup));
  }
  return seal_plain_settings();
}

// Rows from before settings were sealed.
Result<void> SqlStore::seal_plain_settings() {
  std::vector<std::pair<int64_t, Secret>> plain;
  {
    Query query(
        *db_, "SELECT id, settings_json FROM providers WHERE settings_sealed IS NULL ORDER BY id");
    for (;;) {
      GP_TRY(const bool more, query.step());
      if (!more) break;
      plain.emplace_back(query.integer(0), Secret(query.text(1)));
    }
  }
  if (plain.empty() || dsn_.mode == Dsn::Mode::ro) return ok();
  GP_CHECK(overwrite_deleted("ON"));
  GP_CHECK(in_transaction([&]() -> Result<void> {
    for (const auto& [id, settings] : plain) {
      const std::string sealed = seal("providers", id, "settings", settings);
      Query update(*db_,
                   "UPDATE providers SET settings_json = '{}', settings_sealed = $1 WHERE id = $2");
      GP_CHECK(update.with_blob(sealed).with(id).run());
    }
    return ok();
  }));
  return overwrite_deleted("OFF");
}

// SQLite: what is deleted or written over is not to be found in the file's free pages afterwards.
Result<void> SqlStore::overwrite_deleted(const char* on_or_off) {
  if (db_->dialect() != Dialect::sqlite) return ok();
  return db_->exec(std::string("PRAGMA secure_delete = ") + on_or_off);
}

Result<void> SqlStore::first_keys(const Sealer& sealer) {
  return in_transaction([&]() -> Result<void> {
    const int64_t now = clock_.wall_us();
    Query id(*db_, "INSERT INTO meta (name, value) VALUES ('database_id', $1)");
    const std::string random = random_hex(16);
    GP_CHECK(id.with(random).run());
    const std::string sealed =
        sealer.seal(random_master_key().reveal(), sealed_key_place(kLookupKey));
    GP_CHECK(put_sealed_key(kLookupKey, sealed));
    Query key(*db_, "INSERT INTO master_keys (fingerprint, created_at) VALUES ($1, $2)");
    const std::string fingerprint = sealer.fingerprint();
    return key.with(fingerprint).with(now).run();
  });
}

Result<void> SqlStore::put_sealed_key(std::string_view name, const std::string& sealed) {
  Query put(*db_, "INSERT INTO sealed_keys (name, sealed, created_at) VALUES ($1, $2, $3)");
  return put.with(name).with_blob(sealed).with(clock_.wall_us()).run();
}

}  // namespace gproxy::storage
