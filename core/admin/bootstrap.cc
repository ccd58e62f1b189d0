#include "admin/bootstrap.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "admin/convert.h"
#include "base/base64.h"
#include "base/log.h"
#include "config/model_route.h"
#include "config/settings_table.h"
#include "config/validate.h"

namespace gproxy::admin {
namespace {

const storage::ProviderRow* find_provider(const storage::ConfigRows& rows, std::string_view name) {
  for (const auto& row : rows.providers) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

Result<void> seed_providers(storage::Store& store, const std::vector<std::string>& kinds) {
  GP_TRY(auto rows, store.load_all());
  for (const auto& kind : kinds) {
    if (find_provider(rows, kind) != nullptr) continue;
    storage::ProviderRow row;
    row.name = kind;
    row.kind = kind;
    GP_TRY([[maybe_unused]] auto stored, store.upsert_provider(row));
  }
  return ok();
}

}  // namespace

Result<void> ensure_operator(storage::Store& store, const Secret& admin_key) {
  storage::UserRow user;
  user.id = 0;
  user.name = "user0";
  user.enabled = true;
  GP_TRY(auto rows, store.load_all());
  const auto same_user = [](const storage::UserRow& u) {
    return u.id == 0 && u.name == "user0" && u.enabled;
  };
  if (std::none_of(rows.users.begin(), rows.users.end(), same_user)) {
    GP_TRY([[maybe_unused]] auto stored, store.upsert_user(user));
  }
  const Digest digest = store.key_hasher().digest(admin_key.reveal());
  const storage::UserKeyRow* bootstrap_key = nullptr;
  for (const auto& key : rows.user_keys) {
    if (key.user_id == 0 && key.label.value_or("") == kBootstrapLabel) bootstrap_key = &key;
  }
  const int32_t all = stored_permissions(config::kAllPermissions);
  if (bootstrap_key != nullptr) {
    if (bootstrap_key->digest != digest)
      GP_CHECK(store.replace_user_key(bootstrap_key->id, admin_key, 0));
    if (bootstrap_key->permissions != all) {
      storage::UserKeyRow copy = *bootstrap_key;
      copy.permissions = all;
      GP_CHECK(store.update_user_key(copy));
    }
    if (!bootstrap_key->enabled) GP_CHECK(store.set_user_key_enabled(bootstrap_key->id, true));
    return ok();
  }
  // Somebody may have made a key with this very text already: then that one serves.
  for (const auto& key : rows.user_keys) {
    if (key.digest == digest) return ok();
  }
  storage::UserKeyRow row;
  row.user_id = 0;
  row.label = std::string(kBootstrapLabel);
  row.permissions = all;
  GP_TRY([[maybe_unused]] auto stored, store.insert_user_key(row, admin_key));
  return ok();
}

namespace {

struct Kept {
  std::set<int64_t> providers, credentials, users, keys, routes;
};

// By its name, as a file knows it. An import may bring names that the export made up, for
// credentials without one or with another's: those are known by their secret.
const storage::CredentialRow* find_credential(const storage::ConfigRows& rows, int64_t provider_id,
                                              const config::CredentialConfig& declared,
                                              storage::Origin origin) {
  const bool file = origin == storage::Origin::file;
  const storage::CredentialRow *by_name = nullptr, *by_secret = nullptr;
  for (const auto& row : rows.credentials) {
    if (row.provider_id != provider_id) continue;
    const bool same = !file && row.readable && row.secret.equals(declared.secret_json.reveal());
    if (same && by_secret == nullptr) by_secret = &row;
    const bool named = row.name.value_or("") == declared.name;
    if (named && (file || same || by_name == nullptr)) by_name = &row;
  }
  return by_name != nullptr ? by_name : by_secret;
}

// Keys by "user/label", as a file names them: those there were, and those it declares.
using KeyIds = std::map<std::string, int64_t>;

KeyIds key_ids_of(const storage::ConfigRows& rows) {
  KeyIds out;
  for (auto& [id, name] : key_names(rows)) out.emplace(name, id);
  return out;
}

// A name without a key stays: the key may come later.
std::string with_key_ids(const config::RouteConfig& config, const KeyIds& ids) {
  auto route = config::parse_route(config);
  if (!route.ok() || route->key_names.empty()) return config.body_json;
  for (auto& name : std::exchange(route->key_names, {})) {
    const auto at = ids.find(name);
    if (at != ids.end()) {
      route->keys.push_back(at->second);
    } else {
      route->key_names.push_back(std::move(name));
    }
  }
  return config::route_body_json(*route);
}

// Makes the store agree with what is declared. `origin` file: secrets whose declaration did not
// change since `secrets` stay as they are, `now` gets today's digests. `origin` db: what a file
// declares is left alone, and a mask means the stored text.
Result<void> put_declared(storage::Store& store, const storage::ConfigRows& rows,
                          const config::Declared& declared, storage::Origin origin,
                          const DeclaredSecrets& secrets, DeclaredSecrets& now, Kept& kept,
                          std::vector<std::string>& notes) {
  const auto left_alone = [&](bool exists, storage::Origin declared_by, const std::string& what) {
    if (!exists || origin == storage::Origin::file || declared_by == storage::Origin::db)
      return false;
    notes.push_back(what + " is declared in the configuration file");
    return true;
  };
  for (const auto& provider : declared.providers) {
    storage::ProviderRow row;
    if (const auto* old = find_provider(rows, provider.name)) row = *old;
    if (left_alone(row.id >= 0, row.origin, "provider " + provider.name)) continue;
    // Masks of an export mean the stored texts.
    std::string settings = provider.settings_json;
    if (origin != storage::Origin::file) settings = unmask_json(settings, row.settings_json);
    if (origin != storage::Origin::file && has_mask(settings)) {
      notes.push_back("provider " + provider.name + ": its settings are masked");
      continue;
    }
    row.name = provider.name;
    row.kind = provider.kind;
    row.settings_json = std::move(settings);
    row.pool_json = provider.pool_json;
    row.enabled = provider.enabled;
    row.origin = origin;
    GP_TRY(auto stored, store.upsert_provider(row));
    kept.providers.insert(stored.id);
    for (const auto& credential : provider.credentials) {
      const auto* old = find_credential(rows, stored.id, credential, origin);
      storage::CredentialRow c;
      if (old != nullptr) c = *old;
      const std::string place = provider.name + "/" + credential.name;
      if (left_alone(old != nullptr, c.origin, "credential " + place)) continue;
      c.provider_id = stored.id;
      // What an import knows by its secret keeps its name, be it none: the export made one up.
      const bool known = old != nullptr && origin != storage::Origin::file;
      if (!credential.name.empty() && !known) c.name = credential.name;
      c.settings_json = credential.settings_json;
      c.enabled = credential.enabled;
      c.origin = origin;
      if (origin == storage::Origin::file) {
        const Digest digest = store.key_hasher().digest(credential.secret_json.reveal());
        now[place] = hex_encode(digest_view(digest));
        const auto last = secrets.find(place);
        if (old == nullptr || last == secrets.end() || last->second != now[place])
          c.secret = credential.secret_json;
      } else {
        const Secret text(unmask_json(credential.secret_json.reveal(),
                                      old != nullptr ? old->secret.reveal() : "{}"));
        if (has_mask(text.reveal())) {
          notes.push_back("credential " + place + ": its secret is masked");
          continue;
        }
        c.secret = text;
      }
      if (old != nullptr) {
        GP_TRY(auto updated, store.update_credential(c));
        kept.credentials.insert(updated.id);
      } else {
        GP_TRY(auto inserted, store.insert_credential(c));
        kept.credentials.insert(inserted.id);
      }
    }
  }
  KeyIds key_ids = key_ids_of(rows);
  for (const auto& user : declared.users) {
    storage::UserRow row;
    for (const auto& u : rows.users) {
      if (u.name == user.name) row = u;
    }
    if (left_alone(row.id >= 0, row.origin, "user " + user.name)) continue;
    if (row.id < 0 && user.id >= 0) row.id = user.id;
    row.name = user.name;
    row.enabled = user.enabled;
    row.bounds_json = config::stored_bounds(user.bounds);
    row.origin = row.id == 0 ? storage::Origin::db : origin;
    GP_TRY(auto stored, store.upsert_user(row));
    kept.users.insert(stored.id);
    for (const auto& key : user.keys) {
      const Digest digest = store.key_hasher().digest(key.key.reveal());
      const storage::UserKeyRow *by_label = nullptr, *by_text = nullptr;
      for (const auto& k : rows.user_keys) {
        if (k.user_id != stored.id) continue;
        if (k.label.value_or("") == key.label) by_label = &k;
        if (k.digest == digest) by_text = &k;
      }
      // A file rotates the key of a label; an import brings keys, whatever they are called.
      const bool text_first = origin != storage::Origin::file && by_text != nullptr;
      const auto* old = text_first || by_label == nullptr ? by_text : by_label;
      storage::UserKeyRow k;
      if (old != nullptr) k = *old;
      if (left_alone(old != nullptr, k.origin, "key " + key.label + " of " + user.name)) continue;
      k.user_id = stored.id;
      if (!key.label.empty() && !text_first) k.label = key.label;
      k.enabled = key.enabled;
      k.bounds_json = config::stored_bounds(key.bounds);
      k.permissions = stored_permissions(key.permissions);
      k.origin = origin;
      if (old == nullptr) {
        k.has_copy = key.keep_copy;
        auto inserted = store.insert_user_key(k, key.key);
        if (!inserted.ok()) {
          Error e = std::move(inserted).error();
          e.message = "key '" + key.label + "' of user '" + user.name + "': " + e.message;
          return e;
        }
        kept.keys.insert(inserted->id);
        key_ids[user.name + "/" + key.label] = inserted->id;
      } else {
        if (old->digest != digest) GP_CHECK(store.replace_user_key(old->id, key.key, 0));
        GP_CHECK(store.update_user_key(k));
        kept.keys.insert(old->id);
        key_ids[user.name + "/" + key.label] = old->id;
      }
    }
  }

  for (const auto& route : declared.routes) {
    storage::RouteRow row;
    for (const auto& old : rows.routes) {
      if (old.name == route.name) row = old;
    }
    if (left_alone(row.id >= 0, row.origin, "route " + route.name)) continue;
    row.name = route.name;
    row.body_json = with_key_ids(route, key_ids);
    row.enabled = route.enabled;
    row.origin = origin;
    GP_TRY(auto stored, store.upsert_route(row));
    kept.routes.insert(stored.id);
  }
  return ok();
}

}  // namespace

Result<void> import_declared(storage::Store& store, const config::Declared& declared,
                             std::vector<std::string>& notes) {
  GP_TRY(const auto rows, store.load_all());
  DeclaredSecrets none;
  Kept kept;
  return put_declared(store, rows, declared, storage::Origin::db, {}, none, kept, notes);
}

Result<void> apply_declared(storage::Store& store, const config::Declared& declared,
                            BootstrapInputs::Left left, DeclaredSecrets& secrets,
                            std::vector<std::string>& warnings) {
  DeclaredSecrets now;
  GP_TRY(auto rows, store.load_all());
  const auto gone = [&](std::string what) {
    warnings.push_back(what + (left == BootstrapInputs::Left::deleted
                                   ? " left the file and was deleted"
                                   : " left the file and is an ordinary entry now"));
  };
  Kept kept;
  GP_CHECK(
      put_declared(store, rows, declared, storage::Origin::file, secrets, now, kept, warnings));

  secrets = std::move(now);

  // What the file declared once and does not any more.
  const bool prune = left == BootstrapInputs::Left::deleted;
  for (const auto& row : rows.credentials) {
    if (row.origin != storage::Origin::file || kept.credentials.contains(row.id)) continue;
    gone("credential " + std::to_string(row.id));
    if (prune) {
      GP_CHECK(store.delete_credential(row.id));
    } else {
      auto copy = row;
      copy.origin = storage::Origin::db;
      GP_TRY([[maybe_unused]] auto updated, store.update_credential(copy));
    }
  }
  for (const auto& row : rows.providers) {
    if (row.origin != storage::Origin::file || kept.providers.contains(row.id)) continue;
    gone("provider " + row.name);
    if (prune) {
      GP_CHECK(store.delete_provider(row.id));
    } else {
      auto copy = row;
      copy.origin = storage::Origin::db;
      GP_TRY([[maybe_unused]] auto updated, store.upsert_provider(copy));
    }
  }
  for (const auto& row : rows.routes) {
    if (row.origin != storage::Origin::file || kept.routes.contains(row.id)) continue;
    gone("route " + row.name);
    if (prune) {
      GP_CHECK(store.delete_route(row.id));
    } else {
      auto copy = row;
      copy.origin = storage::Origin::db;
      GP_TRY([[maybe_unused]] auto updated, store.upsert_route(copy));
    }
  }
  for (const auto& row : rows.user_keys) {
    if (row.origin != storage::Origin::file || kept.keys.contains(row.id)) continue;
    gone("key " + std::to_string(row.id));
    if (prune) {
      GP_CHECK(store.delete_user_key(row.id));
    } else {
      auto copy = row;
      copy.origin = storage::Origin::db;
      GP_CHECK(store.update_user_key(copy));
    }
  }
  for (const auto& row : rows.users) {
    if (row.origin != storage::Origin::file || kept.users.contains(row.id)) continue;
    gone("user " + row.name);
    if (prune && row.id != 0) {
      GP_CHECK(store.delete_user(row.id));
    } else {
      auto copy = row;
      copy.origin = storage::Origin::db;
      GP_TRY([[maybe_unused]] auto updated, store.upsert_user(copy));
    }
  }
  return ok();
}

namespace {

// They are served from no more, so somebody should hear of them.
void tell_unreadable(const storage::ConfigRows& rows) {
  constexpr std::string_view kWords = "a sealed record does not open: damaged, or another row's";
  for (const auto& row : rows.providers) {
    if (!row.readable)
      log::error(kWords, {{"table", "providers"}, {"id", row.id}, {"name", row.name}});
  }
  for (const auto& row : rows.credentials) {
    if (row.readable) continue;
    log::error(kWords, {{"table", "credentials"}, {"id", row.id}, {"name", row.name.value_or("")}});
  }
}

}  // namespace

Result<Bootstrapped> bootstrap(storage::Store& store, const BootstrapInputs& inputs) {
  Bootstrapped out;
  GP_TRY(auto rows, store.load_all());
  config::Settings settings;
  if (rows.settings) {
    size_t dropped = 0;
    overlay_row(*rows.settings, settings, dropped);
    if (dropped > 0)
      out.warnings.push_back(std::to_string(dropped) +
                             " stored settings are unknown to this version");
    // What was declared elsewhere last time is an ordinary setting unless it is declared again
    // below.
    for (auto& [name, origin] : settings.origins) origin = config::Origin::db;
  }
  config::Declared declared;
  if (!inputs.config_path.empty()) {
    GP_TRY(auto file, config::load_config(inputs.config_path, settings));
    settings = std::move(file.settings);
    declared = std::move(file.declared);
    GP_CHECK(config::check_declared(declared));
  }
  for (const auto& o : inputs.overrides) {
    GP_CHECK(config::apply_setting_text(settings, o.setting, o.text, o.origin));
  }
  if (settings.admin_key.empty()) {
    settings.admin_key = Secret(uuid4());
    settings.origins["admin_key"] = config::Origin::db;
    out.admin_key_made = true;
  }
  GP_CHECK(config::check_settings(settings));
  if (inputs.check) GP_CHECK(inputs.check(settings));

  GP_CHECK(store.transaction([&]() -> Result<void> {
    GP_CHECK(ensure_operator(store, settings.admin_key));
    GP_CHECK(seed_providers(store, inputs.seed_kinds));
    auto secrets = rows.settings ? declared_secrets_of(*rows.settings) : DeclaredSecrets{};
    GP_CHECK(apply_declared(store, declared, inputs.left_file, secrets, out.warnings));
    GP_TRY([[maybe_unused]] auto row,
           store.put_settings(row_of(settings, store.shown_dsn(), secrets)));
    return ok();
  }));
  GP_TRY(out.rows, store.load_all());
  tell_unreadable(out.rows);
  out.settings = std::move(settings);
  return out;
}

}  // namespace gproxy::admin
