// SqlStore::load_all(): every configuration row, as of one moment.
#include <algorithm>

#include "storage/sql_store.h"

namespace gproxy::storage {
namespace {

// Every row of a query, as `read` sees it.
template <class Row, class Read>
Result<void> each(Db& db, const char* sql, std::vector<Row>& out, const Read& read) {
  Query query(db, sql);
  for (;;) {
    GP_TRY(const bool more, query.step());
    if (!more) return ok();
    out.push_back(read(query));
  }
}

// The last columns of most tables: enabled, origin, created_at, updated_at.
template <class Row>
void read_common(const Query& query, int column, Row& row) {
  row.enabled = query.boolean(column);
  row.origin = origin_from(query.integer(column + 1));
  row.created_at = query.integer(column + 2);
  row.updated_at = query.integer(column + 3);
}

std::optional<Digest> digest_in(const Query& query, int column) {
  const auto bytes = query.is_null(column) ? std::string_view() : query.blob(column);
  Digest out{};
  if (bytes.size() != out.size()) return std::nullopt;
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

UserRow user_in(const Query& query) {
  UserRow row;
  row.id = query.integer(0);
  row.name = query.string(1);
  row.bounds_json = query.string(2);
  read_common(query, 3, row);
  return row;
}

UserKeyRow user_key_in(const Query& query) {
  UserKeyRow row;
  row.id = query.integer(0);
  row.user_id = query.integer(1);
  row.digest = digest_in(query, 2).value_or(Digest{});
  row.has_copy = query.boolean(3);
  row.label = query.optional_string(4);
  row.bounds_json = query.string(5);
  row.permissions = static_cast<int32_t>(query.integer(6));
  row.previous_digest = digest_in(query, 7);
  if (row.previous_digest) row.previous_until = query.integer(8);
  read_common(query, 9, row);
  return row;
}

RouteRow route_in(const Query& query) {
  RouteRow row;
  row.id = query.integer(0);
  row.name = query.string(1);
  row.body_json = query.string(2);
  read_common(query, 3, row);
  return row;
}

HealthRow health_in(const Query& query) {
  return {query.integer(0), query.string(1), query.string(2), query.integer(3)};
}

}  // namespace

Result<std::optional<SettingsRow>> SqlStore::load_settings() {
  Query query(
      *db_,
      "SELECT host, port, admin_key_sealed, proxy_sealed, event_redact_sensitive, dsn, extra_json,"
      " host_origin, port_origin, admin_key_origin, proxy_origin, redact_origin, created_at,"
      " updated_at, secrets_sealed FROM global_config WHERE id = 1");
  GP_TRY(const bool found, query.step());
  if (!found) return std::optional<SettingsRow>();
  SettingsRow row;
  row.host = query.optional_string(0);
  if (!query.is_null(1)) row.port = static_cast<int32_t>(query.integer(1));
  if (!query.is_null(2)) {
    GP_TRY(row.admin_key, unseal("global_config", 1, "admin_key", query.blob(2)));
  }
  if (!query.is_null(3)) {
    GP_TRY(const Secret proxy, unseal("global_config", 1, "proxy", query.blob(3)));
    row.proxy = std::string(proxy.reveal());
  }
  if (!query.is_null(4)) row.event_redact_sensitive = query.boolean(4);
  row.dsn = query.string(5);
  row.extra_json = query.string(6);
  row.host_origin = origin_from(query.integer(7));
  row.port_origin = origin_from(query.integer(8));
  row.admin_key_origin = origin_from(query.integer(9));
  row.proxy_origin = origin_from(query.integer(10));
  row.redact_origin = origin_from(query.integer(11));
  row.created_at = query.integer(12);
  row.updated_at = query.integer(13);
  if (!query.is_null(14)) {
    GP_TRY(row.secrets_json, unseal("global_config", 1, "secrets", query.blob(14)));
  }
  return std::optional<SettingsRow>(std::move(row));
}

ProviderRow SqlStore::provider_in(const Query& query) const {
  ProviderRow row;
  row.id = query.integer(0);
  row.name = query.string(1);
  row.kind = query.string(2);
  auto settings = unseal("providers", row.id, "settings", query.blob(3));
  row.readable = settings.ok();
  if (settings) row.settings_json = std::string(settings->reveal());
  row.pool_json = query.string(4);
  read_common(query, 5, row);
  return row;
}

Result<void> SqlStore::load_into(ConfigRows& out) {
  GP_TRY(out.revision, db_->number_of("SELECT revision FROM config_state WHERE id = 1"));
  GP_TRY(out.settings, load_settings());
  GP_CHECK(each(*db_,
                "SELECT id, name, kind, settings_sealed, pool_json, enabled, origin, created_at,"
                " updated_at FROM providers ORDER BY id",
                out.providers, [this](const Query& query) { return provider_in(query); }));
  GP_CHECK(each(*db_,
                "SELECT id, provider_id, name, settings_json, secret_sealed, version, enabled,"
                " origin, created_at, updated_at FROM credentials ORDER BY id",
                out.credentials, [this](const Query& query) { return credential_in(query); }));
  GP_CHECK(each(*db_,
                "SELECT id, name, body_json, enabled, origin, created_at, updated_at FROM routes"
                " ORDER BY id",
                out.routes, route_in));
  GP_CHECK(each(*db_,
                "SELECT credential_id, scope, reason, until_at FROM credential_health"
                " ORDER BY credential_id, scope",
                out.health, health_in));
  GP_CHECK(each(*db_,
                "SELECT id, name, bounds_json, enabled, origin, created_at, updated_at FROM users"
                " ORDER BY id",
                out.users, user_in));
  GP_CHECK(each(*db_,
                "SELECT id, user_id, digest, key_sealed IS NOT NULL, label, bounds_json,"
                " permissions, previous_digest, previous_until, enabled, origin, created_at,"
                " updated_at FROM user_keys ORDER BY id",
                out.user_keys, user_key_in));
  // A digest of another length is no key's.
  std::erase_if(out.user_keys, [](const UserKeyRow& row) { return row.digest == Digest{}; });
  return ok();
}

Result<ConfigRows> SqlStore::load_all() {
  ConfigRows out;
  if (joined_) {
    GP_CHECK(load_into(out));
    return out;
  }
  // A read transaction: all tables as of one moment.
  GP_CHECK(db_->begin(Db::Intent::read));
  auto done = load_into(out);
  db_->rollback();
  GP_CHECK(std::move(done));
  return out;
}

}  // namespace gproxy::storage
