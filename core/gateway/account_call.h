// What the login and quota routes share: who asks, of which provider, and answers in the routes'
// shape
// {"error","detail"}. On the call's loop.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "gateway/http_handler.h"
#include "gateway/worker_context.h"

namespace gproxy::gateway {

// A request that may outlive its client: what is needed of it is copied.
struct AccountCall {
  std::shared_ptr<HttpCall> call;
  RouteKind kind = RouteKind::usage;
  config::LoopSnapshotPtr snapshot;
  const config::ProviderEntry* provider = nullptr;  // the snapshot's
  int64_t user_id = 0;                              // the administrator is user 0
  int64_t user_key_id = storage::kNoId;
  bool by_state = false;  // a browser without a key, after the vendor's page; user_id is kNoId
  std::string query;
  std::string trace_id;  // as the log knows the request
  // Without authentication, cookies and hop-by-hop fields; the views are into `text`.
  std::vector<http::HeaderView> headers;
  std::vector<std::string> text;

  // As JSON; a browser that asks for a page is told in words instead.
  void reply(int status, std::string json) const;
  void fail(const Error& error) const;
};
using AccountCallPtr = std::shared_ptr<const AccountCall>;

// Checks the key's permission and the provider; answers a refusal itself and gives null then.
AccountCallPtr open_account_call(std::shared_ptr<HttpCall> call);

// {"error": …, "detail": …} of a step that failed.
std::string failure_json(std::string_view code, std::string_view message);

}  // namespace gproxy::gateway
