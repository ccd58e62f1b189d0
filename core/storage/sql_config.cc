// SqlStore's configuration writes; sql_load.cc reads.
#include <array>

#include "storage/sql_store.h"

namespace gproxy::storage {
namespace {

Error not_found(std::string_view code, int64_t id) {
  return Error{ErrorKind::not_found, code, "there is no row " + std::to_string(id), "id"};
}
constexpr std::string_view kNoProvider = "provider_not_found";
constexpr std::string_view kNoCredential = "credential_not_found";
constexpr std::string_view kNoUser = "user_not_found";
constexpr std::string_view kNoUserKey = "user_key_not_found";

// What a JSON number keeps: clients read ids as such.
constexpr int64_t kMaxUserId = (int64_t{1} << 53) - 1;

int32_t number(Origin origin) {
  return static_cast<int32_t>(origin);
}

}  // namespace

// ---- Transactions

Result<void> SqlStore::in_transaction(const std::function<Result<void>()>& work) {
  if (joined_) return work();
  if (auto begun = db_->begin(Db::Intent::write); !begun) {
    note_trouble(begun.error());
    return begun;
  }
  auto done = work();
  if (done && log_size_) done = log_size_->before_commit();
  if (done) done = db_->commit();
  if (!done) note_trouble(done.error());
  if (!done) db_->rollback();
  if (rollups_) done ? rollups_->committed() : rollups_->rolled_back();
  if (log_size_) done ? log_size_->committed() : log_size_->rolled_back();
  return done;
}

Result<void> SqlStore::transaction(const std::function<Result<void>()>& work) {
  GP_ASSERT(!joined_);
  return in_transaction([&] {
    joined_ = true;
    auto done = work();
    joined_ = false;
    return done;
  });
}

Result<void> SqlStore::change(const std::function<Result<void>()>& work) {
  return in_transaction([&]() -> Result<void> {
    GP_CHECK(work());
    return Query(*db_, "UPDATE config_state SET revision = revision + 1 WHERE id = 1").run();
  });
}

Result<int64_t> SqlStore::next_id(const char* sequence) {
  Query query(*db_, "UPDATE id_sequences SET next = next + 1 WHERE name = $1 RETURNING next - 1");
  GP_TRY(const bool row, query.with(sequence).step());
  if (!row) return internal_error("a number sequence is missing");
  const int64_t id = query.integer(0);
  GP_CHECK(query.run());  // to its end, so that the statement is complete
  return id;
}

// ---- Settings

Result<SettingsRow> SqlStore::put_settings(const SettingsRow& row) {
  SettingsRow out = row;
  GP_CHECK(change([&]() -> Result<void> {
    const int64_t now = clock_.wall_us();
    out.updated_at = now;
    std::optional<std::string> admin_key, proxy;
    if (!row.admin_key.empty()) admin_key = seal("global_config", 1, "admin_key", row.admin_key);
    if (row.proxy) proxy = seal("global_config", 1, "proxy", Secret(*row.proxy));
    std::optional<std::string> secrets;
    if (!row.secrets_json.empty()) secrets = seal("global_config", 1, "secrets", row.secrets_json);
    Query put(
        *db_,
        "INSERT INTO global_config (id, host, port, admin_key_sealed, proxy_sealed,"
        " event_redact_sensitive, dsn, extra_json, host_origin, port_origin, admin_key_origin,"
        " proxy_origin, redact_origin, created_at, updated_at, secrets_sealed)"
        " VALUES (1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT "
        "(id) DO UPDATE SET host = excluded.host,"
        " port = excluded.port, admin_key_sealed = excluded.admin_key_sealed,"
        " proxy_sealed = excluded.proxy_sealed,"
        " event_redact_sensitive = excluded.event_redact_sensitive, dsn = excluded.dsn,"
        " extra_json = excluded.extra_json, host_origin = excluded.host_origin,"
        " port_origin = excluded.port_origin, admin_key_origin = excluded.admin_key_origin,"
        " proxy_origin = excluded.proxy_origin, redact_origin = excluded.redact_origin,"
        " updated_at = excluded.updated_at, secrets_sealed = excluded.secrets_sealed"
        " RETURNING created_at");
    put.with(row.host).with(row.port);
    admin_key ? put.with_blob(*admin_key) : put.with_null();
    proxy ? put.with_blob(*proxy) : put.with_null();
    put.with(row.event_redact_sensitive).with(dsn_.shown).with(row.extra_json);
    put.with(number(row.host_origin))
        .with(number(row.port_origin))
        .with(number(row.admin_key_origin));
    put.with(number(row.proxy_origin)).with(number(row.redact_origin)).with(now).with(now);
    secrets ? put.with_blob(*secrets) : put.with_null();
    GP_TRY([[maybe_unused]] const bool got, put.step());
    out.created_at = put.integer(0);
    return put.run();
  }));
  out.dsn = dsn_.shown;
  return out;
}

// ---- Providers

Result<ProviderRow> SqlStore::upsert_provider(const ProviderRow& row) {
  ProviderRow out = row;
  out.readable = true;
  GP_CHECK(change([&]() -> Result<void> {
    const int64_t now = clock_.wall_us();
    out.updated_at = out.created_at = now;
    bool found = false;
    {
      Query known(*db_, "SELECT id, created_at FROM providers WHERE name = $1");
      GP_TRY(found, known.with(row.name).step());
      if (found) {
        out.id = known.integer(0);
        out.created_at = known.integer(1);
      }
    }
    if (!found) {
      GP_TRY(out.id, next_id("providers"));
    }
    const std::string settings = seal("providers", out.id, "settings", Secret(row.settings_json));
    Query put(*db_,
              found ? "UPDATE providers SET name = $1, kind = $2, settings_sealed = $3,"
                      " settings_json = '{}', enabled = $4, origin = $5, pool_json = $6,"
                      " created_at = $7, updated_at = $8 WHERE id = $9"
                    : "INSERT INTO providers (name, kind, settings_sealed, settings_json, enabled,"
                      " origin, pool_json, created_at, updated_at, id)"
                      " VALUES ($1, $2, $3, '{}', $4, $5, $6, $7, $8, $9)");
    put.with(row.name).with(row.kind).with_blob(settings).with(row.enabled);
    put.with(number(row.origin)).with(row.pool_json).with(out.created_at).with(now);
    return put.with(out.id).run();
  }));
  return out;
}

Result<void> SqlStore::delete_provider(int64_t id) {
  return change([&]() -> Result<void> {
    GP_CHECK(Query(*db_, "DELETE FROM providers WHERE id = $1").with(id).run());
    return db_->changes() != 0 ? ok() : not_found(kNoProvider, id);
  });
}

// ---- Credentials

Result<CredentialRow> SqlStore::insert_credential(const CredentialRow& row) {
  CredentialRow out = row;
  GP_CHECK(change([&]() -> Result<void> {
    Query provider(*db_, "SELECT 1 FROM providers WHERE id = $1");
    GP_TRY(const bool known, provider.with(row.provider_id).step());
    if (!known) return not_found(kNoProvider, row.provider_id);
    const int64_t now = clock_.wall_us();
    GP_TRY(out.id, next_id("credentials"));
    out.version = 1;
    out.readable = true;
    out.created_at = out.updated_at = now;
    const std::string sealed = seal("credentials", out.id, "secret", row.secret);
    Query insert(
        *db_,
        "INSERT INTO credentials (id, provider_id, name, settings_json, secret_sealed, version,"
        " enabled, origin, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8, $9)");
    insert.with(out.id)
        .with(row.provider_id)
        .with(row.name)
        .with(row.settings_json)
        .with_blob(sealed);
    return insert.with(row.enabled).with(number(row.origin)).with(now).with(now).run();
  }));
  return out;
}

CredentialRow SqlStore::credential_in(const Query& query) const {
  CredentialRow row;
  row.id = query.integer(0);
  row.provider_id = query.integer(1);
  row.name = query.optional_string(2);
  row.settings_json = query.string(3);
  auto secret = unseal("credentials", row.id, "secret", query.blob(4));
  row.readable = secret.ok();
  if (secret) row.secret = std::move(*secret);
  row.version = query.integer(5);
  row.enabled = query.boolean(6);
  row.origin = origin_from(query.integer(7));
  row.created_at = query.integer(8);
  row.updated_at = query.integer(9);
  return row;
}

Result<CredentialRow> SqlStore::read_credential(int64_t id) {
  Query query(
      *db_,
      "SELECT id, provider_id, name, settings_json, secret_sealed, version, enabled, origin,"
      " created_at, updated_at FROM credentials WHERE id = $1");
  GP_TRY(const bool found, query.with(id).step());
  if (!found) return not_found(kNoCredential, id);
  return credential_in(query);
}

Result<CredentialRow> SqlStore::update_credential(const CredentialRow& row) {
  CredentialRow out;
  GP_CHECK(change([&]() -> Result<void> {
    GP_TRY(out, read_credential(row.id));
    const bool changed = !out.readable || !out.secret.equals(row.secret.reveal());
    out.name = row.name;
    out.settings_json = row.settings_json;
    out.secret = row.secret;
    out.readable = true;
    out.version += changed ? 1 : 0;
    out.enabled = row.enabled;
    out.origin = row.origin;
    out.updated_at = clock_.wall_us();
    const std::string sealed = seal("credentials", row.id, "secret", row.secret);
    Query update(
        *db_,
        "UPDATE credentials SET name = $1, settings_json = $2, secret_sealed = $3, version = $4,"
        " enabled = $5, origin = $6, updated_at = $7 WHERE id = $8");
    update.with(out.name).with(out.settings_json).with_blob(sealed).with(out.version);
    return update.with(out.enabled)
        .with(number(out.origin))
        .with(out.updated_at)
        .with(row.id)
        .run();
  }));
  return out;
}

Result<void> SqlStore::set_credential_enabled(int64_t id, bool enabled) {
  return change([&]() -> Result<void> {
    Query update(*db_, "UPDATE credentials SET enabled = $1, updated_at = $2 WHERE id = $3");
    GP_CHECK(update.with(enabled).with(clock_.wall_us()).with(id).run());
    return db_->changes() != 0 ? ok() : not_found(kNoCredential, id);
  });
}

Result<int64_t> SqlStore::replace_secret(int64_t id, int64_t expected_version, const Secret& secret,
                                         std::string_view settings_json) {
  GP_CHECK(change([&]() -> Result<void> {
    Query query(*db_, "SELECT version FROM credentials WHERE id = $1");
    GP_TRY(const bool found, query.with(id).step());
    if (!found) return not_found(kNoCredential, id);
    if (query.integer(0) != expected_version) {
      return Error{ErrorKind::conflict, "conflict", "the secret has been replaced meanwhile",
                   "version"};
    }
    const std::string sealed = seal("credentials", id, "secret", secret);
    Query update(*db_,
                 "UPDATE credentials SET secret_sealed = $1, version = $2, updated_at = $3,"
                 " settings_json = coalesce($4, settings_json) WHERE id = $5");
    update.with_blob(sealed).with(expected_version + 1).with(clock_.wall_us());
    return update.with_text_or_null(settings_json).with(id).run();
  }));
  return expected_version + 1;
}

Result<void> SqlStore::delete_credential(int64_t id) {
  return change([&]() -> Result<void> {
    GP_CHECK(Query(*db_, "DELETE FROM credentials WHERE id = $1").with(id).run());
    return db_->changes() != 0 ? ok() : not_found(kNoCredential, id);
  });
}

// ---- Users

Result<UserRow> SqlStore::upsert_user(const UserRow& row) {
  if (row.id > kMaxUserId)
    return Error{ErrorKind::invalid, "invalid_request",
                 "must be from 0 to " + std::to_string(kMaxUserId), "id"};
  UserRow out = row;
  GP_CHECK(change([&]() -> Result<void> {
    const int64_t now = clock_.wall_us();
    if (row.id == kNoId) {
      GP_TRY(out.id, next_id("users"));
    } else if (row.id < kMaxUserId / 2) {  // one from the far end leaves room for those to come
      Query bump(*db_, "UPDATE id_sequences SET next = $1 WHERE name = 'users' AND next < $1");
      GP_CHECK(bump.with(row.id + 1).run());
    }
    Query put(
        *db_,
        "INSERT INTO users (id, name, enabled, bounds_json, origin, created_at, updated_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET name = excluded.name,"
        " enabled = excluded.enabled, bounds_json = excluded.bounds_json,"
        " origin = excluded.origin, updated_at = excluded.updated_at RETURNING created_at");
    put.with(out.id).with(row.name).with(row.enabled).with(row.bounds_json);
    put.with(number(row.origin)).with(now).with(now);
    GP_TRY([[maybe_unused]] const bool got, put.step());
    out.created_at = put.integer(0);
    out.updated_at = now;
    return put.run();
  }));
  return out;
}

Result<void> SqlStore::set_user_enabled(int64_t id, bool enabled) {
  return change([&]() -> Result<void> {
    Query update(*db_, "UPDATE users SET enabled = $1, updated_at = $2 WHERE id = $3");
    GP_CHECK(update.with(enabled).with(clock_.wall_us()).with(id).run());
    return db_->changes() != 0 ? ok() : not_found(kNoUser, id);
  });
}

Result<void> SqlStore::delete_user(int64_t id) {
  return change([&]() -> Result<void> {
    GP_CHECK(Query(*db_, "DELETE FROM users WHERE id = $1").with(id).run());
    return db_->changes() != 0 ? ok() : not_found(kNoUser, id);
  });
}

// ---- Keys

Result<void> SqlStore::check_digest_free(const Digest& digest, int64_t id) {
  Query query(
      *db_,
      "SELECT 1 FROM user_keys WHERE previous_digest = $1 AND previous_until > $2 AND id <> "
      "$3");
  query.with_blob(digest_view(digest)).with(clock_.wall_us()).with(id);
  GP_TRY(const bool taken, query.step());
  if (!taken) return ok();
  return Error{ErrorKind::conflict, "conflict", "another key had this text until lately", "key"};
}

Result<UserKeyRow> SqlStore::insert_user_key(const UserKeyRow& row, const Secret& key) {
  if (key.empty()) return Error{ErrorKind::invalid, "invalid_request", "the key is empty", "key"};
  UserKeyRow out = row;
  auto done = change([&]() -> Result<void> {
    Query user(*db_, "SELECT 1 FROM users WHERE id = $1");
    GP_TRY(const bool known, user.with(row.user_id).step());
    if (!known) return not_found(kNoUser, row.user_id);
    const int64_t now = clock_.wall_us();
    GP_TRY(out.id, next_id("user_keys"));
    out.digest = hasher_.digest(key.reveal());
    out.previous_digest.reset();
    out.previous_until = 0;
    GP_CHECK(check_digest_free(out.digest, out.id));
    out.created_at = out.updated_at = now;
    std::optional<std::string> copy;
    if (row.has_copy) copy = seal("user_keys", out.id, "key", key);
    Query insert(*db_,
                 "INSERT INTO user_keys (id, user_id, digest, key_sealed, label, enabled, origin,"
                 " created_at, updated_at, bounds_json, permissions)"
                 " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)");
    insert.with(out.id).with(row.user_id).with_blob(digest_view(out.digest));
    copy ? insert.with_blob(*copy) : insert.with_null();
    return insert.with(row.label)
        .with(row.enabled)
        .with(number(row.origin))
        .with(now)
        .with(now)
        .with(row.bounds_json)
        .with(row.permissions)
        .run();
  });
  if (!done) {
    if (done.error().kind == ErrorKind::conflict) done.error().param = "key";
    return std::move(done).error();
  }
  return out;
}

Result<void> SqlStore::update_user_key(const UserKeyRow& row) {
  return change([&]() -> Result<void> {
    Query update(*db_,
                 "UPDATE user_keys SET label = $1, enabled = $2, origin = $3, updated_at = $4,"
                 " bounds_json = $5, permissions = $6 WHERE id = $7");
    update.with(row.label).with(row.enabled).with(number(row.origin)).with(clock_.wall_us());
    update.with(row.bounds_json).with(row.permissions);
    GP_CHECK(update.with(row.id).run());
    return db_->changes() != 0 ? ok() : not_found(kNoUserKey, row.id);
  });
}

Result<void> SqlStore::replace_user_key(int64_t id, const Secret& key, int64_t grace_until) {
  if (key.empty()) return Error{ErrorKind::invalid, "invalid_request", "the key is empty", "key"};
  auto done = change([&]() -> Result<void> {
    Query query(*db_, "SELECT key_sealed IS NOT NULL, digest FROM user_keys WHERE id = $1");
    GP_TRY(const bool found, query.with(id).step());
    if (!found) return not_found(kNoUserKey, id);
    std::optional<std::string> copy;
    if (query.boolean(0)) copy = seal("user_keys", id, "key", key);
    const std::string before(query.blob(1));
    const Digest digest = hasher_.digest(key.reveal());
    GP_CHECK(check_digest_free(digest, id));
    const int64_t now = clock_.wall_us();
    const bool grace = grace_until > now && before != digest_view(digest);
    Query update(*db_,
                 "UPDATE user_keys SET digest = $1, key_sealed = $2, previous_digest = $3,"
                 " previous_until = $4, updated_at = $5 WHERE id = $6");
    update.with_blob(digest_view(digest));
    copy ? update.with_blob(*copy) : update.with_null();
    grace ? update.with_blob(before) : update.with_null();
    grace ? update.with(grace_until) : update.with_null();
    return update.with(now).with(id).run();
  });
  if (!done && done.error().kind == ErrorKind::conflict) done.error().param = "key";
  return done;
}

Result<void> SqlStore::set_user_key_enabled(int64_t id, bool enabled) {
  return change([&]() -> Result<void> {
    Query update(*db_, "UPDATE user_keys SET enabled = $1, updated_at = $2 WHERE id = $3");
    GP_CHECK(update.with(enabled).with(clock_.wall_us()).with(id).run());
    return db_->changes() != 0 ? ok() : not_found(kNoUserKey, id);
  });
}

Result<void> SqlStore::delete_user_key(int64_t id) {
  return change([&]() -> Result<void> {
    GP_CHECK(Query(*db_, "DELETE FROM user_keys WHERE id = $1").with(id).run());
    return db_->changes() != 0 ? ok() : not_found(kNoUserKey, id);
  });
}

Result<Secret> SqlStore::reveal_user_key(int64_t id) {
  Query query(*db_, "SELECT key_sealed FROM user_keys WHERE id = $1");
  GP_TRY(const bool found, query.with(id).step());
  if (!found || query.is_null(0)) return not_found(kNoUserKey, id);
  return unseal("user_keys", id, "key", query.blob(0));
}

}  // namespace gproxy::storage
