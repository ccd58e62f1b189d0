// The backend's list of models, in OpenAI's form: {"models":[{"slug" or "id", "display_name"?,
// "created"?, "owned_by"?}]} becomes {"object":"list","data":[…]}.
#include "codex.h"
#include "common/text.h"

namespace gproxy_codex {

gp::Status ModelsCall::body(const gp_reply& in, gp_reply& out, const gp::Arena& arena) const {
  gp_json_node root{};
  gp_error error = gp::stamped<gp_error>();
  if (json->validate(in.body, &root, &error) != GP_OK)
    return gp::internal("the list of models is not JSON");
  const gp::Json list(arena, json, gp::view(in.body));
  const gp_json_node models = list.node("/models");
  if (models.type != GP_JSON_ARRAY) return gp::internal("the answer holds no list of models");

  std::vector<std::string_view> parts = {R"({"object":"list","data":[)"};
  std::string_view found;
  list.each(models, [&](const gp_json_member& member) {
    const gp::Json entry = list.inside(member.value);
    std::string_view id = entry.get("/slug").or_empty();
    if (id.empty()) id = entry.get("/id").or_empty();
    if (id.empty()) return true;
    const std::string_view owner = entry.get("/owned_by").or_empty();
    const auto created = entry.get("/created");
    gproxy_common::JsonObject object(arena);
    object.text("id", id)
        .text("object", "model")
        .number("created", gproxy_common::integer_or(created.text, 0))
        .text("owned_by", owner.empty() ? "openai" : owner)
        .text_if("display_name", entry.get("/display_name").or_empty());
    const std::string_view text = object.str();
    if (gproxy_common::plain_model_id(id) == wanted) found = text;
    if (parts.size() > 1) parts.push_back(",");
    parts.push_back(text);
    return true;
  });
  if (!wanted.empty()) {
    if (found.empty()) return gp::not_found("model not found");
    out.body = gp::str(found);
    return gp::ok();
  }
  parts.push_back("]}");
  out.body = gp::str(arena.concat(std::span<const std::string_view>(parts)));
  return gp::ok();
}

}  // namespace gproxy_codex
