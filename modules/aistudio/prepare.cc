// Requests as generativelanguage.googleapis.com wants them: the model stands in the path.
#include "aistudio.h"
#include "common/google/gemini.h"

namespace gproxy_aistudio {
namespace {

// "models/x" for "x"; "tunedModels/x" stays what it is. Each segment encoded, ':' too, since it
// ends the model in a path.
std::string_view model_path(const gp::Arena& arena, std::string_view model) {
  std::string_view collection = "models/";
  for (std::string_view known : {"models/", "tunedModels/"}) {
    if (model.starts_with(known)) {
      collection = known;
      model.remove_prefix(known.size());
      break;
    }
  }
  if (!gp::usable_segment(model)) return {};
  return arena.concat({collection, gp::encode_segment(arena, model, gp::Colon::encode)});
}

}  // namespace

gp::Status Provider::prepare(const gp::Request& request, gp::Upstream& up) const {
  const gp::Arena& arena = request.arena();
  const Credential& credential = request.credential<Credential>();

  if (request.protocol() == GP_PROTOCOL_OPENAI_CHAT) {
    // The vendor's own OpenAI-compatible endpoint.
    up.method("POST");
    up.url(
        gp::join_url(arena, base_url_, "/v1beta/openai/chat/completions", {}, {"/v1beta", "/v1"}));
    up.forward(kKind);
    up.header("authorization", credential.bearer);
    up.sync_model();
    if (request.streams()) {
      up.flag(GP_UPSTREAM_STREAM);
      up.ask_for_usage();
    }
    return gp::ok();
  }
  if (request.protocol() != GP_PROTOCOL_GEMINI)
    return gp::unsupported("the aistudio kind speaks Gemini and chat");

  const std::string_view action = gproxy_google::action_of(request.operation());
  std::string_view query;
  switch (request.operation()) {
    case GP_OP_STREAM_GENERATE:
      query = gproxy_google::stream_query(request);
      break;
    case GP_OP_MODEL_LIST:
      query = gp::pick_query(arena, request.query(), {"pageSize", "pageToken"});
      break;
    case GP_OP_GENERATE:
    case GP_OP_COUNT_TOKENS:
    case GP_OP_MODEL_GET:
      break;
    default:
      return gp::unsupported("the aistudio kind does not offer this operation");
  }
  std::string_view path = "/v1beta/models";
  if (request.operation() != GP_OP_MODEL_LIST) {
    const std::string_view model = model_path(arena, request.model());
    if (model.empty()) return gp::invalid("the model's name cannot stand in a path", "model");
    path = arena.concat({"/v1beta/", model, action});
  }
  up.method(action.empty() ? "GET" : "POST");
  up.url(gp::join_url(arena, base_url_, path, query, {"/v1beta"}));
  up.forward(kKind);
  up.header("x-goog-api-key", credential.key);
  up.sync_model();
  gproxy_google::sync_counted_model(request, up);
  if (request.streams()) up.flag(GP_UPSTREAM_STREAM);
  return gp::ok();
}

}  // namespace gproxy_aistudio
