// /admin/providers.
#include "admin/api.h"
#include "admin/convert.h"
#include "config/pool_settings.h"
#include "config/validate.h"

namespace gproxy::admin {
namespace {

void write_provider(json::Writer& w, const ControlPlane& plane, const storage::ProviderRow& row,
                    bool with_config) {
  w.begin_object();
  w.field("id", row.id);
  w.field("name", row.name);
  w.field("enabled", row.enabled);
  w.field("kind", row.kind);
  w.field("origin", storage::name(row.origin));
  if (with_config) {
    w.key("config_json");
    w.begin_object();
    w.field("kind", row.kind);
    w.key("channel_settings");
    w.raw(mask_settings(row.settings_json));
    w.end_object();
    w.key("pool");
    const auto pool = config::parse_pool_settings(row.pool_json);
    w.raw(config::to_json(pool.ok() ? *pool : config::PoolSettings{}));
  }
  const auto* entry = plane.snapshot().find_provider(row.name);
  w.key("fault");
  if (!row.readable)
    w.string("its sealed settings do not open: give them anew");
  else if (entry != nullptr && !entry->fault.empty())
    w.string(entry->fault);
  else
    w.null();
  w.field("created_at", rfc3339(row.created_at));
  w.field("updated_at", rfc3339(row.updated_at));
  w.end_object();
}

Error not_found(std::string_view name) {
  return Error{ErrorKind::not_found, "provider_not_found",
               "no provider is called " + std::string(name)};
}

Error masked() {
  return Error{ErrorKind::invalid, "provider_config_invalid",
               "holds a masked text that is not this provider's: give the text itself",
               "config_json.channel_settings"};
}

}  // namespace

void list_providers(ContextPtr c) {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.key("providers");
  w.begin_array();
  for (const auto& row : c->plane.rows().providers) write_provider(w, c->plane, row, false);
  w.end_array();
  w.end_object();
  c->respond(json_response(std::move(out)));
}

void get_provider(ContextPtr c) {
  const auto* row = c->plane.find_provider(c->parameters[0]);
  if (row == nullptr) return c->respond(error_response(not_found(c->parameters[0])));
  std::string out;
  json::Writer w(out);
  write_provider(w, c->plane, *row, true);
  c->respond(json_response(std::move(out)));
}

void put_provider(ContextPtr c) {
  auto row = std::make_shared<storage::ProviderRow>();
  auto parse = [&]() -> Result<void> {
    GP_CHECK(only_members(c->body, {"enabled", "config_json", "id", "name", "updated_at",
                                    "created_at", "kind", "origin", "fault", "pool"}));
    row->name = c->parameters[0];
    GP_CHECK(config::check_provider_name(row->name));
    GP_TRY(row->enabled, need_bool(c->body, "enabled"));
    const json::Value& config = c->body["config_json"];
    if (!config.is_object())
      return invalid_error("must be an object {kind, channel_settings}", "config_json");
    if (!config["kind"].is_string()) return invalid_error("must be a string", "config_json.kind");
    for (const auto& member : config.members()) {
      if (member.key != "kind" && member.key != "channel_settings") {
        return invalid_error("unknown member", "config_json." + std::string(member.key));
      }
    }
    row->kind = config["kind"].str();
    const json::Value& settings = config["channel_settings"];
    if (!settings.is_null() && !settings.is_object()) {
      return invalid_error("must be an object", "config_json.channel_settings");
    }
    row->settings_json = settings.is_object() ? json::write(settings) : "{}";
    // Absent: as it was. null: the defaults.
    row->pool_json.clear();
    if (const auto* pool = c->body.find("pool"); pool != nullptr) {
      row->pool_json = pool->is_null() ? "{}" : json::write(*pool);
      if (auto parsed = config::parse_pool_settings(row->pool_json); !parsed.ok()) {
        Error e = std::move(parsed).error();
        e.param = e.param.empty() ? "pool" : "pool." + e.param;
        return e;
      }
    }
    return ok();
  };
  if (auto r = parse(); !r.ok()) return c->respond(error_response(r.error()));
  c->change(
      [c, row]() -> Result<void> {
        if (const auto* old = c->plane.find_provider(row->name)) {
          // What was shown masked and comes back so is kept.
          if (old->kind == row->kind)
            row->settings_json = unmask_json(row->settings_json, old->settings_json);
          if (has_mask(row->settings_json)) return masked();
          if (row->pool_json.empty()) row->pool_json = old->pool_json;
          const bool same = old->pool_json == row->pool_json && old->kind == row->kind &&
                            old->settings_json == row->settings_json &&
                            old->enabled == row->enabled;
          if (!same) GP_CHECK(check_origin(to_config(old->origin), "provider " + row->name));
          row->origin = old->origin;
          if (old->kind != row->kind) {
            for (const auto& cred : c->plane.rows().credentials) {
              if (cred.provider_id == old->id) {
                return Error{ErrorKind::conflict, "kind_in_use",
                             "the provider has credentials of its present kind: delete them first",
                             "config_json.kind"};
              }
            }
          }
          // Switching a provider off or on must work even while its module is away.
          if (old->kind == row->kind && old->settings_json == row->settings_json) return ok();
        }
        if (has_mask(row->settings_json)) return masked();
        if (row->pool_json.empty()) row->pool_json = "{}";
        auto tried = c->plane.try_provider(row->name, row->kind, row->settings_json);
        if (!tried.ok()) {
          Error e = std::move(tried).error();
          if (e.code != "unknown_kind") {
            e.code = "provider_config_invalid";
            e.param =
                "config_json.channel_settings" + (e.param.empty() ? std::string() : "." + e.param);
            e.kind = ErrorKind::invalid;
            e.status = 400;
          }
          return e;
        }
        return ok();
      },
      [row](storage::Store& store) -> Result<std::string> {
        GP_TRY(auto stored, store.upsert_provider(*row));
        std::string out;
        json::Writer w(out);
        w.begin_object();
        w.field("id", stored.id);
        w.field("name", stored.name);
        w.end_object();
        return out;
      },
      [c](Result<std::string> r) { answer(c, std::move(r)); });
}

void delete_provider(ContextPtr c) {
  auto id = std::make_shared<int64_t>();
  c->change(
      [c, id]() -> Result<void> {
        const auto* row = c->plane.find_provider(c->parameters[0]);
        if (row == nullptr) return not_found(c->parameters[0]);
        GP_CHECK(check_origin(to_config(row->origin), "provider " + row->name));
        // Kinds that get a row at every start can only be disabled. A row whose kind nobody knows
        // any more is not one of them: it must not be stuck.
        auto module = c->plane.registry().find_kind(row->kind);
        const auto* kind = module ? module->info().find_kind(row->kind) : nullptr;
        if (kind != nullptr && kind->seed && row->name == row->kind) {
          return Error{ErrorKind::permission, "only_custom_provider_can_be_deleted",
                       "a built-in provider comes back at every start: disable it instead"};
        }
        *id = row->id;
        return ok();
      },
      [id](storage::Store& store) -> Result<std::string> {
        GP_CHECK(store.delete_provider(*id));
        return std::string(R"({"ok":true})");
      },
      [c](Result<std::string> r) { answer(c, std::move(r)); });
}

}  // namespace gproxy::admin
