// Requests as integrate.api.nvidia.com wants them.
#include "common/problem.h"
#include "nvidia.h"

namespace gproxy_nvidia {

gp::Status Provider::prepare(const gp::Request& request, gp::Upstream& up) const {
  const gp::Arena& arena = request.arena();
  up.method("POST");
  std::string_view path = "/chat/completions";
  if (request.operation() == GP_OP_MODEL_LIST) {
    up.method("GET");
    path = "/models";
  } else if (request.operation() == GP_OP_MODEL_GET) {
    // Ids are "publisher/name", and the slash is the path's own there.
    const std::string_view id = gproxy_common::path_of_id(arena, request.model());
    if (id.empty()) return gp::invalid("the id cannot stand in a path", "model");
    up.method("GET");
    path = arena.concat({"/models/", id});
  } else if (request.protocol() != GP_PROTOCOL_OPENAI_CHAT) {
    return gp::unsupported("the nvidia kind speaks Chat Completions");
  }
  up.url(arena.concat({base_url_, path}));
  up.forward(kKind);
  up.header("authorization", request.credential<Credential>().bearer);
  up.sync_model();
  if (request.streams()) {
    up.flag(GP_UPSTREAM_STREAM);
    up.ask_for_usage();
  }
  return gp::ok();
}

}  // namespace gproxy_nvidia
