// Requests as api.openai.com wants them.
#include "openai.h"

namespace gproxy_openai {
namespace {

struct Endpoint {
  int32_t protocol, operation;
  const char* method;
  const char* path;  // '*' stands for the model or resource
};

constexpr Endpoint kEndpoints[] = {
    {GP_PROTOCOL_OPENAI_CHAT, GP_OP_GENERATE, "POST", "/v1/chat/completions"},
    {GP_PROTOCOL_OPENAI_CHAT, GP_OP_STREAM_GENERATE, "POST", "/v1/chat/completions"},
    {GP_PROTOCOL_OPENAI_RESPONSE, GP_OP_GENERATE, "POST", "/v1/responses"},
    {GP_PROTOCOL_OPENAI_RESPONSE, GP_OP_STREAM_GENERATE, "POST", "/v1/responses"},
    {GP_PROTOCOL_OPENAI, GP_OP_COUNT_TOKENS, "POST", "/v1/responses/input_tokens"},
    {GP_PROTOCOL_OPENAI, GP_OP_MODEL_LIST, "GET", "/v1/models"},
    {GP_PROTOCOL_OPENAI, GP_OP_MODEL_GET, "GET", "/v1/models/*"},
    {GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_GET, "GET", "/v1/responses/*"},
    {GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_DELETE, "DELETE", "/v1/responses/*"},
    {GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_CANCEL, "POST", "/v1/responses/*/cancel"},
    {GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_INPUT_ITEMS, "GET", "/v1/responses/*/input_items"},
    {GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_COMPACT, "POST", "/v1/responses/compact"},
};

const Endpoint* find(int32_t protocol, int32_t operation) {
  for (const Endpoint& endpoint : kEndpoints) {
    if (endpoint.protocol == protocol && endpoint.operation == operation) return &endpoint;
  }
  return nullptr;
}

// Only the parameters that the operation knows.
std::string_view query_for(const gp::Request& request) {
  switch (request.operation()) {
    case GP_OP_RESPONSE_GET:
      return gp::pick_query(request.arena(), request.query(),
                            {"include", "include[]", "include%5B%5D", "stream", "starting_after",
                             "include_obfuscation"});
    case GP_OP_RESPONSE_INPUT_ITEMS:
      return gp::pick_query(request.arena(), request.query(),
                            {"limit", "order", "after", "include", "include[]", "include%5B%5D"});
    default:
      return {};
  }
}

}  // namespace

gp::Status Provider::prepare(const gp::Request& request, gp::Upstream& up) const {
  const Endpoint* endpoint = find(request.protocol(), request.operation());
  if (endpoint == nullptr) return gp::unsupported("the openai kind does not offer this operation");

  const gp::Arena& arena = request.arena();
  std::string_view path = endpoint->path;
  if (const size_t star = path.find('*'); star != std::string_view::npos) {
    const bool model = request.operation() == GP_OP_MODEL_GET;
    const std::string_view id = model ? request.model() : request.resource();
    if (!gp::usable_segment(id))
      return gp::invalid("the id cannot stand in a path", model ? "model" : "response_id");
    path =
        arena.concat({path.substr(0, star), gp::encode_segment(arena, id), path.substr(star + 1)});
  }
  const std::string_view query = query_for(request);
  up.method(endpoint->method);
  up.url(gp::join_url(arena, base_url_, path, query));
  up.forward(kKind);
  up.header("authorization", request.credential<Credential>().bearer);

  up.sync_model();
  if (request.streams()) up.flag(GP_UPSTREAM_STREAM);
  if (request.operation() == GP_OP_RESPONSE_GET &&
      query.find("stream=true") != std::string_view::npos) {
    up.flag(GP_UPSTREAM_STREAM);
  }
  if (request.streams() && request.protocol() == GP_PROTOCOL_OPENAI_CHAT) up.ask_for_usage();
  if (request.operation() == GP_OP_RESPONSE_CANCEL) up.flag(GP_UPSTREAM_NO_BODY);
  return gp::ok();
}

}  // namespace gproxy_openai
