#include "admin/api.h"

#include <algorithm>
#include <iterator>

#include "base/base64.h"
#include "base/log.h"
#include "base/strings.h"

namespace gproxy::admin {
namespace {

constexpr Route kRoutes[] = {
    {"GET", "/health", Body::none, get_health, "is the admin API there"},
    {"GET", "/global_config", Body::none, get_global_config, "settings, with where each came from"},
    {"PUT", "/global_config", Body::object, put_global_config, "change settings; null clears one"},
    {"POST", "/global_config/reveal", Body::none, reveal_global_config,
     "the settings that are secret, unmasked", Audit::reveals},
    {"GET", "/providers", Body::none, list_providers, "all providers"},
    {"GET", "/providers/{name}", Body::none, get_provider, "one provider with its configuration"},
    {"PUT", "/providers/{name}", Body::object, put_provider, "create or change a provider"},
    {"DELETE", "/providers/{name}", Body::none, delete_provider,
     "delete a provider that the operator made"},
    {"GET", "/routes", Body::none, list_routes, "model names of the operator's own"},
    {"GET", "/routes/{name}", Body::none, get_route, "one of them"},
    {"PUT", "/routes/{name}", Body::object, put_route, "create or change a route"},
    {"DELETE", "/routes/{name}", Body::none, delete_route, "delete a route"},
    {"GET", "/providers/{name}/credentials", Body::none, list_provider_credentials,
     "its credentials"},
    {"POST", "/providers/{name}/credentials", Body::object, post_credential, "add a credential"},
    {"POST", "/providers/{name}/credentials/import", Body::object, import_credentials,
     "add many, from keys or JSON documents; a result for each"},
    {"GET", "/credentials", Body::none, list_credentials, "all credentials"},
    {"PUT", "/credentials/{id}", Body::object, put_credential, "change a credential"},
    {"PUT", "/credentials/{id}/enabled", Body::object, put_credential_enabled,
     "enable or disable it"},
    {"POST", "/credentials/{id}/clear_cooldown", Body::none, clear_cooldown,
     "make it usable at once"},
    {"POST", "/credentials/{id}/refresh", Body::none, refresh_credential, "renew its tokens now"},
    {"POST", "/credentials/{id}/test", Body::none, test_credential,
     "ask its upstream for the models, with it"},
    {"POST", "/credentials/{id}/reveal", Body::none, reveal_credential, "its secret, unmasked",
     Audit::reveals},
    {"DELETE", "/credentials/{id}", Body::none, delete_credential, "delete it"},
    {"GET", "/users", Body::none, list_users, "all users"},
    {"PUT", "/users/{id}", Body::object, put_user, "create or change a user"},
    {"PUT", "/users/{id}/enabled", Body::object, put_user_enabled, "enable or disable a user"},
    {"DELETE", "/users/{id}", Body::none, delete_user, "delete a user with its keys"},
    {"GET", "/users/{id}/keys", Body::none, list_user_keys, "a user's keys, without their text"},
    {"POST", "/users/{id}/keys", Body::object, post_user_key,
     "make a key; its text is shown this once"},
    {"PUT", "/user_keys/{id}", Body::object, put_user_key,
     "change a key's label, bounds and permissions"},
    {"POST", "/user_keys/{id}/rotate", Body::object, rotate_user_key,
     "give it a new text; the old one is taken for grace_secs more"},
    {"POST", "/user_keys/{id}/reveal", Body::none, reveal_user_key,
     "the text of a key made with keep_copy", Audit::reveals},
    {"PUT", "/user_keys/{id}/enabled", Body::object, put_user_key_enabled,
     "enable or disable a key"},
    {"DELETE", "/user_keys/{id}", Body::none, delete_user_key, "delete a key"},
    {"GET", "/modules", Body::none, list_modules, "loaded modules, and files that did not load"},
    {"POST", "/modules/reload", Body::none, reload_modules,
     "load what is new in the module folders"},
    {"GET", "/usage/providers/{provider}/tokens", Body::none, usage_of_provider,
     "tokens of a provider"},
    {"GET", "/usage/providers/{provider}/models/{model}/tokens", Body::none,
     usage_of_provider_model, "tokens of a provider's model"},
    {"GET", "/usage/credentials/{id}/tokens", Body::none, usage_of_credential,
     "tokens of a credential"},
    {"GET", "/usage/credentials/{id}/models/{model}/tokens", Body::none, usage_of_credential_model,
     "tokens of a credential's model"},
    {"GET", "/usage/aggregate", Body::none, usage_aggregate,
     "requests, tokens, cost and times by bucket, provider, model, credential, user or key"},
    {"GET", "/usage/rows", Body::none, list_usage, "attempts, newest first"},
    {"GET", "/logs", Body::none, list_logs, "requests and attempts, newest first"},
    {"GET", "/logs/tail", Body::none, tail_logs, "the same as they come, as server-sent events"},
    {"GET", "/requests/{trace_id}/why", Body::none, get_why,
     "why a request went the way it went: candidates, attempts, waits, times"},
    {"POST", "/export", Body::object, post_export,
     "the whole configuration as a file; with secrets on demand", Audit::reveals},
    {"POST", "/import", Body::object, post_import, "what /export gave, into this gproxy"},
    {"GET", "/audit", Body::none, list_audit, "who changed or revealed what"},
    {"GET", "/openapi.json", Body::none, get_openapi, "this API, as OpenAPI 3.1"},
    {"GET", "/system/rekey", Body::none, get_rekey, "how far a change of the master key is"},
    {"POST", "/system/rekey", Body::object, post_rekey,
     "seal everything with another master key, while all goes on"},
    {"POST", "/system/self_update", Body::none, self_update, "refused: updates are the operator's"},
};

enum class Match : uint8_t { no, yes, bad_id };

Match match(std::string_view pattern, std::string_view path, std::vector<std::string>& parameters) {
  parameters.clear();
  const auto want = split(pattern.substr(1), '/');
  if (path.empty() || path.front() != '/') return Match::no;
  const auto have = split(path.substr(1), '/');
  if (want.size() != have.size()) return Match::no;
  bool bad = false;
  for (size_t i = 0; i < want.size(); ++i) {
    if (want[i].starts_with("{")) {
      auto decoded = percent_decode(have[i]);
      if (!decoded || decoded->empty()) return Match::no;
      if (want[i] == "{id}" && !parse_int(*decoded)) bad = true;
      parameters.push_back(std::move(*decoded));
    } else if (want[i] != have[i]) {
      return Match::no;
    }
  }
  return bad ? Match::bad_id : Match::yes;
}

bool is_json_type(std::string_view content_type) {
  const auto type = trim(content_type.substr(0, content_type.find(';')));
  return iequals(type, "application/json") ||
         (type.size() > 5 && iequals(type.substr(type.size() - 5), "+json"));
}

// What was asked: the members' names, and the values that can be no secret.
std::string members_of(const json::Value& body) {
  constexpr size_t kMost = 64;  // members; a request has far fewer
  constexpr size_t kLongestNumber = 32;
  const auto plain = [](const json::Value& value) {
    return value.is_null() || value.is_bool() ||
           (value.is_number() && value.number_text().size() <= kLongestNumber);
  };
  const auto members = body.members().first(std::min(body.members().size(), kMost));
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.key("members");
  w.begin_array();
  for (const auto& member : members) w.string(member.key);
  w.end_array();
  w.key("values");
  w.begin_object();
  for (const auto& member : members) {
    if (!plain(member.value)) continue;
    w.key(member.key);
    w.value(member.value);
  }
  w.end_object();
  w.end_object();
  return out;
}

// Puts the audit log between a handler and its caller. What changes the database has its row with
// the change; the rest (what is refused, what changes no row of the database) gets it here.
void with_audit(const Route& route, Context& context) {
  if (route.method == "GET") return;
  auto note = std::make_shared<AuditNote>();
  note->row.actor = "admin";
  note->row.client = context.request.client;
  note->row.action = std::string(route.method) + " " + std::string(route.pattern);
  note->row.target = context.request.path;
  note->row.detail_json = members_of(context.body);
  context.note = note;
  context.respond = [&plane = context.plane, note, reveals = route.audit == Audit::reveals,
                     respond = std::move(context.respond)](Response response) {
    if (note->stored && response.status < 400) return respond(std::move(response));
    // What the database could not do it cannot tell either.
    if (response.status == 503) {
      log::warn("an admin call has failed, no audit row",
                {{"action", note->row.action}, {"target", note->row.target}});
      return respond(std::move(response));
    }
    auto row = std::make_shared<storage::AuditRow>(note->row);
    row->at = plane.clock().wall_us();
    row->status = response.status;
    if (response.status >= 400) {
      Arena arena;
      const auto body = json::parse(response.body, arena);
      if (body.ok()) row->error_code = (*body)["error"].str();
    }
    auto held = std::make_shared<Response>(std::move(response));
    plane.work(
        [row](storage::Store& store) -> Result<std::string> {
          GP_CHECK(store.append_audit(*row));
          return std::string();
        },
        [respond, held, reveals](Result<std::string> written) {
          if (written.ok()) return respond(std::move(*held));
          log::error("audit row not written", written.error());
          // A change that is done is told as done; a secret is not shown unseen.
          respond(reveals ? error_response(written.error()) : std::move(*held));
        });
  };
}

}  // namespace

std::span<const Route> routes() {
  return kRoutes;
}

bool is_route(std::string_view path) {
  std::vector<std::string> parameters;
  return std::any_of(std::begin(kRoutes), std::end(kRoutes), [&](const Route& route) {
    return match(route.pattern, path, parameters) != Match::no;
  });
}

int64_t Context::id(size_t index) const {
  return parse_int(parameters[index]).value_or(-1);
}

ControlPlane::Work Context::audited(ControlPlane::Work work) const {
  if (note == nullptr) return work;
  return [note = note, &clock = plane.clock(),
          work = std::move(work)](storage::Store& store) -> Result<std::string> {
    std::string answer;
    if (work) {
      GP_TRY(answer, work(store));
    }
    storage::AuditRow row = note->row;
    row.at = clock.wall_us();
    GP_CHECK(store.append_audit(row));
    note->stored = true;
    return answer;
  };
}

void Context::change(ControlPlane::Check check, ControlPlane::Work work, ControlPlane::Done done) {
  plane.change(std::move(check), audited(std::move(work)), std::move(done));
}
void Context::change_settings(Edit edit, ControlPlane::Done done) {
  change_settings(std::move(edit), {}, std::move(done));
}
void Context::change_settings(Edit edit, ControlPlane::Work work, ControlPlane::Done done) {
  plane.change_settings(std::move(edit), audited(std::move(work)), std::move(done));
}
void Context::work(ControlPlane::Work work, ControlPlane::Done done) {
  plane.work(audited(std::move(work)), std::move(done));
}
void Context::query(ControlPlane::Query query) {
  plane.query(std::move(query), [c = shared_from_this()](Result<std::string> result) {
    answer(c, std::move(result));
  });
}

void answer(const ContextPtr& c, Result<std::string> result) {
  c->respond(result.ok() ? json_response(std::move(*result)) : error_response(result.error()));
}

Response json_response(std::string body, int status) {
  return Response{status, std::move(body)};
}
Response ok_response() {
  return Response{200, R"({"ok":true})"};
}

Response error_response(const Error& error) {
  Response r;
  r.status = error.http();
  json::Writer w(r.body);
  w.begin_object();
  w.field("error", error.code);
  w.key("detail");
  if (error.message.empty() && error.param.empty()) {
    w.null();
  } else {
    w.string(error.param.empty() ? error.message : error.param + ": " + error.message);
  }
  w.end_object();
  return r;
}

void dispatch(ControlPlane& plane, Request request, Respond respond) {
  const Route* found = nullptr;
  std::string allowed;
  std::vector<std::string> parameters;
  Match how = Match::no;
  for (const auto& route : kRoutes) {
    std::vector<std::string> p;
    const Match m = match(route.pattern, request.path, p);
    if (m == Match::no) continue;
    if (route.method == request.method) {
      found = &route;
      parameters = std::move(p);
      how = m;
      break;
    }
    allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
  }
  if (found == nullptr) {
    if (!allowed.empty()) {
      auto response = error_response(
          Error{ErrorKind::invalid, "method_not_allowed", "allowed here: " + allowed, {}, 405});
      response.allow = std::move(allowed);
      respond(std::move(response));
    } else {
      respond(error_response(Error{ErrorKind::not_found, "not_found", "no such admin route"}));
    }
    return;
  }
  if (how == Match::bad_id) {
    respond(error_response(
        Error{ErrorKind::invalid, "invalid_id", "the id in the path must be an integer"}));
    return;
  }
  auto context = std::make_shared<Context>(plane);
  context->request = std::move(request);
  context->parameters = std::move(parameters);
  context->respond = std::move(respond);
  if (found->body == Body::object) {
    const Request& r = context->request;
    if (!r.content_type.empty() && !is_json_type(r.content_type)) {
      context->respond(error_response(Error{ErrorKind::invalid,
                                            "unsupported_media_type",
                                            "content-type must be application/json",
                                            {},
                                            415}));
      return;
    }
    auto body = json::parse(r.body.empty() ? std::string_view("{}") : std::string_view(r.body),
                            *context->arena, json::Limits{64, size_t{4} << 20});
    if (!body.ok()) {
      context->respond(error_response(body.error()));
      return;
    }
    if (!body->is_object()) {
      context->respond(error_response(invalid_error("the body must be a JSON object")));
      return;
    }
    context->body = *body;
  }
  with_audit(*found, *context);
  found->handler(std::move(context));
}

Result<std::string> need_string(const json::Value& body, std::string_view key) {
  const auto* v = body.find(key);
  if (v == nullptr) return invalid_error("is required", std::string(key));
  if (!v->is_string()) return invalid_error("must be a string", std::string(key));
  return std::string(v->str());
}
Result<bool> need_bool(const json::Value& body, std::string_view key) {
  const auto* v = body.find(key);
  if (v == nullptr) return invalid_error("is required", std::string(key));
  if (!v->is_bool()) return invalid_error("must be true or false", std::string(key));
  return v->as_bool();
}
Result<std::optional<std::string>> opt_string(const json::Value& body, std::string_view key) {
  const auto* v = body.find(key);
  if (v == nullptr || v->is_null()) return std::optional<std::string>();
  if (!v->is_string()) return invalid_error("must be a string", std::string(key));
  return std::optional<std::string>(v->str());
}
Result<std::optional<bool>> opt_bool(const json::Value& body, std::string_view key) {
  const auto* v = body.find(key);
  if (v == nullptr || v->is_null()) return std::optional<bool>();
  if (!v->is_bool()) return invalid_error("must be true or false", std::string(key));
  return std::optional<bool>(v->as_bool());
}

std::optional<std::string> query_parameter(std::string_view query, std::string_view name) {
  for (auto part : split(query, '&')) {
    const size_t eq = part.find('=');
    if (eq == std::string_view::npos || part.substr(0, eq) != name) continue;
    auto value = percent_decode(part.substr(eq + 1), true);
    if (!value) continue;
    if (const auto text = trim(*value); !text.empty()) return std::string(text);
  }
  return std::nullopt;
}

Result<void> only_members(const json::Value& body, std::initializer_list<std::string_view> known) {
  return only_members(body, std::vector<std::string_view>(known));
}

Result<void> only_members(const json::Value& body, const std::vector<std::string_view>& names) {
  for (const auto& member : body.members()) {
    bool found = false;
    for (auto name : names) found = found || name == member.key;
    if (found) continue;
    const auto near = nearest(member.key, names);
    return invalid_error(
        "unknown member" +
            (near.empty() ? std::string() : ", did you mean " + std::string(near) + "?"),
        std::string(member.key));
  }
  return ok();
}

Result<void> check_origin(config::Origin origin, std::string_view what) {
  switch (origin) {
    case config::Origin::db:
      return ok();
    case config::Origin::file:
      return Error{
          ErrorKind::conflict, "managed_by_file",
          "is declared in the configuration file: change it there, an edit here would be lost",
          std::string(what)};
    case config::Origin::env:
      return Error{
          ErrorKind::conflict, "managed_by_env",
          "is declared by an environment variable: change it there, an edit here would be lost",
          std::string(what)};
    case config::Origin::cli:
      return Error{ErrorKind::conflict, "managed_by_cli",
                   "is declared on the command line: change it there, an edit here would be lost",
                   std::string(what)};
  }
  return ok();
}

}  // namespace gproxy::admin
