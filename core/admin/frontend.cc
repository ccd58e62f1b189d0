#include "admin/frontend.h"

#include "admin/api.h"
#include "admin/logs.h"
#include "base/base64.h"
#include "base/strings.h"

namespace gproxy::admin {
namespace {

using Fields = gateway::HttpCall::Fields;

// The answers are data for programs, never pages.
Fields json_fields() {
  return {{"content-type", "application/json"},
          {"cache-control", "no-store"},
          {"x-content-type-options", "nosniff"}};
}

std::string query_value(std::string_view query, std::string_view name) {
  for (auto part : split(query, '&')) {
    const size_t eq = part.find('=');
    if (eq == std::string_view::npos || part.substr(0, eq) != name) continue;
    return percent_decode(part.substr(eq + 1), true).value_or("");
  }
  return {};
}

// First non-empty of x-admin-key, Authorization: Bearer, query admin_key (reference core 7).
std::string admin_key_of(const gateway::HttpCall::Request& request) {
  const auto header = trim(http::find(request.headers, "x-admin-key"));
  if (!header.empty()) return std::string(header);
  const auto bearer = trim(http::find(request.headers, "authorization"));
  if (bearer.size() > 7 && iequals(bearer.substr(0, 7), "bearer ")) {
    const auto key = trim(bearer.substr(7));
    if (!key.empty()) return std::string(key);
  }
  return std::string(trim(query_value(request.query, "admin_key")));
}

constexpr std::string_view kIndex =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>gproxy</title>"
    "<h1>gproxy</h1><p>The gateway is running. Its admin API is under <code>/admin</code>, "
    "its routes are described in <code>docs/routes.md</code>.</p></html>\n";

void serve_page(gateway::HttpCall& call) {
  if (call.request().path == "/" || call.request().path.empty()) {
    call.reply(200,
               {{"content-type", "text/html; charset=utf-8"},
                {"content-security-policy", "default-src 'none'"},
                {"x-content-type-options", "nosniff"}},
               std::string(kIndex));
  } else {
    call.reply(404, {{"content-type", "text/plain; charset=utf-8"}}, "not found");
  }
}

}  // namespace

void Frontend::handle(std::shared_ptr<gateway::HttpCall> call) {
  const auto& in = call->request();
  if (in.kind == gateway::RouteKind::ui) return serve_page(*call);
  const auto path = in.path.substr(std::string_view("/admin").size());
  if (!is_route(path)) {
    const auto response =
        error_response(Error{ErrorKind::not_found, "not_found", "no such admin route"});
    return call->reply(response.status, json_fields(), response.body);
  }
  const Secret given(admin_key_of(in));
  const Secret& want = in.snapshot.get() != nullptr ? (*in.snapshot)->settings().admin_key : given;
  if (given.empty() || want.empty() || !want.equals(given.reveal())) {
    return call->reply(401, {{"cache-control", "no-store"}}, "");
  }
  if (in.path == "/admin/logs/tail" && in.method == "GET") {
    auto filter = log_filter(Parameters(in.query));
    if (filter.ok()) return tail_.subscribe(std::move(call), std::move(*filter));
    const auto response = error_response(filter.error());
    return call->reply(response.status, json_fields(), response.body);
  }
  Request request;
  request.method = std::string(in.method == "HEAD" ? std::string_view("GET") : in.method);
  request.path = std::string(path);
  request.query = std::string(in.query);
  request.content_type = std::string(http::find(in.headers, "content-type"));
  request.body = std::string(in.body);
  request.client = in.peer;
  net::Loop& loop = call->loop();
  // The answer is posted to the call's own loop, where alone it may be touched.
  auto respond = [call, &loop](Response response) {
    loop.post([call, response = std::move(response)]() mutable {
      if (!call->alive()) return;
      auto fields = json_fields();
      if (!response.allow.empty()) fields.emplace_back("allow", std::move(response.allow));
      call->reply(response.status, std::move(fields), std::move(response.body));
    });
  };
  post_main_([this, request = std::move(request), respond = std::move(respond)]() mutable {
    dispatch(plane_, std::move(request), std::move(respond));
  });
}

}  // namespace gproxy::admin
