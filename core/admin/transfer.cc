// POST /admin/export and /admin/import: the whole configuration as what a configuration file
// declares, from one gproxy to another.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "admin/api.h"
#include "admin/convert.h"
#include "config/model_route.h"
#include "config/parse.h"
#include "config/settings_table.h"
#include "config/validate.h"
#include "modhost/provider.h"
#include "storage/dsn.h"

namespace gproxy::admin {
namespace {

enum class Secrets : uint8_t { masked, open };

constexpr std::string_view kProxy = "proxy";  // a URL that may hold a password

// A masked password in an import means the one in force.
void keep_proxy_password(const config::Settings& before, config::Settings& after,
                         std::vector<std::string>& notes) {
  if (after.proxy == before.proxy || after.proxy.find(":***@") == std::string::npos) return;
  if (after.proxy != storage::mask_password(before.proxy)) {
    notes.push_back("settings.proxy: its password is masked");
  }
  after.proxy = before.proxy;
  if (before.proxy.empty()) after.origins.erase(std::string(kProxy));
}

void write_settings(json::Writer& w, const config::Settings& settings, Secrets secrets) {
  // Dotted names become groups: the table lists those of a group together.
  config::Settings copy = settings;
  std::string group;
  w.begin_object();
  for (const auto& row : config::setting_rows()) {
    if (!settings.origins.contains(row.name)) continue;
    const size_t dot = row.name.find('.');
    const auto own = dot == std::string_view::npos ? std::string_view() : row.name.substr(0, dot);
    if (own != group) {
      if (!group.empty()) w.end_object();
      group = own;
      if (!group.empty()) {
        w.key(group);
        w.begin_object();
      }
    }
    auto slot = row.slot(copy);
    auto* secret = std::get_if<Secret*>(&slot);
    if (secret != nullptr && (secrets == Secrets::masked || (*secret)->empty())) continue;
    w.key(dot == std::string_view::npos ? row.name : row.name.substr(dot + 1));
    if (secret != nullptr) {
      w.string((*secret)->reveal());
    } else if (row.name == kProxy && secrets == Secrets::masked) {
      w.string(storage::mask_password(settings.proxy));
    } else {
      w.raw(config::setting_json(settings, row));
    }
  }
  if (!group.empty()) w.end_object();
  w.end_object();
}

void write_providers(json::Writer& w, const storage::ConfigRows& rows, Secrets secrets) {
  w.begin_array();
  for (const auto& row : rows.providers) {
    if (!row.readable) continue;
    w.begin_object();
    w.field("name", row.name);
    w.field("kind", row.kind);
    w.field("enabled", row.enabled);
    w.key("channel_settings");
    w.raw(secrets == Secrets::open ? row.settings_json : mask_settings(row.settings_json));
    w.key("pool");
    w.raw(row.pool_json);
    w.key("credentials");
    w.begin_array();
    std::set<std::string> names;
    for (const auto& credential : rows.credentials) {
      if (credential.provider_id != row.id || !credential.readable) continue;
      w.begin_object();
      // A file finds a credential again by its name: each has one, and none twice.
      std::string name = credential.name.value_or("");
      if (name.empty()) name = "credential-" + std::to_string(credential.id);
      if (!names.insert(name).second) names.insert(name += "-" + std::to_string(credential.id));
      w.field("name", name);
      w.field("enabled", credential.enabled);
      w.key("settings");
      w.raw(credential.settings_json);
      w.key("secret");
      w.raw(secrets == Secrets::open ? std::string(credential.secret.reveal())
                                     : mask_json(credential.secret.reveal()));
      w.end_object();
    }
    w.end_array();
    w.end_object();
  }
  w.end_array();
}

// What is stored as an object of its own and stands among other members in a file: bounds, a route.
void write_members(json::Writer& w, std::string_view stored) {
  Arena arena;
  const auto value = json::parse(stored, arena);
  if (!value.ok()) return;
  for (const auto& member : value->members()) {
    w.key(member.key);
    w.value(member.value);
  }
}

// An id says nothing elsewhere, or names somebody else's key.
std::string with_key_names(const storage::RouteRow& row,
                           const std::map<int64_t, std::string>& names) {
  auto route = config::parse_route({.name = row.name, .body_json = row.body_json});
  if (!route.ok() || route->keys.empty()) return row.body_json;
  for (const int64_t id : std::exchange(route->keys, {})) {
    // Of a key that is gone the entry stays, or the route might become everybody's; no user has an
    // empty name.
    const auto name = names.find(id);
    route->key_names.push_back(name != names.end() ? name->second : "/" + std::to_string(id));
  }
  return config::route_body_json(*route);
}

void write_routes(json::Writer& w, const storage::ConfigRows& rows) {
  const auto names = key_names(rows);
  w.begin_array();
  for (const auto& row : rows.routes) {
    w.begin_object();
    w.field("name", row.name);
    w.field("enabled", row.enabled);
    write_members(w, with_key_names(row, names));
    w.end_object();
  }
  w.end_array();
}

struct LeftOut {
  std::string user, label;
};

// What an export cannot hold.
struct Omitted {
  std::vector<LeftOut> keys;            // of which no text is stored
  std::vector<std::string> unreadable;  // whose sealed records do not open
};

std::vector<std::string> unreadable(const storage::ConfigRows& rows) {
  std::vector<std::string> out;
  for (const auto& row : rows.providers) {
    if (!row.readable) out.push_back("provider " + row.name);
  }
  for (const auto& row : rows.credentials) {
    if (!row.readable)
      out.push_back(fmt::format("credential {} {}", row.id, row.name.value_or("")));
  }
  return out;
}

Result<void> write_users(json::Writer& w, storage::Store& store, const storage::ConfigRows& rows,
                         Secrets secrets, Omitted& omitted) {
  w.begin_array();
  // The operator and the key that follows the admin key: every gproxy makes them for itself.
  const auto is_bootstrap = [](const storage::UserKeyRow& key) {
    return key.user_id == 0 && key.label == kBootstrapLabel;
  };
  const auto labels = key_labels(rows);
  const bool operator_has_more =
      std::any_of(rows.user_keys.begin(), rows.user_keys.end(),
                  [&](const auto& key) { return key.user_id == 0 && !is_bootstrap(key); });
  for (const auto& user : rows.users) {
    if (user.id == 0 && !operator_has_more) continue;
    w.begin_object();
    w.field("name", user.name);
    w.field("enabled", user.enabled);
    write_members(w, user.bounds_json);
    w.key("keys");
    w.begin_array();
    for (const auto& key : rows.user_keys) {
      if (key.user_id != user.id || is_bootstrap(key)) continue;
      const std::string& label = labels.at(key.id);
      // Only a digest is stored of most keys, and it is of use in this database alone.
      if (!key.has_copy || secrets == Secrets::masked) {
        omitted.keys.push_back({user.name, label});
        continue;
      }
      const auto text = store.reveal_user_key(key.id);
      if (!text.ok() && text.error().code == "unseal_failed") {
        omitted.unreadable.push_back(fmt::format("key {} of {}", label, user.name));
        continue;
      }
      if (!text.ok()) return text.error();
      w.begin_object();
      w.field("label", label);
      w.field("key", text->reveal());
      w.field("enabled", key.enabled);
      w.field("keep_copy", true);
      write_members(w, key.bounds_json);
      const auto permissions = permissions_of(key.permissions);
      w.key("permissions");
      w.begin_array();
      if (permissions.oauth) w.string("oauth");
      if (permissions.quota) w.string("quota");
      w.end_array();
      w.end_object();
    }
    w.end_array();
    w.end_object();
  }
  w.end_array();
  return ok();
}

// What only the modules know of a declaration: kinds, settings, secrets.
Result<void> check_with_modules(const ControlPlane& plane, const config::Declared& declared) {
  for (size_t i = 0; i < declared.providers.size(); ++i) {
    const auto& provider = declared.providers[i];
    const auto place = [&](Error error, const std::string& where) {
      error.param = fmt::format("config.providers[{}].{}", i, where);
      return error;
    };
    auto module = plane.registry().find_kind(provider.kind);
    if (module == nullptr) {
      return place(Error{ErrorKind::invalid, "unknown_kind", "no loaded module offers this kind"},
                   "kind");
    }
    auto made = modhost::Provider::create(
        std::move(module), {provider.name, provider.kind, provider.settings_json}, plane.clock());
    if (!made.ok()) {
      Error error = std::move(made).error();
      error.kind = ErrorKind::invalid;
      error.code = "provider_config_invalid";
      error.status = 400;
      return place(std::move(error), "channel_settings");
    }
    for (size_t k = 0; k < provider.credentials.size(); ++k) {
      auto checked = (*made)->check_credential(provider.credentials[k].secret_json.reveal());
      if (!checked.ok())
        return place(std::move(checked).error(), fmt::format("credentials[{}].secret", k));
    }
  }
  return ok();
}

bool same_value(config::Settings a, config::Settings b, const config::SettingRow& row) {
  auto one = row.slot(a), other = row.slot(b);
  if (auto* secret = std::get_if<Secret*>(&one)) {
    return (*secret)->equals(std::get<Secret*>(other)->reveal());
  }
  return config::setting_json(a, row) == config::setting_json(b, row);
}

// A file may take values from files of its machine; an import may not. (A setting that is a path
// takes nothing.)
bool names_a_file(const json::Value& value) {
  for (const auto& member : value.members()) {
    const bool reads = member.key.ends_with("_file") && config::find_setting(member.key) == nullptr;
    if (reads || names_a_file(member.value)) return true;
  }
  for (const auto& item : value.items()) {
    if (names_a_file(item)) return true;
  }
  return false;
}

}  // namespace

void post_export(ContextPtr c) {
  auto secrets = [&]() -> Result<Secrets> {
    GP_CHECK(only_members(c->body, {"secrets"}));
    GP_TRY(auto open, opt_bool(c->body, "secrets"));
    return open.value_or(false) ? Secrets::open : Secrets::masked;
  }();
  if (!secrets.ok()) return c->respond(error_response(secrets.error()));
  c->work(
      [settings = c->plane.settings(),
       secrets = *secrets](storage::Store& store) -> Result<std::string> {
        GP_TRY(const auto rows, store.load_all());
        Omitted omitted{{}, unreadable(rows)};
        std::string out;
        json::Writer w(out);
        w.begin_object();
        w.key("config");
        w.begin_object();
        w.key("settings");
        write_settings(w, settings, secrets);
        w.key("providers");
        write_providers(w, rows, secrets);
        w.key("routes");
        write_routes(w, rows);
        w.key("users");
        GP_CHECK(write_users(w, store, rows, secrets, omitted));
        w.end_object();
        w.key("keys_left_out");
        w.begin_array();
        for (const auto& key : omitted.keys) {
          w.begin_object();
          w.field("user", key.user);
          w.field("label", key.label);
          w.end_object();
        }
        w.end_array();
        w.key("unreadable");
        w.begin_array();
        for (const auto& what : omitted.unreadable) w.string(what);
        w.end_array();
        w.end_object();
        return out;
      },
      [c](Result<std::string> r) { answer(c, std::move(r)); });
}

void post_import(ContextPtr c) {
  struct Import {
    config::Declared declared;
    std::vector<std::string> notes;
  };
  auto import = std::make_shared<Import>();
  auto edit = [c, import](config::Settings& settings) -> Result<void> {
    GP_CHECK(only_members(c->body, {"config", "keys_left_out", "unreadable"}));
    if (!c->body["config"].is_object()) return invalid_error("must be an object", "config");
    if (names_a_file(c->body["config"])) {
      return invalid_error("members that end in _file are for configuration files", "config");
    }
    const config::Settings before = settings;
    GP_TRY(auto file, config::parse_config(json::write(c->body["config"]), {"config", settings}));
    GP_CHECK(config::check_declared(file.declared));
    GP_CHECK(check_with_modules(c->plane, file.declared));
    keep_proxy_password(before, file.settings, import->notes);
    for (auto& [name, origin] : file.settings.origins) {
      const auto* row = config::find_setting(name);
      if (origin != config::Origin::file || row == nullptr) continue;
      // Declared by the file of this very gproxy, or by the import: told apart by what was before.
      origin = before.origins.contains(name) ? before.origin_of(name) : config::Origin::db;
      const bool same = same_value(before, file.settings, *row);
      if (!same) GP_CHECK(check_origin(origin, name));
    }
    settings = std::move(file.settings);
    import->declared = std::move(file.declared);
    return config::check_settings(settings);
  };
  c->change_settings(
      edit,
      [import](storage::Store& store) -> Result<std::string> {
        GP_CHECK(import_declared(store, import->declared, import->notes));
        std::string out;
        json::Writer w(out);
        w.begin_object();
        w.field("ok", true);
        w.field("providers", import->declared.providers.size());
        w.field("users", import->declared.users.size());
        w.key("left_alone");
        w.begin_array();
        for (const auto& note : import->notes) w.string(note);
        w.end_array();
        w.end_object();
        return out;
      },
      [c](Result<std::string> r) { answer(c, std::move(r)); });
}

}  // namespace gproxy::admin
