// Requests in the protocol that the route says, at that protocol's usual paths.
#include "common/google/gemini.h"
#include "common/responses.h"
#include "custom.h"

namespace gproxy_custom {
namespace {

std::string_view join_queries(const gp::Arena& arena, std::string_view one, std::string_view two) {
  if (one.empty()) return two;
  if (two.empty()) return one;
  return arena.concat({one, "&", two});
}

struct Target {
  std::string_view method = "POST";
  std::string_view base, path, query;
};

constexpr std::string_view kNotOffered = "the custom kind does not offer this operation";

gp::Status claude_target(const gp::Request& request, Target& out) {
  const gp::Arena& arena = request.arena();
  switch (request.operation()) {
    case GP_OP_GENERATE:
    case GP_OP_STREAM_GENERATE:
      out.path = "/messages";
      out.query = gp::pick_query(arena, request.query(), {"beta"});
      return gp::ok();
    case GP_OP_COUNT_TOKENS:
      out.path = "/messages/count_tokens";
      out.query = gp::pick_query(arena, request.query(), {"beta"});
      return gp::ok();
    case GP_OP_MODEL_LIST:
      out.method = "GET";
      out.path = "/models";
      out.query = gp::pick_query(arena, request.query(), {"after_id", "before_id", "limit"});
      return gp::ok();
    case GP_OP_MODEL_GET:
      out.method = "GET";
      out.path = arena.concat({"/models/", gp::encode_segment(arena, request.model())});
      return gp::ok();
    default:
      return gp::unsupported(kNotOffered);
  }
}

gp::Status gemini_target(const gp::Request& request, Target& out) {
  const gp::Arena& arena = request.arena();
  std::string_view collection = "/models/", name = request.model();
  if (name.starts_with("tunedModels/")) {
    collection = "/tunedModels/";
    name.remove_prefix(collection.size() - 1);
  }
  const std::string_view model =
      arena.concat({collection, gp::encode_segment(arena, name, gp::Colon::encode)});
  switch (request.operation()) {
    case GP_OP_GENERATE:
      out.path = arena.concat({model, ":generateContent"});
      return gp::ok();
    case GP_OP_STREAM_GENERATE:
      out.path = arena.concat({model, ":streamGenerateContent"});
      // A native client's `alt` is the framing that it reads: its choice.
      out.query = request.needs_sse()
                      ? "alt=sse"
                      : gp::pick_query(arena, request.query(), {"alt", "$alt", "%24alt"});
      return gp::ok();
    case GP_OP_COUNT_TOKENS:
      out.path = arena.concat({model, ":countTokens"});
      return gp::ok();
    case GP_OP_MODEL_LIST:
      out.method = "GET";
      out.path = "/models";
      out.query = gp::pick_query(arena, request.query(), {"pageSize", "pageToken"});
      return gp::ok();
    case GP_OP_MODEL_GET:
      out.method = "GET";
      out.path = model;
      return gp::ok();
    default:
      return gp::unsupported(kNotOffered);
  }
}

gp::Status openai_target(const gp::Request& request, gp::Upstream& up, Target& out) {
  if (request.protocol() == GP_PROTOCOL_OPENAI_CHAT) {
    out.path = "/chat/completions";
    return gp::ok();
  }
  if (request.protocol() == GP_PROTOCOL_OPENAI_RESPONSE) {
    out.path = "/responses";
    return gp::ok();
  }
  if (request.operation() == GP_OP_MODEL_LIST || request.operation() == GP_OP_MODEL_GET) {
    const gp::Arena& arena = request.arena();
    out.method = "GET";
    out.path = request.operation() == GP_OP_MODEL_LIST
                   ? "/models"
                   : arena.concat({"/models/", gp::encode_segment(arena, request.model())});
    return gp::ok();
  }
  gproxy_common::ResponsesCall call;
  const gp::Status status = gproxy_common::responses_call(request, up, call);
  out.method = call.method;
  out.path = call.path;
  out.query = call.query;
  return status;
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
      target.base = bases_.claude;
      status = claude_target(request, target);
      break;
    case GP_PROTOCOL_GEMINI:
      target.base = bases_.gemini;
      status = gemini_target(request, target);
      break;
    default:
      target.base = bases_.openai;
      status = openai_target(request, up, target);
      break;
  }
  if (!status.ok()) return status;

  const gp::Arena& arena = request.arena();
  const std::string_view query = join_queries(arena, target.query, extra_query_);
  up.method(target.method);
  up.url(arena.concat({target.base, target.path, query.empty() ? "" : "?", query}));
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
  if (request.protocol() == GP_PROTOCOL_GEMINI && !mask_.takes({"generateContentRequest", "model"})) {
    gproxy_google::sync_counted_model(request, up);
  }
  const bool chat_stream = request.streams() && request.protocol() == GP_PROTOCOL_OPENAI_CHAT;
  // With `messages` there is a member left beside which another can stand.
  const bool room = request.span(GP_FIELD_MESSAGES) != nullptr && !mask_.takes({"messages"});
  if (chat_stream && room && !mask_.takes({"stream_options", "include_usage"})) up.ask_for_usage();
  if (!mask_.empty()) mask_.apply(request.json(), up.edit());
  return gp::ok();
}

}  // namespace gproxy_custom
