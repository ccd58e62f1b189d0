// GET and PUT /admin/global_config, /admin/health, /admin/system/self_update.
#include "admin/api.h"
#include "admin/convert.h"
#include "base/strings.h"
#include "config/settings_table.h"
#include "config/validate.h"

namespace gproxy::admin {

void get_health(ContextPtr c) { c->respond(ok_response()); }

void self_update(ContextPtr c) {
  c->respond(error_response(Error{ErrorKind::permission, "self_update_disabled",
                                  "install the new version with the package manager or image it came from, then restart"}));
}

void get_global_config(ContextPtr c) {
  const config::Settings& s = c->plane.settings();
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.field("host", s.host);
  w.field("port", int64_t{s.port});
  w.field("admin_key", mask_text(s.admin_key.reveal()));
  w.key("proxy");
  if (s.proxy.empty()) w.null();
  else w.string(s.proxy);
  w.field("dsn", c->plane.shown_dsn());
  w.field("event_redact_sensitive", s.event_redact_sensitive);
  w.key("settings");
  w.begin_object();
  for (const auto& row : config::setting_rows()) {
    w.key(row.name);
    w.raw(config::setting_json(s, row));
  }
  w.end_object();
  w.key("origins");
  w.begin_object();
  for (const auto& [name, origin] : s.origins) w.field(name, config::name(origin));
  w.end_object();
  w.end_object();
  c->respond(json_response(std::move(out)));
}

namespace {

// A member that names a setting the operator declared elsewhere is refused, unless it changes nothing.
Result<void> edit_setting(config::Settings& s, std::string_view name, const json::Value& value) {
  const auto* row = config::find_setting(name);
  if (row == nullptr) {
    const auto near = config::nearest_setting(name);
    return invalid_error("unknown setting" + (near.empty() ? std::string() : ", did you mean " + std::string(near) + "?"),
                         std::string(name));
  }
  // Only the admin key has a sealed place in the store; the other secrets are declared, not edited.
  if (name != "admin_key" && std::holds_alternative<Secret*>(row->slot(s))) {
    return invalid_error("is a secret: declare it in the configuration file", std::string(name));
  }
  const std::string before = config::setting_json(s, *row);
  const Secret key_before = s.admin_key;
  const auto origin = s.origin_of(name);
  if (value.is_null()) {
    // Cleared: the default again.
    config::Settings defaults;
    Arena arena;
    auto plain = json::parse(config::setting_json(defaults, *row), arena);
    if (!plain.ok()) return std::move(plain).error();
    if (before == config::setting_json(defaults, *row)) return ok();
    GP_CHECK(check_origin(origin, name));
    if (plain->is_null()) plain = json::Value::string("");
    GP_CHECK(config::apply_setting(s, name, *plain, config::Origin::db));
    s.origins.erase(std::string(name));
    return ok();
  }
  GP_CHECK(config::apply_setting(s, name, value, config::Origin::db));
  const bool same = name == "admin_key" ? s.admin_key.equals(key_before.reveal()) : before == config::setting_json(s, *row);
  if (same) {
    // Writing back what was read is no edit: the origin stays.
    if (origin == config::Origin::db) s.origins.erase(std::string(name));
    else s.origins[std::string(name)] = origin;
    return ok();
  }
  return check_origin(origin, name);
}

}  // namespace

void put_global_config(ContextPtr c) {
  if (auto r = only_members(c->body, {"host", "port", "admin_key", "proxy", "event_redact_sensitive", "dsn", "settings", "origins"});
      !r.ok()) {
    return c->respond(error_response(r.error()));
  }
  if (c->body.has("dsn") && c->body["dsn"].str() != c->plane.shown_dsn()) {
    return c->respond(error_response(invalid_error("cannot be changed while running: use --dsn or GPROXY_DSN", "dsn")));
  }
  c->plane.change_settings(
      [c](config::Settings& s) -> Result<void> {
        for (const auto& member : c->body.members()) {
          if (member.key == "dsn" || member.key == "origins" || member.key == "settings") continue;
          // A blank admin key keeps the one in force, and so does its mask.
          if (member.key == "admin_key" &&
              (member.value.is_null() || trim(member.value.str()).empty() || member.value.str() == mask_text(s.admin_key.reveal()))) {
            continue;
          }
          GP_CHECK(edit_setting(s, member.key, member.value));
        }
        for (const auto& member : c->body["settings"].members()) GP_CHECK(edit_setting(s, member.key, member.value));
        return config::check_settings(s);
      },
      [c](Result<std::string> r) { c->respond(r.ok() ? ok_response() : error_response(r.error())); });
}

}  // namespace gproxy::admin
