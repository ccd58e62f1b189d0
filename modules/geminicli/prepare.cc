// Requests in Code Assist's envelope.
#include "common/google/errors.h"
#include "common/google/gemini.h"
#include "geminicli.h"

namespace gproxy_geminicli {

using namespace gproxy_google;

gp::Status Provider::prepare(const gp::Request& request, gp::Upstream& up,
                             std::unique_ptr<Call>& call) const {
  const gp::Arena& arena = request.arena();
  if (request.protocol() != GP_PROTOCOL_GEMINI || action_of(request.operation()).empty())
    return gp::unsupported("the geminicli kind generates and counts in Gemini only");
  const std::string_view model = bare_model(request.model());
  if (model.empty()) return gp::invalid("the model is missing", "model");

  if (request.operation() == GP_OP_COUNT_TOKENS) {
    if (auto status = begin(request, up, kKind, "/v1internal:countTokens"); !status.ok())
      return status;
    up.body(arena.concat({R"({"request":{"model":)",
                          gp::json_quote(arena, arena.concat({"models/", model})),
                          R"(,"contents":)", counted_contents(request), "}}"}));
    up.flag(GP_UPSTREAM_BUFFER);
    call = std::make_unique<Call>(request.json().ext(), Framing::events, Repair::none);
    return gp::ok();
  }
  const auto status = begin(request, up, kKind,
                            request.streams() ? "/v1internal:streamGenerateContent?alt=sse"
                                              : "/v1internal:generateContent");
  if (!status.ok()) return status;
  const Credential& account = request.credential<Credential>();
  wrap_request(request, up,
               arena.concat({R"({"model":)", gp::json_quote(arena, model), R"(,"project":)",
                             gp::json_quote(arena, account.project), R"(,"user_prompt_id":)",
                             gp::json_quote(arena, gp::view(request.raw().request_id)), ","}));
  up.flag(request.streams() ? GP_UPSTREAM_STREAM : GP_UPSTREAM_BUFFER);
  call = std::make_unique<Call>(
      request.json().ext(), wants_events(request) ? Framing::events : Framing::array, Repair::none);
  return gp::ok();
}

gp::Status Provider::respond(const gp::Request& request, gp::Local& out,
                             std::unique_ptr<LocalCall>&) const {
  return models_.respond(request, out);
}

}  // namespace gproxy_geminicli
