// fetchAvailableModels as the Gemini API lists models.
#include <algorithm>
#include <utility>
#include <vector>

#include "antigravity.h"
#include "common/google/gemini.h"
#include "common/text.h"

namespace gproxy_antigravity {
namespace {

using Entry = std::pair<std::string_view, std::string_view>;  // id and what is told of it

// `models` is an object by id, or an array. Sorted by name, each once.
std::vector<Entry> entries(const gp::Json& answer) {
  std::vector<Entry> out;
  const gp_json_node models = answer.node("/models");
  answer.each(models, [&](const gp_json_member& member) {
    const gp::Json model = answer.inside(member.value);
    std::string_view id;
    if (models.type == GP_JSON_OBJECT) {
      id = answer.decode(member.key);
    } else {
      for (std::string_view pointer : {"/id", "/name", "/model"}) {
        if (id.empty()) id = model.get(pointer).or_empty();
      }
    }
    id = gproxy_google::bare_model(gp::trim(id));
    if (!id.empty()) out.emplace_back(id, model.text());
    return true;
  });
  std::stable_sort(out.begin(), out.end(),
                   [](const Entry& a, const Entry& b) { return a.first < b.first; });
  std::vector<Entry> once;
  for (const Entry& entry : out) {
    if (once.empty() || once.back().first != entry.first) once.push_back(entry);
  }
  return once;
}

std::string_view gemini_model(const gp::Arena& arena, std::string_view id, const gp::Json& told) {
  std::string_view name = told.get("/displayName").or_empty();
  gproxy_common::JsonObject out(arena);
  out.text("name", arena.concat({"models/", id}))
      .text("baseModelId", id)
      .text("version", "1")
      .text("displayName", name.empty() ? id : name)
      .raw("supportedGenerationMethods",
           R"(["generateContent","countTokens","streamGenerateContent"])");
  for (const auto& [from, to] :
       {std::pair<std::string_view, std::string_view>{"/maxTokens", "inputTokenLimit"},
        {"/maxOutputTokens", "outputTokenLimit"}}) {
    const auto limit = told.get(from);
    if (limit.found && limit.type == GP_JSON_NUMBER) out.raw(to, limit.text);
  }
  return out.str();
}

}  // namespace

gp::Status Call::body(const gp_reply& whole, gp_reply& out, const gp::Arena& arena) const {
  if (what_ == What::generation) return Envelope::body(whole, out, arena);
  gp_error error = gp::stamped<gp_error>();
  gp_json_node root{};
  if (json_->validate(whole.body, &root, &error) != GP_OK || root.type != GP_JSON_OBJECT)
    return gp::internal("the vendor's answer is no JSON object");
  const auto models = entries(gp::Json(arena, json_, gp::view(whole.body)));
  if (what_ == What::get) {
    for (const auto& [id, told] : models) {
      if (id != model_) continue;
      out.body = gp::str(gemini_model(arena, id, gp::Json(arena, json_, told)));
      return gp::ok();
    }
    out.status = 404;
    out.body = gp::str(gproxy_google::kModelNotFound);
    return gp::ok();
  }
  std::vector<std::string_view> parts = {R"({"models":[)"};
  for (const auto& [id, told] : models) {
    if (parts.size() > 1) parts.push_back(",");
    parts.push_back(gemini_model(arena, id, gp::Json(arena, json_, told)));
  }
  parts.push_back("]}");
  out.body = gp::str(arena.concat(std::span<const std::string_view>(parts)));
  return gp::ok();
}

}  // namespace gproxy_antigravity
