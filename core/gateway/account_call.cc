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

}  // namespace

void AccountCall::reply(int status, std::string json) const {
  call->reply(status, {{"content-type", "application/json"}, {"cache-control", "no-store"}},
              std::move(json));
}

void AccountCall::fail(const Error& error) const {
  auto answer = make_local_reply(kind, translate::Protocol::none, error, {});
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
