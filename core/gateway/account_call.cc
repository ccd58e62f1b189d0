#include "gateway/account_call.h"

#include <utility>

#include "base/arena.h"
#include "base/json.h"
#include "base/strings.h"
#include "gateway/auth.h"
#include "gateway/local_reply.h"

namespace gproxy::gateway {
namespace {

Error not_permitted(std::string_view permission) {
  return Error{ErrorKind::permission, "permission_denied",
               "this key does not have the permission \"" + std::string(permission) + "\""};
}

bool wants_page(std::span<const http::HeaderView> headers) {
  return http::find(headers, "accept").find("text/html") != std::string_view::npos;
}

HttpCall::Fields page_headers() {
  return {{"content-type", "text/html; charset=utf-8"},
          {"cache-control", "no-store"},
          {"content-security-policy", "default-src 'none'; frame-ancestors 'none'"},
          {"referrer-policy", "no-referrer"},
          {"x-content-type-options", "nosniff"}};
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// What the person sees who comes back from the vendor's page.
std::string login_page(int status, std::string_view json) {
  std::string words = "The account is logged in. This window can be closed.";
  if (status >= 300) {
    words = "The login has failed";
    Arena arena;
    if (const auto parsed = json::parse(json, arena); parsed.ok()) {
      for (const auto member : {"error", "detail"}) {
        const auto& said = (*parsed)[member];
        if (said.is_string()) words.append(": ").append(said.str());
      }
    }
    words += ".";
  } else if (status != 200) {
    words = "The login is not complete yet.";
  }
  return "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>gproxy</title><p>" +
         escaped(words) + "</p></html>\n";
}

}  // namespace

void AccountCall::reply(int status, std::string json) const {
  if (!call->alive()) return;
  if (by_state && wants_page(call->request().headers)) {
    call->reply(status, page_headers(), login_page(status, json));
    return;
  }
  call->reply(status, {{"content-type", "application/json"}, {"cache-control", "no-store"}},
              std::move(json));
}

void AccountCall::fail(const Error& error) const {
  if (!call->alive()) return;
  auto answer = make_local_reply(kind, translate::Protocol::none, error, {});
  if (by_state && wants_page(call->request().headers)) {
    call->reply(answer.status, page_headers(), login_page(answer.status, answer.body));
    return;
  }
  HttpCall::Fields fields{{"content-type", "application/json"},
                          {"cache-control", "no-store"},
                          {"x-gproxy-error", std::string(answer.code)}};
  if (answer.retry_after_s > 0)
    fields.emplace_back("retry-after", std::to_string(answer.retry_after_s));
  call->reply(answer.status, std::move(fields), std::move(answer.body));
}

AccountCallPtr open_account_call(std::shared_ptr<HttpCall> call) {
  const auto& in = call->request();
  auto out = std::make_shared<AccountCall>();
  out->call = call;
  out->kind = in.kind;
  out->snapshot = in.snapshot;
  out->query = in.query;
  out->by_state = in.by_state;
  out->trace_id = in.trace_id;
  if (in.by_state) out->user_id = storage::kNoId;
  if (in.user_key != nullptr) {
    out->user_id = in.user_key->user_id;
    out->user_key_id = in.user_key->id;
    const auto& may = in.user_key->permissions;
    const bool quota = in.kind == RouteKind::usage;
    if (quota ? !may.quota : !may.oauth) {
      out->fail(not_permitted(quota ? "quota" : "oauth"));
      return nullptr;
    }
  }
  out->provider = (*in.snapshot)->find_provider(in.provider);
  if (out->provider == nullptr) {
    out->fail(provider_not_found(in.provider));
    return nullptr;
  }
  if (!out->provider->enabled) {
    out->fail(provider_disabled(in.provider));
    return nullptr;
  }
  if (out->provider->provider == nullptr) {
    out->fail(provider_unavailable(in.provider));
    return nullptr;
  }
  Arena arena;
  const auto headers = without_private(in.headers, arena);
  out->text.reserve(headers.size() * 2);  // the views must not move
  for (const auto& header : headers) {
    if (iequals(header.name, "x-admin-key")) continue;
    const std::string_view name = out->text.emplace_back(header.name);
    const std::string_view value = out->text.emplace_back(header.value);
    out->headers.push_back({name, value});
  }
  return out;
}

std::string failure_json(std::string_view code, std::string_view message) {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.field("error", code);
  w.key("detail");
  message.empty() ? w.null() : w.string(message);
  w.end_object();
  return out;
}

}  // namespace gproxy::gateway
