#include "admin/convert.h"

#include <set>
#include <unordered_map>

#include "base/json.h"
#include "base/strings.h"
#include "config/settings_table.h"

namespace gproxy::admin {

storage::Origin to_storage(config::Origin origin) {
  return static_cast<storage::Origin>(origin);
}
config::Origin to_config(storage::Origin origin) {
  return static_cast<config::Origin>(origin);
}
static_assert(static_cast<int>(storage::Origin::db) == static_cast<int>(config::Origin::db));
static_assert(static_cast<int>(storage::Origin::file) == static_cast<int>(config::Origin::file));
static_assert(static_cast<int>(storage::Origin::env) == static_cast<int>(config::Origin::env));
static_assert(static_cast<int>(storage::Origin::cli) == static_cast<int>(config::Origin::cli));

config::Permissions permissions_of(int32_t stored) {
  return {(stored & storage::kMayStartLogins) != 0, (stored & storage::kMayReadQuota) != 0};
}
int32_t stored_permissions(const config::Permissions& permissions) {
  return (permissions.oauth ? storage::kMayStartLogins : 0) |
         (permissions.quota ? storage::kMayReadQuota : 0);
}

config::Declared declared_of(const storage::ConfigRows& rows) {
  config::Declared out;
  std::unordered_map<int64_t, size_t> provider_at;
  for (const auto& row : rows.providers) {
    provider_at[row.id] = out.providers.size();
    config::ProviderConfig p;
    p.id = row.id;
    p.name = row.name;
    p.kind = row.kind;
    p.settings_json = row.settings_json;
    p.pool_json = row.pool_json;
    // What does not open must not be served with settings that are not its own.
    p.enabled = row.enabled && row.readable;
    p.origin = to_config(row.origin);
    out.providers.push_back(std::move(p));
  }
  for (const auto& row : rows.credentials) {
    const auto at = provider_at.find(row.provider_id);
    if (at == provider_at.end()) continue;
    config::CredentialConfig c;
    c.id = row.id;
    c.name = row.name.value_or("");
    c.secret_json = row.secret;
    c.settings_json = row.settings_json;
    // A record that does not open cannot be used; it stays in the store and in the lists.
    c.enabled = row.enabled && row.readable;
    c.origin = to_config(row.origin);
    c.revision = static_cast<uint64_t>(row.version);
    out.providers[at->second].credentials.push_back(std::move(c));
  }
  for (const auto& row : rows.routes)
    out.routes.push_back({row.id, row.name, row.body_json, row.enabled, to_config(row.origin)});
  std::unordered_map<int64_t, size_t> user_at;
  for (const auto& row : rows.users) {
    user_at[row.id] = out.users.size();
    config::UserConfig u;
    u.id = row.id;
    u.name = row.name;
    u.enabled = row.enabled;
    u.bounds = config::read_bounds(row.bounds_json);
    u.origin = to_config(row.origin);
    out.users.push_back(std::move(u));
  }
  for (const auto& row : rows.user_keys) {
    const auto at = user_at.find(row.user_id);
    if (at == user_at.end()) continue;
    config::KeyConfig k;
    k.id = row.id;
    k.user_id = row.user_id;
    k.label = row.label.value_or("");
    k.digest = std::string(digest_view(row.digest));
    k.enabled = row.enabled;
    k.origin = to_config(row.origin);
    k.permissions = permissions_of(row.permissions);
    k.bounds = config::read_bounds(row.bounds_json);
    if (row.previous_digest) {
      k.previous_digest = std::string(digest_view(*row.previous_digest));
      k.previous_until_us = row.previous_until;
    }
    out.users[at->second].keys.push_back(std::move(k));
  }
  return out;
}

std::map<int64_t, std::string> key_labels(const storage::ConfigRows& rows) {
  std::map<int64_t, std::string> out;
  std::set<std::pair<int64_t, std::string>> taken;
  for (const auto& key : rows.user_keys) {
    std::string label = key.label.value_or("");
    if (label.empty()) label = "key-" + std::to_string(key.id);
    if (!taken.insert({key.user_id, label}).second) {
      taken.insert({key.user_id, label += "-" + std::to_string(key.id)});
    }
    out.emplace(key.id, std::move(label));
  }
  return out;
}

std::map<int64_t, std::string> key_names(const storage::ConfigRows& rows) {
  std::unordered_map<int64_t, std::string_view> users;
  for (const auto& user : rows.users) users.emplace(user.id, user.name);
  auto out = key_labels(rows);
  for (const auto& key : rows.user_keys) {
    const auto user = users.find(key.user_id);
    if (user != users.end()) out.at(key.id).insert(0, std::string(user->second) + "/");
  }
  return out;
}

namespace {

struct Column {
  std::string_view setting;
  storage::Origin storage::SettingsRow::*origin;
};
constexpr Column kColumns[] = {
    {"host", &storage::SettingsRow::host_origin},
    {"port", &storage::SettingsRow::port_origin},
    {"admin_key", &storage::SettingsRow::admin_key_origin},
    {"proxy", &storage::SettingsRow::proxy_origin},
    {"event_redact_sensitive", &storage::SettingsRow::redact_origin},
};

bool has_column(std::string_view setting) {
  for (const auto& c : kColumns) {
    if (c.setting == setting) return true;
  }
  return false;
}

// The one member of extra_json that is no setting.
constexpr std::string_view kDeclaredSecrets = "_declared_secrets";

// What stands in extra_json for one setting: {"value": …, "origin": "file"}.
config::Origin parse_origin(std::string_view text) {
  for (auto o : {config::Origin::file, config::Origin::env, config::Origin::cli}) {
    if (config::name(o) == text) return o;
  }
  return config::Origin::db;
}

}  // namespace

void overlay_row(const storage::SettingsRow& row, config::Settings& settings, size_t& dropped) {
  if (row.host) {
    settings.host = *row.host;
    settings.origins["host"] = to_config(row.host_origin);
  }
  if (row.port) {
    settings.port = static_cast<uint16_t>(*row.port);
    settings.origins["port"] = to_config(row.port_origin);
  }
  if (!row.admin_key.empty()) {
    settings.admin_key = row.admin_key;
    settings.origins["admin_key"] = to_config(row.admin_key_origin);
  }
  if (row.proxy) {
    settings.proxy = *row.proxy;
    settings.origins["proxy"] = to_config(row.proxy_origin);
  }
  if (row.event_redact_sensitive) {
    settings.event_redact_sensitive = *row.event_redact_sensitive;
    settings.origins["event_redact_sensitive"] = to_config(row.redact_origin);
  }
  Arena arena;
  if (!row.secrets_json.empty()) {
    auto secrets = json::parse(row.secrets_json.reveal(), arena);
    if (secrets.ok()) {
      for (const auto& member : secrets->members()) {
        const auto origin = parse_origin(member.value["origin"].str());
        if (!config::apply_setting(settings, member.key, member.value["value"], origin).ok())
          ++dropped;
      }
    }
  }
  auto extra = json::parse(row.extra_json, arena);
  if (!extra.ok()) return;
  for (const auto& member : extra->members()) {
    if (member.key == kDeclaredSecrets) continue;
    const auto origin = parse_origin(member.value["origin"].str());
    if (has_column(member.key) ||
        !config::apply_setting(settings, member.key, member.value["value"], origin).ok()) {
      ++dropped;
    }
  }
}

DeclaredSecrets declared_secrets_of(const storage::SettingsRow& row) {
  DeclaredSecrets out;
  Arena arena;
  auto extra = json::parse(row.extra_json, arena);
  if (!extra.ok()) return out;
  for (const auto& member : (*extra)[kDeclaredSecrets].members()) {
    out[std::string(member.key)] = std::string(member.value.str());
  }
  return out;
}

storage::SettingsRow row_of(const config::Settings& settings, std::string_view shown_dsn,
                            const DeclaredSecrets& declared) {
  storage::SettingsRow row;
  row.host = settings.host;
  row.port = settings.port;
  row.admin_key = settings.admin_key;
  if (!settings.proxy.empty()) row.proxy = settings.proxy;
  row.event_redact_sensitive = settings.event_redact_sensitive;
  row.dsn = std::string(shown_dsn);
  for (const auto& c : kColumns) row.*c.origin = to_storage(settings.origin_of(c.setting));
  config::Settings copy = settings;
  std::string extra;
  json::Writer w(extra);
  w.begin_object();
  std::string secrets;  // what is stored sealed
  json::Writer sealed(secrets);
  sealed.begin_object();
  bool any_secret = false;
  for (const auto& [name, origin] : settings.origins) {
    if (has_column(name)) continue;
    const auto* setting = config::find_setting(name);
    if (setting == nullptr) continue;
    auto slot = setting->slot(copy);
    if (auto* secret = std::get_if<Secret*>(&slot)) {
      if ((*secret)->empty()) continue;
      any_secret = true;
      sealed.key(name);
      sealed.begin_object();
      sealed.field("value", (*secret)->reveal());
      sealed.field("origin", config::name(origin));
      sealed.end_object();
      continue;
    }
    w.key(name);
    w.begin_object();
    w.key("value");
    w.raw(config::setting_json(settings, *setting));
    w.field("origin", config::name(origin));
    w.end_object();
  }
  if (!declared.empty()) {
    w.key(kDeclaredSecrets);
    w.begin_object();
    for (const auto& [name, digest] : declared) w.field(name, digest);
    w.end_object();
  }
  w.end_object();
  row.extra_json = std::move(extra);
  sealed.end_object();
  if (any_secret) row.secrets_json = Secret(secrets);
  wipe_memory(secrets.data(), secrets.size());
  return row;
}

std::string mask_text(std::string_view secret) {
  if (secret.empty()) return {};
  if (secret.size() < 12) return "****";
  return "****" + std::string(secret.substr(secret.size() - 4));
}

namespace {

void mask_value(json::Value& value, Arena& arena) {
  if (value.is_string()) {
    value = json::Value::string(arena.copy(mask_text(value.str())));
  } else if (value.is_array()) {
    for (auto& item : value.items()) mask_value(item, arena);
  } else if (value.is_object()) {
    for (auto& member : value.members()) mask_value(member.value, arena);
  }
}

void unmask_value(json::Value& incoming, const json::Value& stored) {
  if (incoming.is_string()) {
    if (stored.is_string() && !stored.str().empty() && incoming.str() == mask_text(stored.str()))
      incoming = stored;
  } else if (incoming.is_array()) {
    size_t i = 0;
    for (auto& item : incoming.items()) unmask_value(item, stored[i++]);
  } else if (incoming.is_object()) {
    for (auto& member : incoming.members()) unmask_value(member.value, stored[member.key]);
  }
}

}  // namespace

std::string mask_json(std::string_view secret_json) {
  Arena arena;
  auto value = json::parse(secret_json, arena);
  if (!value.ok()) return "null";
  mask_value(*value, arena);
  return json::write(*value);
}

namespace {

bool names_secret(std::string_view name) {
  for (std::string_view end : {"token", "secret", "password", "key", "authorization", "cookie"}) {
    if (name.size() < end.size()) continue;
    if (iequals(name.substr(name.size() - end.size()), end)) return true;
  }
  return false;
}

void mask_named(json::Value& value, Arena& arena) {
  if (value.is_array()) {
    for (auto& item : value.items()) mask_named(item, arena);
  } else if (value.is_object()) {
    for (auto& member : value.members()) {
      if (names_secret(member.key)) {
        mask_value(member.value, arena);
      } else {
        mask_named(member.value, arena);
      }
    }
  }
}

}  // namespace

std::string mask_settings(std::string_view settings_json) {
  Arena arena;
  auto value = json::parse(settings_json, arena);
  if (!value.ok()) return "{}";
  mask_named(*value, arena);
  return json::write(*value);
}

bool has_mask(std::string_view json) {
  return json.find("\"****") != std::string_view::npos;
}

std::string unmask_json(std::string_view incoming, std::string_view stored) {
  Arena arena;
  auto a = json::parse(incoming, arena);
  auto b = json::parse(stored, arena);
  if (!a.ok() || !b.ok()) return std::string(incoming);
  unmask_value(*a, *b);
  return json::write(*a);
}

}  // namespace gproxy::admin
