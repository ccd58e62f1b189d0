// Requests as api.deepseek.com wants them.
#include "deepseek.h"

namespace gproxy_deepseek {

gp::Status Provider::prepare(const gp::Request& request, gp::Upstream& up) const {
  const gp::Arena& arena = request.arena();
  const Credential& credential = request.credential<Credential>();
  if (request.protocol() == GP_PROTOCOL_CLAUDE) {
    const std::string_view query = gp::pick_query(arena, request.query(), {"beta"});
    up.method("POST");
    up.url(arena.concat({claude_base_, "/messages", query.empty() ? "" : "?", query}));
    up.forward(kKind);
    if (!up.has_header("anthropic-version")) up.header("anthropic-version", "2023-06-01");
    up.header("x-api-key", credential.key);
  } else {
    std::string_view path = "/chat/completions";
    up.method("POST");
    if (request.protocol() == GP_PROTOCOL_OPENAI) {
      up.method("GET");
      path = "/models";
      if (request.operation() == GP_OP_MODEL_GET) {
        if (!gp::usable_segment(request.model()))
          return gp::invalid("the id cannot stand in a path", "model");
        path = arena.concat({"/models/", gp::encode_segment(arena, request.model())});
      }
    }
    up.url(arena.concat({chat_base_, path}));
    up.forward(kKind);
    up.header("authorization", credential.bearer);
  }
  up.sync_model();
  if (request.streams()) {
    up.flag(GP_UPSTREAM_STREAM);
    if (request.protocol() == GP_PROTOCOL_OPENAI_CHAT) up.ask_for_usage();
  }
  return gp::ok();
}

}  // namespace gproxy_deepseek
