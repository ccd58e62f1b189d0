// Requests as Vertex AI wants them, and its model lists as the Gemini API shows them.
#include "common/google/gemini.h"
#include "common/google/model_table.h"
#include "common/text.h"
#include "vertex.h"

namespace gproxy_vertex {
namespace {

using namespace gproxy_google;

constexpr std::string_view kPublisher = "/v1beta1/publishers/google/models";

// The compatible endpoint names models "publisher/model".
std::string_view chat_model(const gp::Arena& arena, std::string_view model) {
  const size_t at = model.find("publishers/");
  const size_t split = model.find("/models/", at == std::string_view::npos ? 0 : at);
  if (at != std::string_view::npos && split != std::string_view::npos) {
    return arena.concat({model.substr(at + 11, split - at - 11), "/", model.substr(split + 8)});
  }
  if (model.starts_with("models/")) model.remove_prefix(7);
  if (model.empty() || model.find('/') != std::string_view::npos) return model;
  return arena.concat({"google/", model});
}

// {"name":"publishers/google/models/x", "versionId", …} as {"name":"models/x", "version", …}.
std::string_view gemini_model(const gp::Json& model, const gp::Arena& arena) {
  const std::string_view full = model.get("/name").or_empty();
  const size_t tail = full.rfind("/models/");
  std::string_view id = tail == std::string_view::npos ? bare_model(full) : full.substr(tail + 8);
  std::string_view version;
  if (const size_t at = id.rfind('@'); at != std::string_view::npos) version = id.substr(at + 1);
  for (std::string_view pointer : {"/versionId", "/version"}) {
    if (const auto told = model.get(pointer).or_empty(); !told.empty()) version = told;
  }
  gproxy_common::JsonObject out(arena);
  out.text("name", arena.concat({"models/", id}));
  out.text("version", version.empty() ? "unknown" : version);
  for (std::string_view name : {"displayName", "description", "inputTokenLimit", "outputTokenLimit",
                                "supportedGenerationMethods"}) {
    const gp_json_node node = model.node(arena.concat({"/", name}));
    if ((node.flags & GP_NODE_FOUND) != 0) out.raw(name, model.raw(node));
  }
  return out.str();
}

std::string_view gemini_list(const gp::Json& json, const gp::Arena& arena) {
  std::vector<std::string_view> models;
  auto add = [&](const gp::Json& model) {
    if (!models.empty()) models.push_back(",");
    models.push_back(gemini_model(model, arena));
  };
  const gp_json_node list = json.node("/publisherModels");
  if (list.type == GP_JSON_OBJECT) add(json.inside(list));
  if (list.type == GP_JSON_ARRAY) {
    json.each(list, [&](const gp_json_member& member) {
      if (member.value.type == GP_JSON_OBJECT) add(json.inside(member.value));
      return true;
    });
  }
  models.insert(models.begin(), "[");
  models.push_back("]");
  gproxy_common::JsonObject out(arena);
  out.raw("models", arena.concat(std::span<const std::string_view>(models)));
  out.text_if("nextPageToken", json.get("/nextPageToken").or_empty());
  return out.str();
}

}  // namespace

gp::Status Call::body(const gp_reply& whole, gp_reply& out, const gp::Arena& arena) const {
  gp_error error = gp::stamped<gp_error>();
  gp_json_node root{};
  if (json_->validate(whole.body, &root, &error) != GP_OK || root.type != GP_JSON_OBJECT)
    return gp::internal("the vendor's answer is no JSON object");
  const gp::Json json(arena, json_, gp::view(whole.body));
  auto found = [&](std::string_view pointer) {
    return (json.node(pointer).flags & GP_NODE_FOUND) != 0;
  };
  if (list_) {
    if (!found("/models")) out.body = gp::str(gemini_list(json, arena));
    return gp::ok();
  }
  const gp_json_node inner = json.node("/publisherModel");
  const gp::Json model = inner.type == GP_JSON_OBJECT ? json.inside(inner) : json;
  if (!model.get("/name").or_empty().starts_with("models/"))
    out.body = gp::str(gemini_model(model, arena));
  return gp::ok();
}

gp::Status Provider::prepare(const gp::Request& request, gp::Upstream& up,
                             std::unique_ptr<Call>& call) const {
  const gp::Arena& arena = request.arena();
  const Credential& account = request.credential<Credential>();
  if (account.bearer.empty()) return gp::credential_expired(GP_CAUSE_INCOMPLETE);
  if (account.expires_at_ms != 0 && arena.host()->now_ms() >= account.expires_at_ms)
    return gp::credential_expired(GP_CAUSE_EXPIRING);

  const std::string_view place =
      arena.concat({"/v1beta1/projects/", gp::encode_segment(arena, account.project_id),
                    "/locations/", location_});
  const bool chat = request.protocol() == GP_PROTOCOL_OPENAI_CHAT;
  if (!chat && request.protocol() != GP_PROTOCOL_GEMINI)
    return gp::unsupported("the vertex kind speaks Gemini and chat");

  const std::string_view action = action_of(request.operation());
  const std::string_view model = bare_model(request.model());
  std::string_view path, query;
  if (chat) {
    path = arena.concat({place, "/endpoints/openapi/chat/completions"});
  } else if (request.operation() == GP_OP_MODEL_LIST) {
    path = kPublisher;
    query = gp::pick_query(arena, request.query(), {"pageSize", "pageToken"});
  } else {
    if (!gp::usable_segment(model))
      return gp::invalid("the model's name cannot stand in a path", "model");
    const std::string_view id = gp::encode_segment(arena, model, gp::Colon::encode);
    if (request.operation() == GP_OP_MODEL_GET) {
      path = arena.concat({kPublisher, "/", id});
    } else if (action.empty()) {
      return gp::unsupported("the vertex kind does not offer this operation");
    } else {
      path = arena.concat({place, "/publishers/google/models/", id, action});
      if (request.streams()) query = stream_query(request);
    }
  }
  const bool models = !chat && action.empty();
  up.method(models ? "GET" : "POST");
  up.url(gp::join_url(arena, account.base_url, path, query, {"/v1beta1"}));
  up.forward(kKind);
  up.header("authorization", account.bearer);
  if (models) {
    up.flag(GP_UPSTREAM_BUFFER);
    call = std::make_unique<Call>(request.json().ext(), request.operation() == GP_OP_MODEL_LIST);
  } else if (chat) {
    if (const gp_span* span = request.span(GP_FIELD_MODEL))
      up.edit().replace(*span, gp::json_quote(arena, chat_model(arena, request.model())));
    if (request.streams()) up.ask_for_usage();
  } else if (request.operation() == GP_OP_COUNT_TOKENS) {
    up.body(vertex_count_body(request, model));
  } else {
    edit_publisher_model(request, up, model);
  }
  if (request.streams()) up.flag(GP_UPSTREAM_STREAM);
  return gp::ok();
}

}  // namespace gproxy_vertex
