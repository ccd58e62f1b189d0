// /admin/users and /admin/user_keys.
#include "admin/api.h"
#include "admin/convert.h"
#include "config/validate.h"

namespace gproxy::admin {
namespace {

Error no_user() { return Error{ErrorKind::not_found, "user_not_found", "no user has this id"}; }
Error no_key() { return Error{ErrorKind::not_found, "user_key_not_found", "no key has this id"}; }

void answer(const ContextPtr& c, Result<std::string> r) {
  c->respond(r.ok() ? json_response(std::move(*r)) : error_response(r.error()));
}

// The operator's own user: without it the admin key would not work as a key of the gateway.
Result<void> check_not_operator(const storage::UserRow& row) {
  if (row.id != 0) return ok();
  return Error{ErrorKind::permission, "user0_is_built_in", "user 0 is the operator and stays enabled"};
}

// The bootstrap key follows the admin key; changing it here would be undone.
Result<void> check_not_bootstrap(const storage::UserKeyRow& row) {
  if (row.user_id != 0 || row.label.value_or("") != "bootstrap") return ok();
  return Error{ErrorKind::conflict, "managed_by_admin_key", "this key follows the admin key: change that instead"};
}

}  // namespace

void list_users(ContextPtr c) {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.key("users");
  w.begin_array();
  for (const auto& row : c->plane.rows().users) {
    w.begin_object();
    w.field("id", row.id);
    w.field("name", row.name);
    w.field("enabled", row.enabled);
    w.field("origin", storage::name(row.origin));
    w.field("created_at", rfc3339(row.created_at));
    w.field("updated_at", rfc3339(row.updated_at));
    w.end_object();
  }
  w.end_array();
  w.end_object();
  c->respond(json_response(std::move(out)));
}

void put_user(ContextPtr c) {
  auto row = std::make_shared<storage::UserRow>();
  auto parse = [&]() -> Result<void> {
    GP_CHECK(only_members(c->body, {"name", "enabled", "id"}));
    row->id = c->id(0);
    if (row->id < 0) return invalid_error("must not be negative", "id");
    GP_TRY(row->name, need_string(c->body, "name"));
    GP_CHECK(config::check_user_name(row->name));
    GP_TRY(row->enabled, need_bool(c->body, "enabled"));
    return ok();
  };
  if (auto r = parse(); !r.ok()) return c->respond(error_response(r.error()));
  c->plane.change(
      [c, row]() -> Result<void> {
        for (const auto& other : c->plane.rows().users) {
          if (other.id != row->id && other.name == row->name) {
            return Error{ErrorKind::conflict, "conflict", "another user has this name", "name"};
          }
        }
        const auto* old = c->plane.find_user(row->id);
        if (old == nullptr) return ok();
        if (old->name == row->name && old->enabled == row->enabled) return ok();
        GP_CHECK(check_not_operator(*old));
        row->origin = old->origin;
        return check_origin(to_config(old->origin), "user " + old->name);
      },
      [row](storage::Store& store) -> Result<std::string> {
        GP_TRY(auto stored, store.upsert_user(*row));
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

void put_user_enabled(ContextPtr c) {
  auto enabled = need_bool(c->body, "enabled");
  if (!enabled.ok()) return c->respond(error_response(enabled.error()));
  const bool on = *enabled;
  const int64_t id = c->id(0);
  c->plane.change(
      [c, id, on]() -> Result<void> {
        const auto* row = c->plane.find_user(id);
        if (row == nullptr) return no_user();
        if (row->enabled != on) {
          GP_CHECK(check_not_operator(*row));
          GP_CHECK(check_origin(to_config(row->origin), "user " + row->name));
        }
        return ok();
      },
      [id, on](storage::Store& store) -> Result<std::string> {
        GP_CHECK(store.set_user_enabled(id, on));
        return std::string(R"({"ok":true})");
      },
      [c](Result<std::string> r) { answer(c, std::move(r)); });
}

void delete_user(ContextPtr c) {
  const int64_t id = c->id(0);
  c->plane.change(
      [c, id]() -> Result<void> {
        const auto* row = c->plane.find_user(id);
        if (row == nullptr) return no_user();
        GP_CHECK(check_not_operator(*row));
        return check_origin(to_config(row->origin), "user " + row->name);
      },
      [id](storage::Store& store) -> Result<std::string> {
        GP_CHECK(store.delete_user(id));
        return std::string(R"({"ok":true})");
      },
      [c](Result<std::string> r) { answer(c, std::move(r)); });
}

void list_user_keys(ContextPtr c) {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.key("keys");
  w.begin_array();
  for (const auto& row : c->plane.rows().user_keys) {
    if (row.user_id != c->id(0)) continue;
    w.begin_object();
    w.field("id", row.id);
    w.field("user_id", row.user_id);
    w.key("label");
    if (row.label) w.string(*row.label);
    else w.null();
    w.field("enabled", row.enabled);
    w.field("origin", storage::name(row.origin));
    w.field("created_at", rfc3339(row.created_at));
    w.field("updated_at", rfc3339(row.updated_at));
    w.end_object();
  }
  w.end_array();
  w.end_object();
  c->respond(json_response(std::move(out)));
}

void post_user_key(ContextPtr c) {
  auto row = std::make_shared<storage::UserKeyRow>();
  auto key = std::make_shared<Secret>();
  auto parse = [&]() -> Result<void> {
    GP_CHECK(only_members(c->body, {"key", "label", "enabled"}));
    row->user_id = c->id(0);
    GP_TRY(row->label, opt_string(c->body, "label"));
    if (row->label) GP_CHECK(config::check_label(*row->label, "label"));
    GP_TRY(auto enabled, opt_bool(c->body, "enabled"));
    row->enabled = enabled.value_or(true);
    GP_TRY(auto text, opt_string(c->body, "key"));
    // The reference's script sends "" when only a label is given: that means "make one".
    const std::string chosen = text && !text->empty() ? *text : uuid4();
    GP_CHECK(config::check_user_key(chosen, "key"));
    *key = Secret(chosen);
    return ok();
  };
  if (auto r = parse(); !r.ok()) return c->respond(error_response(r.error()));
  auto write = [](int64_t id, const Secret& text) {
    std::string out;
    json::Writer w(out);
    w.begin_object();
    w.field("id", id);
    w.field("key", text.reveal());
    w.end_object();
    return out;
  };
  // Provisioning twice with the same key for the same user is no conflict: it answers the same row.
  auto existing = std::make_shared<int64_t>(-1);
  c->plane.change(
      [c, row, key, existing]() -> Result<void> {
        if (c->plane.find_user(row->user_id) == nullptr) return no_user();
        const Digest digest = c->plane.key_digest(key->reveal());
        for (const auto& other : c->plane.rows().user_keys) {
          if (other.digest != digest) continue;
          if (other.user_id != row->user_id) {
            return Error{ErrorKind::conflict, "conflict", "another user has this key", "key"};
          }
          *existing = other.id;
        }
        return ok();
      },
      [row, key, existing, write](storage::Store& store) -> Result<std::string> {
        if (*existing >= 0) return write(*existing, *key);
        GP_TRY(auto stored, store.insert_user_key(*row, *key));
        return write(stored.id, *key);
      },
      [c](Result<std::string> r) { answer(c, std::move(r)); });
}

void put_user_key(ContextPtr c) {
  auto parse = [&]() -> Result<std::optional<std::string>> {
    GP_CHECK(only_members(c->body, {"label"}));
    GP_TRY(auto label, opt_string(c->body, "label"));
    if (label) GP_CHECK(config::check_label(*label, "label"));
    return label;
  };
  auto label = parse();
  if (!label.ok()) return c->respond(error_response(label.error()));
  auto row = std::make_shared<storage::UserKeyRow>();
  c->plane.change(
      [c, row, label = *label]() -> Result<void> {
        const auto* old = c->plane.find_key(c->id(0));
        if (old == nullptr) return no_key();
        GP_CHECK(check_not_bootstrap(*old));
        GP_CHECK(check_origin(to_config(old->origin), "key"));
        *row = *old;
        row->label = label;
        return ok();
      },
      [row](storage::Store& store) -> Result<std::string> {
        GP_CHECK(store.update_user_key(*row));
        return std::string(R"({"ok":true})");
      },
      [c](Result<std::string> r) { answer(c, std::move(r)); });
}

void put_user_key_enabled(ContextPtr c) {
  auto enabled = need_bool(c->body, "enabled");
  if (!enabled.ok()) return c->respond(error_response(enabled.error()));
  const bool on = *enabled;
  const int64_t id = c->id(0);
  c->plane.change(
      [c, id]() -> Result<void> {
        const auto* row = c->plane.find_key(id);
        if (row == nullptr) return no_key();
        GP_CHECK(check_not_bootstrap(*row));
        return check_origin(to_config(row->origin), "key");
      },
      [id, on](storage::Store& store) -> Result<std::string> {
        GP_CHECK(store.set_user_key_enabled(id, on));
        return std::string(R"({"ok":true})");
      },
      [c](Result<std::string> r) { answer(c, std::move(r)); });
}

void delete_user_key(ContextPtr c) {
  const int64_t id = c->id(0);
  c->plane.change(
      [c, id]() -> Result<void> {
        const auto* row = c->plane.find_key(id);
        if (row == nullptr) return no_key();
        GP_CHECK(check_not_bootstrap(*row));
        return check_origin(to_config(row->origin), "key");
      },
      [id](storage::Store& store) -> Result<std::string> {
        GP_CHECK(store.delete_user_key(id));
        return std::string(R"({"ok":true})");
      },
      [c](Result<std::string> r) { answer(c, std::move(r)); });
}

}  // namespace gproxy::admin
