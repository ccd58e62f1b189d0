// Requests as api.openai.com wants them.
#include "openai.h"

#include "common/responses.h"

namespace gproxy_openai {
namespace {

struct Target {
  std::string_view method = "POST", path, query;
};

gp::Status target_of(const gp::Request& request, gp::Upstream& up, Target& out) {
  const gp::Arena& arena = request.arena();
  if (request.protocol() == GP_PROTOCOL_OPENAI_CHAT) {
    out.path = "/v1/chat/completions";
    return gp::ok();
  }
  if (request.protocol() == GP_PROTOCOL_OPENAI_RESPONSE) {
    out.path = "/v1/responses";
    return gp::ok();
  }
  if (request.protocol() != GP_PROTOCOL_OPENAI)
    return gp::unsupported("the openai kind does not offer this operation");
  if (request.operation() == GP_OP_MODEL_LIST) {
    out = {"GET", "/v1/models", {}};
    return gp::ok();
  }
  if (request.operation() == GP_OP_MODEL_GET) {
    if (!gp::usable_segment(request.model()))
      return gp::invalid("the id cannot stand in a path", "model");
    out = {"GET", arena.concat({"/v1/models/", gp::encode_segment(arena, request.model())}), {}};
    return gp::ok();
  }
  gproxy_common::ResponsesCall call;
  const gp::Status status = gproxy_common::responses_call(request, up, call);
  if (status.ok()) out = {call.method, arena.concat({"/v1", call.path}), call.query};
  return status;
}

}  // namespace

gp::Status Provider::prepare(const gp::Request& request, gp::Upstream& up) const {
  Target target;
  if (const auto status = target_of(request, up, target); !status.ok()) return status;
  up.method(target.method);
  up.url(gp::join_url(request.arena(), base_url_, target.path, target.query));
  up.forward(kKind);
  up.header("authorization", request.credential<Credential>().bearer);

  up.sync_model();
  if (request.streams()) {
    up.flag(GP_UPSTREAM_STREAM);
    if (request.protocol() == GP_PROTOCOL_OPENAI_CHAT) up.ask_for_usage();
  }
  return gp::ok();
}

}  // namespace gproxy_openai
