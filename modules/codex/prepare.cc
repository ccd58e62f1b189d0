// Requests as the Codex backend wants them.
#include "codex.h"
#include "common/members.h"
#include "common/responses.h"
#include "gproxy/json_splice.hpp"

namespace gproxy_codex {
namespace {

// "hi" -> one message of the person's; everything else as it came.
void wrap_input(const gp::Request& request, gp::BodyEdit& edit) {
  const gp_span* input = request.span(GP_FIELD_INPUT);
  if (input == nullptr || gp::Request::type(*input) != GP_JSON_STRING) return;
  edit.replace(input->at, 0,
               R"([{"type":"message","role":"user","content":[{"type":"input_text","text":)");
  edit.replace(input->at + input->len, 0, "}]}]");
}

}  // namespace

gp::Status Provider::prepare(const gp::Request& request, gp::Upstream& up,
                             std::unique_ptr<Call>& call) const {
  const gp::Arena& arena = request.arena();
  const Credential& account = request.credential<Credential>();
  gproxy_common::ResponsesCall target{"POST", "/responses", {}};
  const bool models =
      request.operation() == GP_OP_MODEL_LIST || request.operation() == GP_OP_MODEL_GET;
  if (models) {
    target = {"GET", "/models",
              arena.concat({"client_version=", gp::encode_query(arena, client_version_)})};
    call = std::make_unique<Call>();
    if (request.operation() == GP_OP_MODEL_GET)
      call->wanted = gproxy_common::plain_model_id(request.model());
    call->json = request.json().ext();
    up.flag(GP_UPSTREAM_BUFFER);
  } else if (request.protocol() == GP_PROTOCOL_OPENAI) {
    if (const auto status = gproxy_common::responses_call(request, up, target); !status.ok())
      return status;
  } else if (!request.streams()) {
    return gp::unsupported("the codex kind streams only");
  }

  up.method(target.method);
  up.url(
      arena.concat({endpoints_.api, target.path, target.query.empty() ? "" : "?", target.query}));
  if (!user_agent_.empty()) up.header("user-agent", user_agent_);
  if (request.streams()) up.header("accept", "text/event-stream");
  up.forward(kKind);
  up.header("originator", originator_);
  up.header("authorization", account.bearer);
  up.header("chatgpt-account-id", account.account_id);

  up.sync_model();
  if (request.span(GP_FIELD_ROOT) == nullptr) return gp::ok();
  gproxy_common::MemberEdits edits;
  if (request.streams()) {
    up.flag(GP_UPSTREAM_STREAM);
    for (const std::string& name : dropped_) edits.drop(name);
    edits.set("store", "false");
    edits.set_missing("instructions", R"("")");
    wrap_input(request, up.edit());
  } else if (request.operation() == GP_OP_RESPONSE_COMPACT) {
    edits.set_missing("instructions", R"("")");
  }
  edits.apply(request, up.edit());
  return gp::ok();
}

}  // namespace gproxy_codex
