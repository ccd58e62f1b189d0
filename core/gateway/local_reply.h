// Answers that gproxy writes itself: its refusals and failures, in the client's protocol. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "gateway/route_table.h"
#include "translate/protocol.h"

namespace gproxy::gateway {

struct LocalReply {
  int status = 200;
  std::string_view content_type;  // static; empty without a body
  std::string body;
  std::string_view code;      // value of x-gproxy-error; empty: no such header
  std::string_view allow;     // value of Allow, of the match
  int64_t retry_after_s = 0;  // 0 = no header
};

// `error` for a client of `protocol` on a route of `kind`: LLM routes get the protocol's own body;
// /admin, /{provider}/oauth and /{provider}/usage get {"error","detail"}; others no body at all.
LocalReply make_local_reply(RouteKind kind, translate::Protocol protocol, const Error& error,
                            std::string_view request_id);

// gproxy's refusals, with the reference's codes.
Error unauthorized();
Error unknown_path(std::string_view method, std::string_view path);
Error unsupported_operation(std::string_view provider);
Error method_not_allowed(std::string_view method);
Error provider_not_found(std::string_view name);
Error provider_disabled(std::string_view name);
Error provider_not_allowed(std::string_view name);
Error model_not_allowed(std::string_view model);
Error provider_unavailable(std::string_view name);  // its module is away or refuses its settings
Error no_active_credentials(std::string_view provider, int64_t retry_after_ms);
Error missing_provider_prefix();
Error bad_gemini_action();
Error unsupported_content_encoding();
Error overloaded_error(std::string_view why, int64_t retry_after_ms);
Error stream_interrupted();
Error shutting_down();

}  // namespace gproxy::gateway
