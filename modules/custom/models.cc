// The model table: list and get answered here, in the shapes of the three families.
#include <string>

#include "custom.h"

namespace gproxy_custom {
namespace {

std::string_view object_of(const gp::Arena& arena, int32_t protocol, const Model& model) {
  const std::string_view id = gp::json_quote(arena, model.id);
  const std::string_view name = gp::json_quote(arena, model.display_name);
  switch (protocol) {
    case GP_PROTOCOL_CLAUDE:
      return arena.concat({R"({"id":)", id,
                           R"(,"created_at":"2026-01-01T00:00:00Z","display_name":)", name,
                           R"(,"type":"model"})"});
    case GP_PROTOCOL_GEMINI:
      return arena.concat(
          {R"({"name":)", gp::json_quote(arena, arena.concat({"models/", model.id})),
           R"(,"version":"custom","displayName":)", name,
           R"(,"supportedGenerationMethods":["generateContent","streamGenerateContent",)"
           R"("countTokens"]})"});
    default:
      return arena.concat(
          {R"({"id":)", id, R"(,"object":"model","created":0,"owned_by":"custom"})"});
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

gp::Status Provider::respond(const gp::Request& request, gp::Local& out,
                             std::unique_ptr<NoStream>&) const {
  const gp::Arena& arena = request.arena();
  const int32_t protocol = request.protocol();
  if (request.operation() == GP_OP_MODEL_GET) {
    std::string_view id = request.model();
    while (id.starts_with('/')) id.remove_prefix(1);
    while (id.starts_with("models/")) id.remove_prefix(7);
    for (const Model& model : models_) {
      if (model.id != id) continue;
      out.json(200, object_of(arena, protocol, model));
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
    parts.push_back(object_of(arena, protocol, model));
  }
  parts.push_back("]");
  if (protocol == GP_PROTOCOL_CLAUDE) {
    parts.push_back(arena.concat({R"(,"first_id":)", gp::json_quote(arena, models_.front().id),
                                  R"(,"last_id":)", gp::json_quote(arena, models_.back().id),
                                  R"(,"has_more":false)"}));
  }
  parts.push_back("}");
  out.json(200, arena.concat(std::span<const std::string_view>(parts)));
  return gp::ok();
}

}  // namespace gproxy_custom
