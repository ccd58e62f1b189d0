// The admin API: every route with its handler. Requests come from the loops (frontend.h), handlers
// run on the main thread, answers go back to the loop that asked; none of them waits for the store.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "admin/control_plane.h"
#include "base/arena.h"
#include "base/json.h"
#include "base/result.h"

namespace gproxy::admin {

struct Request {
  std::string method;
  std::string path;  // without "/admin" and query
  std::string query;
  std::string content_type;
  std::string body;
  std::string client;  // address, for the audit log
};

using Respond = std::function<void(Response)>;

// A call's row of the audit log.
struct AuditNote {
  storage::AuditRow row;
  bool stored = false;  // with the change itself
};

// What a handler gets: the request, its path parameters decoded, its parsed body.
struct Context : std::enable_shared_from_this<Context> {
  explicit Context(ControlPlane& p) : plane(p) {}

  ControlPlane& plane;
  Request request;
  std::vector<std::string> parameters;                       // of the route's {placeholders}
  std::shared_ptr<Arena> arena = std::make_shared<Arena>();  // of `body`
  json::Value body;                                          // null when there was none
  Respond respond;
  std::shared_ptr<AuditNote> note;  // null: nothing is audited

  int64_t id(size_t index) const;  // of a parameter that the route table checked

  // As the control plane's, with the call's audit row in the transaction of what it records.
  void change(ControlPlane::Check check, ControlPlane::Work work, ControlPlane::Done done);
  using Edit = std::function<Result<void>(config::Settings&)>;
  void change_settings(Edit edit, ControlPlane::Done done);
  void change_settings(Edit edit, ControlPlane::Work work, ControlPlane::Done done);
  void work(ControlPlane::Work work, ControlPlane::Done done);
  // The call is answered with what the reader makes of it.
  void query(ControlPlane::Query query);

 private:
  ControlPlane::Work audited(ControlPlane::Work work) const;
};
using ContextPtr = std::shared_ptr<Context>;
using Handler = void (*)(ContextPtr context);

enum class Body : uint8_t { none, object };
// When a call is written into the audit log: what changes something (anything but GET) in the
// transaction of the change, or once it is done or refused where there is none; what reveals a
// secret before it is answered, and it is not without its row.
enum class Audit : uint8_t { changes, reveals };

struct Route {
  std::string_view method;
  std::string_view pattern;  // "/providers/{name}/credentials"; {id} must be an integer
  Body body;
  Handler handler;
  std::string_view help;
  Audit audit = Audit::changes;
};
// All of them; docs/routes.md is made from this table.
std::span<const Route> routes();
// Does any of them have this path (without "/admin")?
bool is_route(std::string_view path);

// All of them as OpenAPI 3.1.
std::string openapi_json();

// Finds the route, checks parameters and body, runs the handler. [main]
void dispatch(ControlPlane& plane, Request request, Respond respond);

// {"error": code, "detail": …} with the error's status.
Response error_response(const Error& error);
Response ok_response();  // {"ok":true}
Response json_response(std::string body, int status = 200);
// Answers with the JSON or with the error.
void answer(const ContextPtr& c, Result<std::string> result);

// Reading bodies: a member of the wrong type, or a required one that is missing, is an Error with
// its path. Absent optional members give nothing.
Result<std::string> need_string(const json::Value& body, std::string_view key);
Result<bool> need_bool(const json::Value& body, std::string_view key);
Result<std::optional<std::string>> opt_string(const json::Value& body, std::string_view key);
Result<std::optional<bool>> opt_bool(const json::Value& body, std::string_view key);
// Members that no field of this request has, with a did-you-mean.
Result<void> only_members(const json::Value& body, std::initializer_list<std::string_view> known);
Result<void> only_members(const json::Value& body, const std::vector<std::string_view>& known);
// A parameter of the query, decoded and trimmed; nothing when it is absent or blank.
std::optional<std::string> query_parameter(std::string_view query, std::string_view name);

// 409 managed_by_<origin> when a row or setting is declared elsewhere.
Result<void> check_origin(config::Origin origin, std::string_view what);

// The handlers, one file per resource.
void get_health(ContextPtr c);
void get_global_config(ContextPtr c);
void put_global_config(ContextPtr c);
void list_providers(ContextPtr c);
void get_provider(ContextPtr c);
void put_provider(ContextPtr c);
void delete_provider(ContextPtr c);
void list_routes(ContextPtr c);
void get_route(ContextPtr c);
void put_route(ContextPtr c);
void delete_route(ContextPtr c);
void list_provider_credentials(ContextPtr c);
void post_credential(ContextPtr c);
void list_credentials(ContextPtr c);
void put_credential(ContextPtr c);
void put_credential_enabled(ContextPtr c);
void clear_cooldown(ContextPtr c);
void delete_credential(ContextPtr c);
void list_users(ContextPtr c);
void put_user(ContextPtr c);
void put_user_enabled(ContextPtr c);
void delete_user(ContextPtr c);
void list_user_keys(ContextPtr c);
void post_user_key(ContextPtr c);
void put_user_key(ContextPtr c);
void put_user_key_enabled(ContextPtr c);
void delete_user_key(ContextPtr c);
void rotate_user_key(ContextPtr c);
void reveal_user_key(ContextPtr c);
void reveal_credential(ContextPtr c);
void import_credentials(ContextPtr c);
void refresh_credential(ContextPtr c);
void test_credential(ContextPtr c);
void post_export(ContextPtr c);
void post_import(ContextPtr c);
void reveal_global_config(ContextPtr c);
void list_audit(ContextPtr c);
void get_rekey(ContextPtr c);
void post_rekey(ContextPtr c);
void get_openapi(ContextPtr c);
void list_modules(ContextPtr c);
void reload_modules(ContextPtr c);
void self_update(ContextPtr c);

void usage_of_provider(ContextPtr c);
void usage_of_provider_model(ContextPtr c);
void usage_of_credential(ContextPtr c);
void usage_of_credential_model(ContextPtr c);
void usage_aggregate(ContextPtr c);
void list_usage(ContextPtr c);
void list_logs(ContextPtr c);
void tail_logs(ContextPtr c);
void get_why(ContextPtr c);

}  // namespace gproxy::admin
