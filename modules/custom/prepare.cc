// Requests in the protocol that the route says, at that protocol's usual paths.
#include "custom.h"

namespace gproxy_custom {
namespace {

std::string_view join_queries(const gp::Arena& arena, std::string_view one, std::string_view two) {
  if (one.empty()) return two;
  if (two.empty()) return one;
  return arena.concat({one, "&", two});
}

struct Target {
  const char* method = "POST";
  std::string_view path, query;
};

gp::Status claude_target(const gp::Request& request, Target& out) {
  const gp::Arena& arena = request.arena();
  switch (request.operation()) {
    case GP_OP_GENERATE:
    case GP_OP_STREAM_GENERATE:
      out = {"POST", "/v1/messages", gp::pick_query(arena, request.query(), {"beta"})};
      return gp::ok();
    case GP_OP_COUNT_TOKENS:
      out = {"POST", "/v1/messages/count_tokens", gp::pick_query(arena, request.query(), {"beta"})};
      return gp::ok();
    case GP_OP_MODEL_LIST:
      out = {"GET", "/v1/models",
             gp::pick_query(arena, request.query(), {"after_id", "before_id", "limit"})};
      return gp::ok();
    case GP_OP_MODEL_GET:
      out = {"GET", arena.concat({"/v1/models/", gp::encode_segment(arena, request.model())}), {}};
      return gp::ok();
    default:
      return gp::unsupported("the custom kind does not offer this operation");
  }
}

gp::Status gemini_target(const gp::Request& request, Target& out) {
  const gp::Arena& arena = request.arena();
  const std::string_view model = arena.concat(
      {"/v1beta/models/", gp::encode_segment(arena, request.model(), gp::Colon::encode)});
  switch (request.operation()) {
    case GP_OP_GENERATE:
      out = {"POST", arena.concat({model, ":generateContent"}), {}};
      return gp::ok();
    case GP_OP_STREAM_GENERATE:
      out = {"POST", arena.concat({model, ":streamGenerateContent"}),
             request.needs_sse() ? "alt=sse" : gp::pick_query(arena, request.query(), {"alt"})};
      return gp::ok();
    case GP_OP_COUNT_TOKENS:
      out = {"POST", arena.concat({model, ":countTokens"}), {}};
      return gp::ok();
    case GP_OP_MODEL_LIST:
      out = {"GET", "/v1beta/models",
             gp::pick_query(arena, request.query(), {"pageSize", "pageToken"})};
      return gp::ok();
    case GP_OP_MODEL_GET:
      out = {"GET", model, {}};
      return gp::ok();
    default:
      return gp::unsupported("the custom kind does not offer this operation");
  }
}

gp::Status openai_target(const gp::Request& request, Target& out) {
  if (request.protocol() == GP_PROTOCOL_OPENAI_CHAT) {
    out = {"POST", "/v1/chat/completions", {}};
  } else if (request.protocol() == GP_PROTOCOL_OPENAI_RESPONSE) {
    out = {"POST", "/v1/responses", {}};
  } else if (request.operation() == GP_OP_COUNT_TOKENS) {
    out = {"POST", "/v1/responses/input_tokens", {}};
  } else if (request.operation() == GP_OP_MODEL_LIST) {
    out = {"GET", "/v1/models", {}};
  } else if (request.operation() == GP_OP_MODEL_GET) {
    const gp::Arena& arena = request.arena();
    out = {"GET", arena.concat({"/v1/models/", gp::encode_segment(arena, request.model())}), {}};
  } else {
    return gp::unsupported("the custom kind does not offer this operation");
  }
  return gp::ok();
}

bool names_model_in_path(const gp::Request& request) {
  return request.operation() == GP_OP_MODEL_GET ||
         (request.protocol() == GP_PROTOCOL_GEMINI && request.operation() != GP_OP_MODEL_LIST);
}

}  // namespace

gp::Status Provider::prepare(const gp::Request& request, gp::Upstream& up) const {
  if (names_model_in_path(request) && !gp::usable_segment(request.model())) {
    return gp::invalid("the model's name cannot stand in a path", "model");
  }
  Target target;
  gp::Status status;
  switch (request.protocol()) {
    case GP_PROTOCOL_CLAUDE:
      status = claude_target(request, target);
      break;
    case GP_PROTOCOL_GEMINI:
      status = gemini_target(request, target);
      break;
    default:
      status = openai_target(request, target);
      break;
  }
  if (!status.ok()) return status;

  const gp::Arena& arena = request.arena();
  up.method(target.method);
  up.url(gp::join_url(arena, base_url_, target.path,
                      join_queries(arena, target.query, extra_query_), {"/v1beta", "/v1"}));
  up.forward(kKind);
  const Credential& credential = request.credential<Credential>();
  if (request.protocol() == GP_PROTOCOL_CLAUDE) {
    if (!up.has_header("anthropic-version")) up.header("anthropic-version", "2023-06-01");
    up.header("x-api-key", credential.key);
  } else if (request.protocol() == GP_PROTOCOL_GEMINI) {
    up.header("x-goog-api-key", credential.key);
  } else {
    up.header("authorization", credential.bearer);
  }
  for (const auto& [name, value] : extra_headers_) up.header(name, value);

  if (request.streams()) up.flag(GP_UPSTREAM_STREAM);
  if (request.span(GP_FIELD_ROOT) == nullptr) return gp::ok();
  // The mask comes last: what it takes away is not to be edited, nor put in for our own sake.
  if (!mask_.takes({"model"})) up.sync_model();
  const bool chat_stream = request.streams() && request.protocol() == GP_PROTOCOL_OPENAI_CHAT;
  // With `messages` there is a member left beside which another can stand.
  const bool room = request.span(GP_FIELD_MESSAGES) != nullptr && !mask_.takes({"messages"});
  if (chat_stream && room && !mask_.takes({"stream_options", "include_usage"})) up.ask_for_usage();
  if (!mask_.empty()) mask_.apply(request.json(), up.edit());
  return gp::ok();
}

}  // namespace gproxy_custom
