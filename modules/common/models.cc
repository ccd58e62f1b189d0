#include "common/models.h"

#include <string>

namespace gproxy_common {
namespace {

std::string_view object_of(const gp::Arena& arena, int32_t protocol, std::string_view id,
                           std::string_view display_name, std::string_view owner) {
  const std::string_view name = gp::json_quote(arena, display_name);
  switch (protocol) {
    case GP_PROTOCOL_CLAUDE:
      return arena.concat({R"({"id":)", gp::json_quote(arena, id),
                           R"(,"created_at":"2026-01-01T00:00:00Z","display_name":)", name,
                           R"(,"type":"model"})"});
    case GP_PROTOCOL_GEMINI:
      return arena.concat({R"({"name":)", gp::json_quote(arena, arena.concat({"models/", id})),
                           R"(,"version":)", gp::json_quote(arena, owner), R"(,"displayName":)",
                           name,
                           R"(,"supportedGenerationMethods":["generateContent",)"
                           R"("streamGenerateContent","countTokens"]})"});
    default:
      return arena.concat({R"({"id":)", gp::json_quote(arena, id),
                           R"(,"object":"model","created":0,"owned_by":)",
                           gp::json_quote(arena, owner), "}"});
  }
}

std::string_view not_found(int32_t protocol) {
  switch (protocol) {
    case GP_PROTOCOL_CLAUDE:
      return R"({"type":"error","error":{"type":"not_found_error","message":"model not found"}})";
    case GP_PROTOCOL_GEMINI:
      return R"({"error":{"code":404,"message":"model not found","status":"NOT_FOUND"}})";
    default:
      return R"({"error":{"message":"model not found","type":"invalid_request_error","param":"model",)"
             R"("code":"model_not_found"}})";
  }
}

}  // namespace

std::string_view plain_model_id(std::string_view id) {
  while (id.starts_with('/')) id.remove_prefix(1);
  while (id.starts_with("models/")) id.remove_prefix(7);
  return id;
}

gp::Status ModelTable::read(const gp::Json& json, std::string_view pointer, std::string_view param,
                            const gp::Arena& arena) {
  const auto table = json.get(pointer);
  if (!table.found || table.type == GP_JSON_NULL) return gp::ok();
  const std::string_view list_pointer = arena.concat({pointer, "/models"});
  const auto list = json.get(list_pointer);
  const bool no_list = !list.found || list.type == GP_JSON_NULL;
  if (!table.is_object() || (!no_list && !list.is_array()))
    return gp::invalid("must be {\"models\":[…]}", arena.copy(param));
  gp::Status error;
  std::vector<Model> models;
  json.each(json.node(list_pointer), [&](const gp_json_member& member) {
    const gp::Json entry = json.inside(member.value);
    const std::string_view id = plain_model_id(gp::trim(entry.get("/id").or_empty()));
    if (id.empty()) {
      const std::string position = std::to_string(models.size());
      error =
          gp::invalid("a model needs an id", arena.concat({param, ".models[", position, "].id"}));
      return false;
    }
    const std::string_view display = entry.get("/display_name").or_empty();
    models.push_back({std::string(id), std::string(display.empty() ? id : display)});
    return true;
  });
  if (error.ok() && !models.empty()) models_ = std::move(models);
  return error;
}

gp::Status ModelTable::respond(const gp::Request& request, std::string_view owner,
                               gp::Local& out) const {
  const gp::Arena& arena = request.arena();
  const int32_t protocol = request.protocol();
  if (request.operation() == GP_OP_MODEL_GET) {
    const std::string_view id = plain_model_id(request.model());
    for (const Model& model : models_) {
      if (model.id != id) continue;
      out.json(200, object_of(arena, protocol, model.id, model.display_name, owner));
      return gp::ok();
    }
    out.json(404, not_found(protocol));
    return gp::ok();
  }
  if (request.operation() != GP_OP_MODEL_LIST)
    return gp::unsupported("only models are answered locally");

  std::vector<std::string_view> parts;
  parts.push_back(protocol == GP_PROTOCOL_GEMINI   ? R"({"models":[)"
                  : protocol == GP_PROTOCOL_CLAUDE ? R"({"data":[)"
                                                   : R"({"object":"list","data":[)");
  for (const Model& model : models_) {
    if (parts.size() > 1) parts.push_back(",");
    parts.push_back(object_of(arena, protocol, model.id, model.display_name, owner));
  }
  parts.push_back("]");
  if (protocol == GP_PROTOCOL_CLAUDE && !models_.empty()) {
    parts.push_back(arena.concat({R"(,"first_id":)", gp::json_quote(arena, models_.front().id),
                                  R"(,"last_id":)", gp::json_quote(arena, models_.back().id),
                                  R"(,"has_more":false)"}));
  }
  parts.push_back("}");
  out.json(200, arena.concat(std::span<const std::string_view>(parts)));
  return gp::ok();
}

}  // namespace gproxy_common
