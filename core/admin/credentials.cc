// /admin/credentials and /admin/providers/{name}/credentials.
#include <algorithm>
#include <map>

#include "admin/api.h"
#include "admin/convert.h"
#include "admin/credential_import.h"
#include "config/pool_settings.h"
#include "config/validate.h"
#include "gateway/quota_windows.h"

namespace gproxy::admin {
namespace {

constexpr int64_t kForever = INT64_MAX;

void write_cooldown(json::Writer& w, const config::CoolDown& rest, int64_t now_ms, int64_t wall_ms,
                    bool with_model) {
  w.begin_object();
  if (with_model) w.field("model", rest.scope);
  w.field("reason", rest.reason);
  if (rest.until_ms == kForever) {
    w.key("remaining_secs");
    w.null();
    w.key("remaining_ms");
    w.null();
    w.key("until_epoch_ms");
    w.null();
  } else {
    const int64_t left = std::max<int64_t>(0, rest.until_ms - now_ms);
    w.field("remaining_secs", (left + 999) / 1000);
    w.field("remaining_ms", left);
    w.field("until_epoch_ms", wall_ms + left);
  }
  w.end_object();
}

// What keeps it from being used at all; empty: nothing does.
std::string fault_of(const ControlPlane& plane, const storage::CredentialRow& row) {
  if (!row.readable) return "its sealed record does not open: give it a new secret";
  const auto* entry = plane.snapshot().find_credential(row.id);
  return entry != nullptr ? entry->fault : std::string();
}

// The reference's runtime_status (core 7.1).
void write_status(json::Writer& w, ControlPlane& plane, const storage::CredentialRow& row,
                  bool faulty) {
  const int64_t now = plane.clock().now_ms();
  const int64_t wall = plane.clock().wall_ms();
  std::vector<config::CoolDown> rests;
  std::vector<config::SeenLimit> limits;
  if (auto slot = plane.slots().find(row.id)) {
    rests = slot->cool_downs(now);
    limits = slot->limits(wall);
  }
  const auto whole =
      std::find_if(rests.begin(), rests.end(), [](const auto& r) { return r.scope.empty(); });
  const bool models =
      std::any_of(rests.begin(), rests.end(), [](const auto& r) { return !r.scope.empty(); });
  w.begin_object();
  w.field("summary", !row.enabled                     ? "disabled"
                     : faulty || whole != rests.end() ? "fully_unavailable"
                     : models                         ? "partial_unavailable"
                                                      : "active");
  w.key("credential_unavailable");
  if (whole != rests.end())
    write_cooldown(w, *whole, now, wall, false);
  else
    w.null();
  w.key("model_unavailable");
  w.begin_array();
  for (const auto& rest : rests) {
    if (!rest.scope.empty()) write_cooldown(w, rest, now, wall, true);
  }
  w.end_array();
  w.key("limits");
  gateway::write_seen_limits(w, limits);
  w.end_object();
}

void write_credential(json::Writer& w, ControlPlane& plane, const storage::CredentialRow& row,
                      bool with_provider) {
  w.begin_object();
  w.field("id", row.id);
  if (with_provider) w.field("provider_id", row.provider_id);
  w.key("name");
  if (row.name)
    w.string(*row.name);
  else
    w.null();
  w.key("settings_json");
  w.raw(row.settings_json.empty() ? "{}" : row.settings_json);
  w.key("secret_json");
  w.raw(row.readable ? mask_json(row.secret.reveal()) : "null");
  w.field("readable", row.readable);
  w.field("enabled", row.enabled);
  w.field("origin", storage::name(row.origin));
  const auto fault = fault_of(plane, row);
  w.key("fault");
  fault.empty() ? w.null() : w.string(fault);
  w.field("created_at", rfc3339(row.created_at));
  w.field("updated_at", rfc3339(row.updated_at));
  w.key("runtime_status");
  write_status(w, plane, row, !fault.empty());
  w.end_object();
}

Error not_found() {
  return Error{ErrorKind::not_found, "credential_not_found", "no credential has this id"};
}

Error unreadable() {
  return Error{ErrorKind::conflict, "unreadable",
               "its sealed record does not open: give it a new secret"};
}

// A mask that came back and stands for nothing stored here would be taken for the secret.
Result<void> check_unmasked(std::string_view secret_json) {
  if (!has_mask(secret_json)) return ok();
  return Error{ErrorKind::invalid, "invalid_credential_json",
               "holds a masked text that is not this credential's: give the secret itself",
               "secret_json"};
}

// Does the secret suit the provider? Checked by its module, as far as that is loaded.
Result<void> check_secret(const ControlPlane& plane, const storage::ProviderRow& provider,
                          std::string_view secret_json) {
  // No header and no form has room for one, and PostgreSQL's texts have none.
  if (secret_json.find("\\u0000") != std::string_view::npos) {
    return Error{ErrorKind::invalid, "invalid_credential_json", "holds a NUL character",
                 "secret_json"};
  }
  const auto* entry = plane.snapshot().find_provider(provider.name);
  if (entry == nullptr || entry->provider == nullptr) {
    return Error{ErrorKind::conflict, "provider_unavailable",
                 "the provider's module is not loaded or refuses its settings, so a credential "
                 "cannot be checked"};
  }
  auto checked = entry->provider->check_credential(secret_json);
  if (!checked.ok()) {
    Error e = std::move(checked).error();
    if (e.param.find("secret_json") == std::string::npos)
      e.param = "secret_json" + (e.param.empty() ? "" : "." + e.param);
    return e;
  }
  auto opened = entry->provider->open_credential(secret_json);
  if (!opened.ok()) {
    Error e = std::move(opened).error();
    if (e.kind == ErrorKind::invalid) {
      e.code = "invalid_credential_json";
      if (e.param.find("secret_json") == std::string::npos)
        e.param = "secret_json" + (e.param.empty() ? "" : "." + e.param);
    }
    return e;
  }
  return ok();
}

Result<void> read_common(const json::Value& body, storage::CredentialRow& row) {
  GP_TRY(row.name, opt_string(body, "name"));
  if (row.name) GP_CHECK(config::check_label(*row.name, "name"));
  const json::Value& settings = body["settings_json"];
  if (!settings.is_null() && !settings.is_object())
    return invalid_error("must be an object", "settings_json");
  if (settings.is_object()) row.settings_json = json::write(settings);
  if (auto member = config::parse_member_settings(row.settings_json); !member.ok()) {
    Error e = std::move(member).error();
    e.param = e.param.empty() ? "settings_json" : "settings_json." + e.param;
    return e;
  }
  return ok();
}

}  // namespace

void list_provider_credentials(ContextPtr c) {
  const auto* provider = c->plane.find_provider(c->parameters[0]);
  if (provider == nullptr) {
    return c->respond(error_response(Error{ErrorKind::not_found, "provider_not_found",
                                           "no provider is called " + c->parameters[0]}));
  }
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.key("credentials");
  w.begin_array();
  for (const auto& row : c->plane.rows().credentials) {
    if (row.provider_id == provider->id) write_credential(w, c->plane, row, false);
  }
  w.end_array();
  w.end_object();
  c->respond(json_response(std::move(out)));
}

void list_credentials(ContextPtr c) {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.key("credentials");
  w.begin_array();
  for (const auto& row : c->plane.rows().credentials) write_credential(w, c->plane, row, true);
  w.end_array();
  w.end_object();
  c->respond(json_response(std::move(out)));
}

void post_credential(ContextPtr c) {
  auto row = std::make_shared<storage::CredentialRow>();
  auto parse = [&]() -> Result<void> {
    GP_CHECK(only_members(c->body, {"name", "settings_json", "secret_json", "enabled"}));
    GP_CHECK(read_common(c->body, *row));
    GP_TRY(auto enabled, opt_bool(c->body, "enabled"));
    row->enabled = enabled.value_or(true);
    if (!c->body["secret_json"].is_object()) {
      return Error{ErrorKind::invalid, "invalid_credential_json",
                   "must be an object {\"<tag>\": {…}}", "secret_json"};
    }
    row->secret = Secret(json::write(c->body["secret_json"]));
    return check_unmasked(row->secret.reveal());
  };
  if (auto r = parse(); !r.ok()) return c->respond(error_response(r.error()));
  c->change(
      [c, row]() -> Result<void> {
        const auto* provider = c->plane.find_provider(c->parameters[0]);
        if (provider == nullptr) {
          return Error{ErrorKind::not_found, "provider_not_found",
                       "no provider is called " + c->parameters[0]};
        }
        row->provider_id = provider->id;
        // What is provisioned a second time is there already, however it was changed since.
        for (const auto& known : c->plane.rows().credentials) {
          const bool same = known.provider_id == provider->id && known.name && known.readable &&
                            known.name == row->name && known.secret.equals(row->secret.reveal());
          if (same) row->id = known.id;
        }
        return check_secret(c->plane, *provider, row->secret.reveal());
      },
      [row](storage::Store& store) -> Result<std::string> {
        if (row->id == storage::kNoId) {
          GP_TRY(*row, store.insert_credential(*row));
        }
        return "{\"id\":" + std::to_string(row->id) + "}";
      },
      [c](Result<std::string> r) { answer(c, std::move(r)); });
}

namespace {

// One entry of an import and what became of it.
struct Imported {
  storage::CredentialRow row;
  int64_t id = -1;
  std::string_view status = "created";  // created, duplicate, error
  std::string code, detail;
};

struct Import {
  std::vector<Imported> rows;
  config::Origin origin = config::Origin::db;
  int64_t provider_id = -1;

  void fail(Imported& entry, const Error& error) {
    entry.status = "error";
    entry.code = error.code;
    entry.detail = error.param.empty() ? error.message : error.param + ": " + error.message;
  }
  std::string answer() const {
    int64_t created = 0, duplicates = 0, errors = 0;
    for (const auto& entry : rows) {
      created += entry.status == "created";
      duplicates += entry.status == "duplicate";
      errors += entry.status == "error";
    }
    std::string out;
    json::Writer w(out);
    w.begin_object();
    w.field("created", created);
    w.field("duplicates", duplicates);
    w.field("errors", errors);
    w.key("rows");
    w.begin_array();
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto& entry = rows[i];
      w.begin_object();
      w.field("index", i);
      w.field("status", entry.status);
      w.key("id");
      entry.id >= 0 ? w.integer(entry.id) : w.null();
      w.key("name");
      entry.row.name ? w.string(*entry.row.name) : w.null();
      w.key("error");
      entry.code.empty() ? w.null() : w.string(entry.code);
      w.key("detail");
      entry.detail.empty() ? w.null() : w.string(entry.detail);
      w.end_object();
    }
    w.end_array();
    w.end_object();
    return out;
  }
};

// What tells two credentials apart: the account, where the module knows it, else the secret's text.
std::string same_as(const modhost::Provider& provider, std::string_view secret_json) {
  auto opened = provider.open_credential(secret_json);
  if (opened.ok() && !(*opened)->identity().empty()) return "account " + (*opened)->identity();
  Arena arena;
  const auto value = json::parse(secret_json, arena);
  return "secret " + (value.ok() ? json::write(*value) : std::string(secret_json));
}

Result<void> check_import(const ContextPtr& c, Import& import) {
  const auto* provider = c->plane.find_provider(c->parameters[0]);
  if (provider == nullptr) {
    return Error{ErrorKind::not_found, "provider_not_found",
                 "no provider is called " + c->parameters[0]};
  }
  const auto* entry = c->plane.snapshot().find_provider(provider->name);
  if (entry == nullptr || entry->provider == nullptr) {
    return Error{ErrorKind::conflict, "provider_unavailable",
                 "the provider's module is not loaded or refuses its settings"};
  }
  const auto& kind = entry->provider->kind_info();
  if (kind.credential_tag.empty()) {
    return Error{ErrorKind::invalid, "credential_kind_mismatch", "this kind takes no credentials"};
  }
  import.provider_id = provider->id;
  std::vector<ImportItem> items;
  const auto& text = c->body["text"];
  if (text.is_string()) {
    GP_TRY(items, import_text(kind, text.str()));
  }
  for (const auto& item : c->body["items"].items()) {
    items.push_back(import_value(kind, item, *c->arena));
  }
  if (items.empty()) {
    return invalid_error("needs `text` or `items` with at least one entry", "text");
  }
  GP_TRY(auto enabled, opt_bool(c->body, "enabled"));

  std::map<std::string, int64_t> known;  // by same_as: the row's id, or -1 - its place in the batch
  for (const auto& row : c->plane.rows().credentials) {
    if (row.provider_id == provider->id && row.readable)
      known.emplace(same_as(*entry->provider, row.secret.reveal()), row.id);
  }
  for (auto& item : items) {
    Imported one;
    if (!item.name.empty()) one.row.name = item.name;
    one.row.provider_id = provider->id;
    one.row.enabled = enabled.value_or(true);
    if (!item.error.empty()) {
      import.fail(one, Error{ErrorKind::invalid, "invalid_credential_json", item.error});
    } else if (auto good = check_secret(c->plane, *provider, item.secret_json); !good.ok()) {
      import.fail(one, good.error());
    } else {
      one.row.secret = Secret(item.secret_json);
      const auto [at, fresh] = known.emplace(same_as(*entry->provider, item.secret_json),
                                             -1 - static_cast<int64_t>(import.rows.size()));
      if (!fresh) {
        one.status = "duplicate";
        one.id = at->second;
      }
    }
    import.rows.push_back(std::move(one));
  }
  return ok();
}

}  // namespace

void import_credentials(ContextPtr c) {
  if (auto r = only_members(c->body, {"text", "items", "enabled"}); !r.ok()) {
    return c->respond(error_response(r.error()));
  }
  auto import = std::make_shared<Import>();
  c->change(
      [c, import]() -> Result<void> {
        if (!c->body["items"].is_null() && !c->body["items"].is_array()) {
          return invalid_error("must be a list", "items");
        }
        return check_import(c, *import);
      },
      [import](storage::Store& store) -> Result<std::string> {
        for (auto& entry : import->rows) {
          if (entry.status == "created") {
            GP_TRY(auto stored, store.insert_credential(entry.row));
            entry.id = stored.id;
          } else if (entry.status == "duplicate" && entry.id < 0) {
            entry.id = import->rows[static_cast<size_t>(-1 - entry.id)].id;
          }
        }
        return import->answer();
      },
      [c](Result<std::string> r) { answer(c, std::move(r)); });
}

namespace {

void act(const ContextPtr& c, ControlPlane::Action action) {
  const auto* row = c->plane.find_credential(c->id(0));
  if (row == nullptr) return c->respond(error_response(not_found()));
  if (!row->readable) return c->respond(error_response(unreadable()));
  c->plane.act_on_credential(row->id, action,
                             [c](Result<std::string> r) { answer(c, std::move(r)); });
}

}  // namespace

void refresh_credential(ContextPtr c) {
  act(c, ControlPlane::Action::refresh);
}

void test_credential(ContextPtr c) {
  act(c, ControlPlane::Action::test);
}

void put_credential(ContextPtr c) {
  if (auto r = only_members(c->body, {"name", "settings_json", "secret_json", "enabled"});
      !r.ok()) {
    return c->respond(error_response(r.error()));
  }
  if (!c->body["secret_json"].is_object()) {
    return c->respond(error_response(Error{ErrorKind::invalid, "invalid_credential_json",
                                           "must be an object {\"<tag>\": {…}}", "secret_json"}));
  }
  auto row = std::make_shared<storage::CredentialRow>();
  c->change(
      [c, row]() -> Result<void> {
        const auto* old = c->plane.find_credential(c->id(0));
        if (old == nullptr) return not_found();
        GP_CHECK(check_origin(to_config(old->origin), "credential"));
        const auto* provider = c->plane.find_provider(old->provider_id);
        if (provider == nullptr)
          return Error{ErrorKind::invalid, "provider_not_found", "its provider is gone"};
        *row = *old;
        GP_CHECK(read_common(c->body, *row));
        GP_TRY(auto enabled, opt_bool(c->body, "enabled"));
        row->enabled = enabled.value_or(old->enabled);
        row->secret =
            Secret(unmask_json(json::write(c->body["secret_json"]), old->secret.reveal()));
        GP_CHECK(check_unmasked(row->secret.reveal()));
        return check_secret(c->plane, *provider, row->secret.reveal());
      },
      [row](storage::Store& store) -> Result<std::string> {
        GP_TRY([[maybe_unused]] auto stored, store.update_credential(*row));
        return std::string(R"({"ok":true})");
      },
      [c](Result<std::string> r) { answer(c, std::move(r)); });
}

void put_credential_enabled(ContextPtr c) {
  auto enabled = need_bool(c->body, "enabled");
  if (!enabled.ok()) return c->respond(error_response(enabled.error()));
  const bool on = *enabled;
  const int64_t id = c->id(0);
  c->change(
      [c, id]() -> Result<void> {
        const auto* row = c->plane.find_credential(id);
        if (row == nullptr) return not_found();
        GP_CHECK(check_origin(to_config(row->origin), "credential"));
        // Enabling starts afresh: what it rested for is forgotten.
        if (auto slot = c->plane.slots().find(id)) slot->reset_health();
        return ok();
      },
      [id, on](storage::Store& store) -> Result<std::string> {
        GP_CHECK(store.set_credential_enabled(id, on));
        return std::string(R"({"ok":true})");
      },
      [c](Result<std::string> r) { answer(c, std::move(r)); });
}

void clear_cooldown(ContextPtr c) {
  if (c->plane.find_credential(c->id(0)) == nullptr) return c->respond(error_response(not_found()));
  if (auto slot = c->plane.slots().find(c->id(0))) slot->reset_health();
  c->respond(ok_response());
}

void reveal_credential(ContextPtr c) {
  const auto* row = c->plane.find_credential(c->id(0));
  if (row == nullptr) return c->respond(error_response(not_found()));
  if (!row->readable) return c->respond(error_response(unreadable()));
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.field("id", row->id);
  w.key("secret_json");
  w.raw(row->secret.reveal());
  w.end_object();
  c->respond(json_response(std::move(out)));
}

void delete_credential(ContextPtr c) {
  const int64_t id = c->id(0);
  c->change(
      [c, id]() -> Result<void> {
        const auto* row = c->plane.find_credential(id);
        if (row == nullptr) return not_found();
        return check_origin(to_config(row->origin), "credential");
      },
      [id](storage::Store& store) -> Result<std::string> {
        GP_CHECK(store.delete_credential(id));
        return std::string(R"({"ok":true})");
      },
      [c](Result<std::string> r) { answer(c, std::move(r)); });
}

}  // namespace gproxy::admin
