// GET and PUT /admin/global_config, /admin/health, /admin/system/self_update.
#include <algorithm>

#include "admin/api.h"
#include "admin/convert.h"
#include "base/strings.h"
#include "config/settings_table.h"
#include "config/validate.h"
#include "storage/dsn.h"

namespace gproxy::admin {
namespace {

// A URL that may hold a password.
constexpr std::string_view kProxy = "proxy";

}  // namespace

void get_health(ContextPtr c) {
  c->respond(ok_response());
}

void self_update(ContextPtr c) {
  c->respond(error_response(Error{
      ErrorKind::permission, "self_update_disabled",
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
  if (s.proxy.empty())
    w.null();
  else
    w.string(storage::mask_password(s.proxy));
  w.field("dsn", c->plane.shown_dsn());
  w.field("event_redact_sensitive", s.event_redact_sensitive);
  w.key("settings");
  w.begin_object();
  for (const auto& row : config::setting_rows()) {
    w.key(row.name);
    config::Settings copy = s;
    auto slot = row.slot(copy);
    if (auto* secret = std::get_if<Secret*>(&slot)) {
      (*secret)->empty() ? w.null() : w.string(mask_text((*secret)->reveal()));
    } else if (row.name == kProxy) {
      w.string(storage::mask_password(s.proxy));
    } else {
      w.raw(config::setting_json(s, row));
    }
  }
  w.end_object();
  w.key("origins");
  w.begin_object();
  for (const auto& [name, origin] : s.origins) w.field(name, config::name(origin));
  w.end_object();
  w.end_object();
  c->respond(json_response(std::move(out)));
}

void reveal_global_config(ContextPtr c) {
  const config::Settings& s = c->plane.settings();
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.field("admin_key", s.admin_key.reveal());
  w.key("metrics_token");
  s.metrics_token.empty() ? w.null() : w.string(s.metrics_token.reveal());
  w.key(kProxy);
  s.proxy.empty() ? w.null() : w.string(s.proxy);
  w.end_object();
  c->respond(json_response(std::move(out)));
}

namespace {

// A secret is written as text; its mask keeps it. The admin key cannot be taken away.
Result<void> edit_secret(config::Settings& s, Secret& secret, std::string_view name,
                         const json::Value& value) {
  const Secret before = secret;
  const auto origin = s.origin_of(name);
  if (!before.empty() && value.str() == mask_text(before.reveal())) return ok();
  if (value.is_null() || (value.is_string() && trim(value.str()).empty())) {
    if (name == "admin_key" || before.empty()) return ok();
    GP_CHECK(check_origin(origin, name));
    secret = Secret();
    s.origins.erase(std::string(name));
    return ok();
  }
  if (value.str().starts_with("****"))
    return invalid_error("is the mask of another text", std::string(name));
  const bool was_set = s.origins.contains(name);
  GP_CHECK(config::apply_setting(s, name, value, config::Origin::db));
  if (!secret.equals(before.reveal())) return check_origin(origin, name);
  if (was_set) s.origins[std::string(name)] = origin;
  return ok();
}

// A member that names a setting the operator declared elsewhere is refused, unless it changes
// nothing.
Result<void> edit_setting(config::Settings& s, std::string_view name, const json::Value& value) {
  const auto* row = config::find_setting(name);
  if (row == nullptr) {
    const auto near = config::nearest_setting(name);
    return invalid_error(
        "unknown setting" +
            (near.empty() ? std::string() : ", did you mean " + std::string(near) + "?"),
        std::string(name));
  }
  // As it was shown: the password stays.
  if (name == kProxy && !s.proxy.empty() && value.str() == storage::mask_password(s.proxy)) {
    return ok();
  }
  if (name == kProxy && value.str().find(":***@") != std::string_view::npos)
    return invalid_error("its password is masked: give the whole URL", std::string(name));
  auto slot = row->slot(s);
  if (auto* secret = std::get_if<Secret*>(&slot)) return edit_secret(s, **secret, name, value);
  const std::string before = config::setting_json(s, *row);
  const auto origin = s.origin_of(name);
  const bool was_set = s.origins.contains(name);
  if (value.is_null()) {
    // Cleared: the default again.
    const config::Settings defaults;
    Arena arena;
    const auto plain = json::parse(config::setting_json(defaults, *row), arena);
    if (!plain.ok()) return std::move(plain).error();
    if (!was_set) return ok();
    if (before != config::setting_json(defaults, *row)) GP_CHECK(check_origin(origin, name));
    GP_CHECK(config::apply_setting(s, name, *plain, config::Origin::db));
    s.origins.erase(std::string(name));
    return ok();
  }
  GP_CHECK(config::apply_setting(s, name, value, config::Origin::db));
  if (before != config::setting_json(s, *row)) return check_origin(origin, name);
  // Writing back what was read is no edit: the origin stays.
  if (was_set) {
    s.origins[std::string(name)] = origin;
  } else {
    s.origins.erase(std::string(name));
  }
  return ok();
}

bool is_group(std::string_view name) {
  const auto rows = config::setting_rows();
  return std::any_of(rows.begin(), rows.end(), [&](const auto& row) {
    return row.name.size() > name.size() && row.name.starts_with(name) &&
           row.name[name.size()] == '.';
  });
}

// "limits.max_json_depth", or "limits" with members, as in the file.
Result<void> edit_settings(config::Settings& s, const std::string& name, const json::Value& value) {
  if (config::find_setting(name) != nullptr || !value.is_object() || !is_group(name))
    return edit_setting(s, name, value);
  for (const auto& member : value.members())
    GP_CHECK(edit_settings(s, name + "." + std::string(member.key), member.value));
  return ok();
}

}  // namespace

void put_global_config(ContextPtr c) {
  if (c->body.has("dsn") && c->body["dsn"].str() != c->plane.shown_dsn()) {
    return c->respond(error_response(
        invalid_error("cannot be changed while running: use --dsn or GPROXY_DSN", "dsn")));
  }
  if (const auto& settings = c->body["settings"]; !settings.is_null() && !settings.is_object())
    return c->respond(error_response(invalid_error("must be an object", "settings")));
  c->change_settings(
      [c](config::Settings& s) -> Result<void> {
        for (const auto& member : c->body.members()) {
          if (member.key == "dsn" || member.key == "origins" || member.key == "settings") continue;
          // A blank admin key keeps the one in force, and so does its mask.
          if (member.key == "admin_key" &&
              (member.value.is_null() || trim(member.value.str()).empty() ||
               member.value.str() == mask_text(s.admin_key.reveal()))) {
            continue;
          }
          GP_CHECK(edit_settings(s, std::string(member.key), member.value));
        }
        for (const auto& member : c->body["settings"].members())
          GP_CHECK(edit_settings(s, std::string(member.key), member.value));
        return config::check_settings(s);
      },
      [c](Result<std::string> r) {
        c->respond(r.ok() ? ok_response() : error_response(r.error()));
      });
}

}  // namespace gproxy::admin
