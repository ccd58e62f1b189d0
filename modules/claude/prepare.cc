// Requests as api.anthropic.com wants them.
#include "claude.h"

namespace gproxy_claude {
namespace {

constexpr std::string_view kVersion = "2023-06-01";  // what a client that does not say means

}  // namespace

gp::Status Provider::prepare(const gp::Request& request, gp::Upstream& up) const {
  const gp::Arena& arena = request.arena();
  const Credential& credential = request.credential<Credential>();
  std::string_view path, query;

  if (request.protocol() == GP_PROTOCOL_OPENAI_CHAT) {
    // The vendor's own OpenAI-compatible endpoint.
    up.method("POST");
    up.url(gp::join_url(arena, base_url_, "/v1/chat/completions"));
    up.forward(kKind);
    up.header("authorization", credential.bearer);
    up.sync_model();
    if (request.streams()) {
      up.flag(GP_UPSTREAM_STREAM);
      up.ask_for_usage();
    }
    return gp::ok();
  }
  if (request.protocol() != GP_PROTOCOL_CLAUDE)
    return gp::unsupported("the claude kind speaks Messages and chat");

  switch (request.operation()) {
    case GP_OP_GENERATE:
    case GP_OP_STREAM_GENERATE:
      path = "/v1/messages";
      query = gp::pick_query(arena, request.query(), {"beta"});
      break;
    case GP_OP_COUNT_TOKENS:
      path = "/v1/messages/count_tokens";
      query = gp::pick_query(arena, request.query(), {"beta"});
      break;
    case GP_OP_MODEL_LIST:
      path = "/v1/models";
      query = gp::pick_query(arena, request.query(),
                             {"after_id", "before_id", "limit", "lifecycle", "beta"});
      break;
    case GP_OP_MODEL_GET:
      if (!gp::usable_segment(request.model()))
        return gp::invalid("the id cannot stand in a path", "model");
      path = arena.concat({"/v1/models/", gp::encode_segment(arena, request.model())});
      query = gp::pick_query(arena, request.query(), {"beta"});
      break;
    default:
      return gp::unsupported("the claude kind does not offer this operation");
  }
  up.method(request.operation() == GP_OP_MODEL_LIST || request.operation() == GP_OP_MODEL_GET
                ? "GET"
                : "POST");
  up.url(gp::join_url(arena, base_url_, path, query));
  up.forward(kKind);
  if (!up.has_header("anthropic-version")) up.header("anthropic-version", kVersion);
  up.header("x-api-key", credential.key);
  up.sync_model();
  if (request.streams()) up.flag(GP_UPSTREAM_STREAM);
  return gp::ok();
}

}  // namespace gproxy_claude
