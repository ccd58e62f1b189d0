#include "common/google/model_table.h"

#include <algorithm>
#include <charconv>

#include "common/google/gemini.h"

namespace gproxy_google {
namespace {

// A parameter's digits; `otherwise` for anything else.
size_t number_parameter(const gp::Request& request, std::string_view name, size_t otherwise) {
  const std::string_view pair = gp::pick_query(request.arena(), request.query(), {name});
  if (pair.size() <= name.size() + 1) return otherwise;
  const std::string_view digits = pair.substr(name.size() + 1);
  size_t value = 0;
  const auto end = digits.data() + digits.size();
  const auto read = std::from_chars(digits.data(), end, value);
  return read.ec == std::errc() && read.ptr == end ? value : otherwise;
}

}  // namespace

gp::Status ModelTable::read(const gp::Settings& settings, std::string_view built_in) {
  const gp::Json json = settings.json();
  const auto own = json.get("/model_table");
  if (own.found && own.type != GP_JSON_NULL) return read_setting(settings, json);
  const gp::Json data(settings.arena, settings.json_ext, built_in);
  data.each(data.node("/models"), [&](const gp_json_member& member) {
    const gp::Json model = data.inside(member.value);
    models_.push_back(
        {std::string(bare_model(model.get("/name").or_empty())), std::string(model.text())});
    return true;
  });
  return gp::ok();
}

gp::Status ModelTable::read_setting(const gp::Settings& settings, const gp::Json& json) {
  const gp::Arena& arena = settings.arena;
  gp::Status status = gp::ok();
  size_t index = 0;
  json.each(json.node("/model_table/models"), [&](const gp_json_member& member) {
    const gp::Json entry = json.inside(member.value);
    const std::string_view id = bare_model(gp::trim(entry.get("/id").or_empty()));
    const std::string_view path =
        arena.concat({"model_table.models[", arena.copy(std::to_string(index++)), "].id"});
    if (!gp::usable_segment(id)) {
      status = gp::invalid("must be a model's name", path);
      return false;
    }
    const bool twice = std::any_of(models_.begin(), models_.end(),
                                   [&](const Model& model) { return model.id == id; });
    if (twice) {
      status = gp::invalid("occurs twice", path);
      return false;
    }
    std::string_view name = entry.get("/display_name").or_empty();
    if (name.empty()) name = id;
    models_.push_back(
        {std::string(id),
         std::string(arena.concat(
             {R"({"name":)", gp::json_quote(arena, arena.concat({"models/", id})),
              R"(,"version":"1","displayName":)", gp::json_quote(arena, name),
              R"(,"supportedGenerationMethods":["generateContent","streamGenerateContent",)"
              R"("countTokens"]})"}))});
    return true;
  });
  return status;
}

gp::Status ModelTable::respond(const gp::Request& request, gp::Local& out) const {
  const gp::Arena& arena = request.arena();
  if (request.operation() == GP_OP_MODEL_GET) {
    const std::string_view id = bare_model(request.model());
    for (const Model& model : models_) {
      if (model.id != id) continue;
      out.json(200, arena.copy(model.json));
      return gp::ok();
    }
    out.json(404, kModelNotFound);
    return gp::ok();
  }
  if (request.operation() != GP_OP_MODEL_LIST)
    return gp::unsupported("only models are answered locally");
  // The token of a page is the index of its first model.
  const size_t from = std::min(number_parameter(request, "pageToken", 0), models_.size());
  size_t size = number_parameter(request, "pageSize", models_.size());
  if (size == 0) size = models_.size();
  const size_t to = from + std::min(size, models_.size() - from);
  std::vector<std::string_view> parts = {R"({"models":[)"};
  for (size_t i = from; i < to; ++i) {
    if (i > from) parts.push_back(",");
    parts.push_back(models_[i].json);
  }
  parts.push_back("]");
  if (to < models_.size())
    parts.push_back(arena.concat({R"(,"nextPageToken":")", std::to_string(to), R"(")"}));
  parts.push_back("}");
  out.json(200, arena.concat(std::span<const std::string_view>(parts)));
  return gp::ok();
}

}  // namespace gproxy_google
