#include "common/google/gemini.h"

#include <vector>

namespace gproxy_google {
namespace {

constexpr std::string_view kPublishers = "publishers/";
constexpr std::string_view kModels = "models/";
constexpr std::string_view kGoogle = "publishers/google/models/";

// The member under its first name that is there; empty where there is none.
std::string_view member_raw(const gp::Json& json, std::initializer_list<std::string_view> names) {
  for (std::string_view name : names) {
    if (const gp_json_node node = json.node(name); (node.flags & GP_NODE_FOUND) != 0)
      return json.raw(node);
  }
  return {};
}

}  // namespace

std::string_view bare_model(std::string_view model) {
  while (model.starts_with('/')) model.remove_prefix(1);
  for (std::string_view prefix : {kModels, kGoogle}) {
    if (model.starts_with(prefix)) model.remove_prefix(prefix.size());
  }
  return model;
}

std::string_view publisher_model(const gp::Arena& arena, std::string_view name,
                                 std::string_view otherwise) {
  name = gp::trim(name);
  while (name.starts_with('/')) name.remove_prefix(1);
  if (name.empty()) name = otherwise;
  if (name.starts_with(kPublishers) && name.find("/models/") != std::string_view::npos) return name;
  if (name.starts_with(kModels)) name.remove_prefix(kModels.size());
  const size_t slash = name.find('/');
  if (slash == std::string_view::npos) return arena.concat({kGoogle, name});
  return arena.concat({kPublishers, name.substr(0, slash), "/models/", name.substr(slash + 1)});
}

void edit_publisher_model(const gp::Request& request, gp::Upstream& up, std::string_view model) {
  const gp_span* span = request.span(GP_FIELD_MODEL);
  if (span == nullptr) return;
  up.edit().replace(*span,
                    gp::json_quote(request.arena(), publisher_model(request.arena(), model, {})));
}

void sync_counted_model(const gp::Request& request, gp::Upstream& up) {
  if (request.operation() != GP_OP_COUNT_TOKENS || request.body().empty()) return;
  const gp_json_node model = request.json().node("/generateContentRequest/model");
  if ((model.flags & GP_NODE_FOUND) == 0 || request.json().raw(model).front() != '"') return;
  const gp::Arena& arena = request.arena();
  const bool collection = request.model().find('/') != std::string_view::npos;
  const std::string_view name =
      gp::json_quote(arena, arena.concat({collection ? "" : kModels, request.model()}));
  if (request.json().raw(model) != name) up.edit().replace(model.at, model.len, name);
}

std::string_view counted_contents(const gp::Request& request) {
  const std::string_view found =
      member_raw(request.json(), {"/contents", "/generateContentRequest/contents"});
  return found.empty() ? "[]" : found;
}

std::string_view vertex_count_body(const gp::Request& request, std::string_view model) {
  struct Part {
    std::string_view name;
    std::initializer_list<std::string_view> places;
  };
  const Part parts[] = {
      {R"(,"contents":)", {"/contents", "/generateContentRequest/contents"}},
      {R"(,"instances":)", {"/instances", "/generateContentRequest/instances"}},
      {R"(,"tools":)", {"/tools", "/generateContentRequest/tools"}},
      {R"(,"systemInstruction":)",
       {"/systemInstruction", "/system_instruction", "/generateContentRequest/systemInstruction",
        "/generateContentRequest/system_instruction"}},
      {R"(,"generationConfig":)",
       {"/generationConfig", "/generation_config", "/generateContentRequest/generationConfig",
        "/generateContentRequest/generation_config"}},
  };
  const gp::Arena& arena = request.arena();
  const gp::Json json = request.json();
  std::vector<std::string_view> text = {R"({"model":)",
                                        gp::json_quote(arena, publisher_model(arena, model, {}))};
  for (const Part& part : parts) {
    const std::string_view raw = member_raw(json, part.places);
    if (raw.empty()) continue;
    text.push_back(part.name);
    text.push_back(raw);
  }
  text.push_back("}");
  return arena.concat(std::span<const std::string_view>(text));
}

std::string_view stream_query(const gp::Request& request) {
  if (request.needs_sse()) return "alt=sse";
  return gp::pick_query(request.arena(), request.query(), {"alt", "$alt", "%24alt"});
}

bool wants_events(const gp::Request& request) {
  return request.needs_sse() || stream_query(request).ends_with("alt=sse") ||
         stream_query(request).find("alt=sse&") != std::string_view::npos;
}

std::string_view action_of(int32_t operation) {
  switch (operation) {
    case GP_OP_GENERATE:
      return ":generateContent";
    case GP_OP_STREAM_GENERATE:
      return ":streamGenerateContent";
    case GP_OP_COUNT_TOKENS:
      return ":countTokens";
    default:
      return {};
  }
}

}  // namespace gproxy_google
