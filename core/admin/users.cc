// /admin/users and /admin/user_keys.
#include <map>

#include "admin/api.h"
#include "admin/convert.h"
#include "config/validate.h"

namespace gproxy::admin {
namespace {

Error no_user() {
  return Error{ErrorKind::not_found, "user_not_found", "no user has this id"};
}
Error no_key() {
  return Error{ErrorKind::not_found, "user_key_not_found", "no key has this id"};
}

// The operator's own user: without it the admin key would not work as a key of the gateway.
Result<void> check_not_operator(const storage::UserRow& row) {
  if (row.id != 0) return ok();
  return Error{ErrorKind::permission, "user0_is_built_in",
               "user 0 is the operator and stays enabled"};
}

// The bootstrap key follows the admin key; changing it here would be undone.
Result<void> check_not_bootstrap(const storage::UserKeyRow& row) {
  if (row.user_id != 0 || row.label.value_or("") != kBootstrapLabel) return ok();
  return Error{ErrorKind::conflict, "managed_by_admin_key",
               "this key follows the admin key: change that instead"};
}

// The bounds that a request sets, over those there are.
Result<std::string> edited_bounds(const json::Value& body, std::string_view stored) {
  auto bounds = config::read_bounds(stored);
  for (const auto& member : body.members()) {
    if (config::is_bound(member.key))
      GP_CHECK(config::apply_bound(bounds, member.key, member.value));
  }
  return config::stored_bounds(bounds);
}

// "permissions": a list of oauth and quota; null or absent keeps what there is.
Result<int32_t> edited_permissions(const json::Value& body, int32_t stored) {
  const auto* given = body.find("permissions");
  if (given == nullptr || given->is_null()) return stored;
  if (!given->is_array()) return invalid_error("must be a list", "permissions");
  config::Permissions out;
  for (size_t i = 0; i < given->size(); ++i) {
    const auto word = (*given)[i].str();
    if (word == "oauth") {
      out.oauth = true;
    } else if (word == "quota") {
      out.quota = true;
    } else {
      return invalid_error("must be oauth or quota", "permissions[" + std::to_string(i) + "]");
    }
  }
  return stored_permissions(out);
}

// Members that a GET shows may come back with a PUT.
Result<void> check_members(const json::Value& body, std::vector<std::string_view> known) {
  known.insert(known.end(), config::bound_names().begin(), config::bound_names().end());
  return only_members(body, known);
}

void write_use(json::Writer& w, const config::Bounds& bounds, const config::RateSlot& slot,
               int64_t now_us) {
  w.key("in_use");
  w.begin_object();
  w.field("concurrent_requests", slot.running());
  w.key("requests_left");
  bounds.requests_per_minute > 0
      ? w.integer(slot.requests.remaining(bounds.requests_per_minute, now_us))
      : w.null();
  w.key("tokens_left");
  bounds.tokens_per_minute > 0 ? w.integer(slot.tokens.remaining(bounds.tokens_per_minute, now_us))
                               : w.null();
  w.end_object();
}

void write_key(json::Writer& w, ControlPlane& plane, const storage::UserKeyRow& row) {
  const auto bounds = config::read_bounds(row.bounds_json);
  const auto permissions = permissions_of(row.permissions);
  w.begin_object();
  w.field("id", row.id);
  w.field("user_id", row.user_id);
  w.key("label");
  row.label ? w.string(*row.label) : w.null();
  w.field("enabled", row.enabled);
  config::write_bounds(w, bounds);
  w.key("permissions");
  w.begin_array();
  if (permissions.oauth) w.string("oauth");
  if (permissions.quota) w.string("quota");
  w.end_array();
  w.field("revealable", row.has_copy);
  w.key("previous_valid_until");
  row.previous_digest&& row.previous_until > plane.clock().wall_us()
      ? w.string(rfc3339(row.previous_until))
      : w.null();
  write_use(w, bounds, *plane.slots().rates().key(row.id), plane.clock().now_us());
  w.field("origin", storage::name(row.origin));
  w.field("created_at", rfc3339(row.created_at));
  w.field("updated_at", rfc3339(row.updated_at));
  w.end_object();
}

}  // namespace

void list_users(ContextPtr c) {
  std::map<int64_t, int64_t> keys;
  for (const auto& key : c->plane.rows().user_keys) ++keys[key.user_id];
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.key("users");
  w.begin_array();
  for (const auto& row : c->plane.rows().users) {
    const auto bounds = config::read_bounds(row.bounds_json);
    w.begin_object();
    w.field("id", row.id);
    w.field("name", row.name);
    w.field("enabled", row.enabled);
    config::write_bounds(w, bounds);
    write_use(w, bounds, *c->plane.slots().rates().user(row.id), c->plane.clock().now_us());
    w.field("key_count", keys[row.id]);
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
    GP_CHECK(check_members(c->body, {"name", "enabled", "id", "in_use", "key_count", "origin",
                                     "created_at", "updated_at"}));
    row->id = c->id(0);
    if (row->id < 0) return invalid_error("must not be negative", "id");
    GP_TRY(row->name, need_string(c->body, "name"));
    GP_CHECK(config::check_user_name(row->name));
    GP_TRY(row->enabled, need_bool(c->body, "enabled"));
    GP_TRY(row->bounds_json, edited_bounds(c->body, "{}"));
    return ok();
  };
  if (auto r = parse(); !r.ok()) return c->respond(error_response(r.error()));
  c->change(
      [c, row]() -> Result<void> {
        for (const auto& other : c->plane.rows().users) {
          if (other.id != row->id && other.name == row->name) {
            return Error{ErrorKind::conflict, "conflict", "another user has this name", "name"};
          }
        }
        const auto* old = c->plane.find_user(row->id);
        if (old == nullptr) return ok();
        GP_TRY(row->bounds_json, edited_bounds(c->body, old->bounds_json));
        if (old->name == row->name && old->enabled == row->enabled &&
            old->bounds_json == row->bounds_json) {
          row->origin = old->origin;
          return ok();
        }
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
  c->change(
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
  c->change(
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
  if (c->plane.find_user(c->id(0)) == nullptr) return c->respond(error_response(no_user()));
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.key("keys");
  w.begin_array();
  for (const auto& row : c->plane.rows().user_keys) {
    if (row.user_id == c->id(0)) write_key(w, c->plane, row);
  }
  w.end_array();
  w.end_object();
  c->respond(json_response(std::move(out)));
}

namespace {

std::string id_and_key(int64_t id, const Secret& text) {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.field("id", id);
  w.field("key", text.reveal());
  w.end_object();
  return out;
}

// The text that a request chose, or a new one. The reference's script sends "" when only a label
// is given: that means "make one".
Result<Secret> chosen_key(const json::Value& body) {
  GP_TRY(auto text, opt_string(body, "key"));
  const std::string chosen = text && !text->empty() ? *text : uuid4();
  GP_CHECK(config::check_user_key(chosen, "key"));
  return Secret(chosen);
}

// Whose key has this text now, or had it until lately? Null if nobody's.
const storage::UserKeyRow* key_with(const ControlPlane& plane, const Secret& text) {
  const Digest digest = plane.key_digest(text.reveal());
  for (const auto& row : plane.rows().user_keys) {
    if (row.digest == digest) return &row;
  }
  return nullptr;
}

}  // namespace

void post_user_key(ContextPtr c) {
  auto row = std::make_shared<storage::UserKeyRow>();
  auto key = std::make_shared<Secret>();
  auto parse = [&]() -> Result<void> {
    GP_CHECK(check_members(c->body, {"key", "label", "enabled", "permissions", "keep_copy"}));
    row->user_id = c->id(0);
    GP_TRY(row->label, opt_string(c->body, "label"));
    if (row->label) GP_CHECK(config::check_label(*row->label, "label"));
    GP_TRY(auto enabled, opt_bool(c->body, "enabled"));
    row->enabled = enabled.value_or(true);
    GP_TRY(auto copy, opt_bool(c->body, "keep_copy"));
    row->has_copy = copy.value_or(false);
    GP_TRY(row->bounds_json, edited_bounds(c->body, "{}"));
    GP_TRY(row->permissions, edited_permissions(c->body, 0));
    GP_TRY(*key, chosen_key(c->body));
    return ok();
  };
  if (auto r = parse(); !r.ok()) return c->respond(error_response(r.error()));
  // Provisioning twice with the same key for the same user is no conflict: it answers the same row.
  auto existing = std::make_shared<int64_t>(-1);
  c->change(
      [c, row, key, existing]() -> Result<void> {
        if (c->plane.find_user(row->user_id) == nullptr) return no_user();
        const auto* other = key_with(c->plane, *key);
        if (other == nullptr) return ok();
        if (other->user_id != row->user_id) {
          return Error{ErrorKind::conflict, "conflict", "another user has this key", "key"};
        }
        *existing = other->id;
        return ok();
      },
      [row, key, existing](storage::Store& store) -> Result<std::string> {
        if (*existing >= 0) return id_and_key(*existing, *key);
        GP_TRY(auto stored, store.insert_user_key(*row, *key));
        return id_and_key(stored.id, *key);
      },
      [c](Result<std::string> r) { answer(c, std::move(r)); });
}

void put_user_key(ContextPtr c) {
  auto label = [&]() -> Result<std::optional<std::string>> {
    GP_CHECK(check_members(
        c->body, {"label", "permissions", "id", "user_id", "enabled", "revealable", "in_use",
                  "previous_valid_until", "origin", "created_at", "updated_at"}));
    GP_TRY(auto text, opt_string(c->body, "label"));
    if (text) GP_CHECK(config::check_label(*text, "label"));
    GP_TRY([[maybe_unused]] auto enabled, opt_bool(c->body, "enabled"));
    return text;
  }();
  if (!label.ok()) return c->respond(error_response(label.error()));
  auto row = std::make_shared<storage::UserKeyRow>();
  c->change(
      [c, row, label = *label]() -> Result<void> {
        const auto* old = c->plane.find_key(c->id(0));
        if (old == nullptr) return no_key();
        GP_CHECK(check_not_bootstrap(*old));
        GP_CHECK(check_origin(to_config(old->origin), "key"));
        *row = *old;
        row->label = label;
        GP_TRY(auto enabled, opt_bool(c->body, "enabled"));
        row->enabled = enabled.value_or(old->enabled);
        GP_TRY(row->bounds_json, edited_bounds(c->body, old->bounds_json));
        GP_TRY(row->permissions, edited_permissions(c->body, old->permissions));
        return ok();
      },
      [row](storage::Store& store) -> Result<std::string> {
        GP_CHECK(store.update_user_key(*row));
        return std::string(R"({"ok":true})");
      },
      [c](Result<std::string> r) { answer(c, std::move(r)); });
}

void rotate_user_key(ContextPtr c) {
  constexpr int64_t kLongestGrace = 30 * 86'400;
  auto key = std::make_shared<Secret>();
  auto until = std::make_shared<int64_t>(0);
  auto parse = [&]() -> Result<void> {
    GP_CHECK(only_members(c->body, {"key", "grace_secs"}));
    GP_TRY(*key, chosen_key(c->body));
    const auto& grace = c->body["grace_secs"];
    if (grace.is_null()) return ok();
    const auto secs = grace.as_int();
    if (!secs || *secs < 0 || *secs > kLongestGrace) {
      return invalid_error("must be 0 to " + std::to_string(kLongestGrace), "grace_secs");
    }
    if (*secs > 0) *until = c->plane.clock().wall_us() + *secs * 1'000'000;
    return ok();
  };
  if (auto r = parse(); !r.ok()) return c->respond(error_response(r.error()));
  const int64_t id = c->id(0);
  c->change(
      [c, id, key]() -> Result<void> {
        const auto* row = c->plane.find_key(id);
        if (row == nullptr) return no_key();
        GP_CHECK(check_not_bootstrap(*row));
        GP_CHECK(check_origin(to_config(row->origin), "key"));
        if (const auto* other = key_with(c->plane, *key); other != nullptr) {
          return Error{
              ErrorKind::conflict, "conflict",
              other->id == id ? "the key has this text already" : "another key has this text",
              "key"};
        }
        return ok();
      },
      [id, key, until](storage::Store& store) -> Result<std::string> {
        GP_CHECK(store.replace_user_key(id, *key, *until));
        std::string out;
        json::Writer w(out);
        w.begin_object();
        w.field("id", id);
        w.field("key", key->reveal());
        w.key("previous_valid_until");
        *until > 0 ? w.string(rfc3339(*until)) : w.null();
        w.end_object();
        return out;
      },
      [c](Result<std::string> r) { answer(c, std::move(r)); });
}

void reveal_user_key(ContextPtr c) {
  const int64_t id = c->id(0);
  const auto* row = c->plane.find_key(id);
  if (row == nullptr) return c->respond(error_response(no_key()));
  if (!row->has_copy) {
    return c->respond(
        error_response(Error{ErrorKind::conflict, "no_copy",
                             "the key was made without keep_copy: only its digest is stored"}));
  }
  c->work(
      [id](storage::Store& store) -> Result<std::string> {
        GP_TRY(const Secret key, store.reveal_user_key(id));
        return id_and_key(id, key);
      },
      [c](Result<std::string> r) {
        if (!r.ok() && r.error().code == "unseal_failed") {
          r.error().kind = ErrorKind::conflict;
          r.error().code = "unreadable";
        }
        answer(c, std::move(r));
      });
}

void put_user_key_enabled(ContextPtr c) {
  auto enabled = need_bool(c->body, "enabled");
  if (!enabled.ok()) return c->respond(error_response(enabled.error()));
  const bool on = *enabled;
  const int64_t id = c->id(0);
  c->change(
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
  c->change(
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
