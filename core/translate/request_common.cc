#include "translate/request_common.h"

#include <algorithm>
#include <unordered_set>

#include "base/strings.h"
#include "translate/effort.h"
#include "translate/schema.h"

namespace gproxy::translate::common {

using json::Value;

namespace {

bool is_client_tool(const Tool& tool) {
  return tool.kind == Tool::Kind::function || tool.kind == Tool::Kind::custom;
}

const Tool* find_tool(const Request& request, std::string_view name) {
  for (const auto& tool : request.tools) {
    if (is_client_tool(tool) && tool.name == name) return &tool;
  }
  return nullptr;
}

bool is_subset(const ToolChoice& choice) {
  return choice.mode == ToolChoice::Mode::subset_auto ||
         choice.mode == ToolChoice::Mode::subset_any;
}

// Modalities of Chat ("text","audio") and of Gemini ("TEXT","AUDIO","IMAGE").
bool asks_for(const Request& request, std::string_view modality) {
  if (!request.params.modalities) return false;
  for (const auto& word : request.params.modalities.value.items()) {
    if (iequals(word.str(), modality)) return true;
  }
  return false;
}

}  // namespace

Result<void> check_choice(const Request& request) {
  const auto& choice = request.choice;
  if (request.tools.empty()) return ok();
  if (choice.mode == ToolChoice::Mode::one && !choice.builtin) {
    if (find_tool(request, choice.name) == nullptr) {
      return bad_value(choice.at, "the forced tool is not among the tools");
    }
  }
  if (is_subset(choice)) {
    std::unordered_set<std::string_view> known;
    for (const auto& tool : request.tools) {
      if (is_client_tool(tool)) known.insert(tool.name);
    }
    for (auto name : choice.names) {
      if (!known.contains(name)) {
        return bad_value(choice.at, "an allowed tool is not among the tools");
      }
    }
  }
  return ok();
}

void apply_subset(Request& request, LossLog& losses) {
  auto& choice = request.choice;
  if (!is_subset(choice)) return;
  const std::unordered_set<std::string_view> allowed(choice.names.begin(), choice.names.end());
  size_t kept = 0;
  for (const auto& tool : request.tools) {
    if (!is_client_tool(tool) || allowed.contains(tool.name)) {
      request.tools[kept++] = tool;
    } else {
      losses.changed(tool.at, "left out: not among the allowed tools");
    }
  }
  request.tools.truncate(kept);
  if (choice.mode == ToolChoice::Mode::subset_auto) {
    choice.mode = ToolChoice::Mode::automatic;
  } else if (choice.names.size() == 1) {
    choice.mode = ToolChoice::Mode::one;
    choice.name = choice.names[0];
  } else {
    choice.mode = ToolChoice::Mode::any;
  }
}

Result<void> drop_builtin(const Request& request, const Tool& tool, LossLog& losses) {
  const auto& choice = request.choice;
  bool named = choice.mode == ToolChoice::Mode::one && choice.builtin && choice.name == tool.name;
  bool alone = choice.mode == ToolChoice::Mode::any && request.tools.size() == 1;
  if (named || alone) {
    return unsupported(choice.at, "the upstream has no tool " + std::string(tool.name));
  }
  losses.dropped(tool.at, "no such tool upstream");
  return ok();
}

bool is_custom(const Request& request, std::string_view tool_name) {
  const auto* tool = find_tool(request, tool_name);
  return tool != nullptr && tool->kind == Tool::Kind::custom;
}

std::unordered_set<std::string_view> custom_names(const Request& request) {
  std::unordered_set<std::string_view> names;
  for (const auto& tool : request.tools) {
    if (tool.kind == Tool::Kind::custom) names.insert(tool.name);
  }
  return names;
}

bool forces_tool(const Request& request) {
  auto mode = request.choice.mode;
  return !request.tools.empty() &&
         (mode == ToolChoice::Mode::any || mode == ToolChoice::Mode::one ||
          mode == ToolChoice::Mode::subset_any);
}

bool has_history_calls(const Request& request) {
  for (const auto& message : request.messages) {
    for (const auto& part : message.parts) {
      if (part.kind == PartKind::call || part.kind == PartKind::result) return true;
    }
  }
  return false;
}

std::string_view custom_description(const Tool& tool, Arena& arena) {
  std::string text(tool.description);
  if (tool.format["type"].str() == "grammar") {
    if (!text.empty()) text += "\n\n";
    text += "The input must follow this ";
    text += tool.format["syntax"].str("lark");
    text += " grammar:\n";
    text += tool.format["definition"].str();
  }
  return arena.copy(text);
}

Value custom_schema(Arena& arena) {
  auto input = Value::object();
  input.add(arena, "type", Value::string("string"));
  auto properties = Value::object();
  properties.add(arena, "input", input);
  auto required = Value::array();
  required.push(arena, Value::string("input"));
  auto schema = Value::object();
  schema.add(arena, "type", Value::string("object"));
  schema.add(arena, "properties", properties);
  schema.add(arena, "required", required);
  schema.add(arena, "additionalProperties", Value::boolean(false));
  return schema;
}

void report_tool_extras(const Tool& tool, LossLog& losses, std::string_view kept) {
  if (!tool.namespace_description.empty()) {
    losses.dropped(tool.at, "no namespaces upstream", "namespace.description");
  }
  if (!tool.raw.is_object()) return;
  for (auto key : {"defer_loading", "input_examples", "eager_input_streaming", "allowed_callers",
                   "output_schema", "response", "responseJsonSchema", "behavior"}) {
    const auto* value = key == kept ? nullptr : wire::get(tool.raw, key);
    if (value != nullptr && !(value->is_bool() && !value->as_bool())) {
      losses.dropped(tool.at, "no such tool setting upstream", key);
    }
  }
}

void report_forced_builtin(const Request& request, LossLog& losses) {
  const auto& choice = request.choice;
  if (choice.mode == ToolChoice::Mode::one && choice.builtin) {
    losses.dropped(choice.at, "the upstream cannot force this tool");
  }
}

const Path* image_path(const Part& part) {
  return part.at != nullptr && part.at->key == "url" ? part.at->parent : part.at;
}

void report_document_extras(const Part& part, LossLog& losses) {
  if (part.media->citations["enabled"].as_bool()) {
    losses.dropped(part.at, "no citations upstream", "citations");
  }
  if (!part.media->context.empty()) losses.dropped(part.at, "no such field upstream", "context");
}

Result<void> check_prewarm(const Request& request, const EncodeContext& context) {
  const auto& max = request.params.max_tokens;
  if (!context.counting() && max && request.origin == Protocol::claude &&
      max.value.int_or(1) == 0) {
    return unsupported(max.at, "max_tokens 0 (cache pre-warming) has no counterpart upstream");
  }
  return ok();
}

Result<void> check_cached_content(const Request& request) {
  if (request.params.cached_content) {
    return unsupported(request.params.cached_content.at,
                       "cached content is bound to the provider that holds it");
  }
  return ok();
}

Value stop_list(const Request& request, size_t max, EncodeContext& context, BlankStops blanks) {
  auto& arena = context.arena;
  auto out = Value::array();
  const auto& stop = request.params.stop;
  if (!stop) return out;
  auto take = [&](const Value& entry, std::string_view where) {
    if (!entry.is_string() || entry.str().empty()) return;
    if (blanks == BlankStops::drop && wire::is_blank(entry.str())) {
      context.losses.dropped(stop.at, "stop sequence of white space only", where);
    } else if (out.size() >= max) {
      context.losses.dropped(stop.at, "more stop sequences than the upstream takes", where);
    } else {
      out.push(arena, entry);
    }
  };
  if (stop.value.is_string()) take(stop.value, {});
  size_t index = 0;
  for (const auto& entry : stop.value.items()) {
    take(entry, "[" + std::to_string(index++) + "]");
  }
  return out;
}

Result<void> check_candidates(const Request& request, const EncodeContext& context) {
  const auto& n = request.params.candidates;
  if (!context.counting() && n && n.value.int_or(1) > 1) {
    return unsupported(n.at, "the upstream gives one answer only");
  }
  return ok();
}

Result<bool> wants_audio(const Request& request, const EncodeContext& context) {
  if (context.counting()) return false;
  if (asks_for(request, "image")) {
    return unsupported(request.params.modalities.at, "the upstream answers with text only");
  }
  return asks_for(request, "audio");
}

Result<Value> chat_audio(const Request& request, Arena& arena) {
  const auto& p = request.params;
  if (p.audio) return p.audio.value;
  const auto& speech = p.speech_config.value;
  auto voice = speech["voiceConfig"]["prebuiltVoiceConfig"]["voiceName"].str();
  if (voice.empty()) {
    return unsupported(p.modalities.at, "audio answers need a voice");
  }
  auto audio = Value::object();
  audio.add(arena, "voice", Value::string(voice));
  audio.add(arena, "format", Value::string("pcm16"));
  return audio;
}

void report_openai_only(const Request& request, LossLog& losses) {
  const auto& p = request.params;
  wire::drop(p.logit_bias, losses, "no such parameter upstream");
  wire::drop(p.prediction, losses, "no such parameter upstream");
  wire::drop(p.verbosity, losses, "no such parameter upstream");
  wire::drop(p.metadata, losses, "no such parameter upstream");
  wire::drop(p.prompt_cache_key, losses, "no such parameter upstream");
  wire::drop(p.prompt_cache_retention, losses, "no such parameter upstream");
  wire::drop(p.prompt_cache_options, losses, "no such parameter upstream");
  wire::drop(p.moderation, losses, "no such parameter upstream");
  if (p.store && p.store.value.as_bool()) {
    losses.dropped(p.store.at, "the upstream stores nothing");
  }
}

void report_gemini_only(const Request& request, LossLog& losses) {
  const auto& p = request.params;
  wire::drop(p.safety_settings, losses, "no such parameter upstream");
  wire::drop(p.labels, losses, "no such parameter upstream");
  wire::drop(p.image_config, losses, "no such parameter upstream");
  wire::drop(p.speech_config, losses, "no such parameter upstream");
  wire::drop(p.media_resolution, losses, "no such parameter upstream");
}

void report_penalties(const Request& request, LossLog& losses) {
  const auto& p = request.params;
  wire::drop(p.frequency_penalty, losses, "no such parameter upstream");
  wire::drop(p.presence_penalty, losses, "no such parameter upstream");
  wire::drop(p.seed, losses, "no such parameter upstream");
}

void report_effort(const Request& request, std::string_view sent, LossLog& losses) {
  const auto& reasoning = request.reasoning;
  if (!reasoning.asked) return;
  if (sent.empty()) {
    if (reasoning.effort != Effort::unset && reasoning.effort != Effort::none) {
      losses.dropped(reasoning.at, "the model takes no reasoning effort");
    } else if (reasoning.budget > 0) {
      losses.dropped(reasoning.at, "the model takes no reasoning effort");
    }
  } else if (reasoning.effort != Effort::unset && name(reasoning.effort) != sent) {
    losses.changed(reasoning.at, "nearest reasoning effort of the model");
  }
}

void emulate_format(Request& request, Emulate what, EncodeContext& context) {
  auto& arena = context.arena;
  auto& format = request.format;
  std::string text;
  using Kind = OutputFormat::Kind;
  if (format.kind == Kind::choice) {
    text = "Respond with exactly one of these values and nothing else:";
    const auto& schema = format.schema;
    for (const auto& value : schema["enum"].items()) {
      text += '\n';
      text += value.is_string() ? std::string(value.str()) : json::write(value);
    }
  } else if (format.kind == Kind::json_object && what != Emulate::choice_only) {
    text = "Respond with a single JSON object and nothing else.";
  } else if (format.kind == Kind::json_schema && what == Emulate::everything) {
    text = "Respond with a single JSON object and nothing else. It must follow this JSON Schema:\n";
    text +=
        json::write(format.schema_is_openapi ? from_openapi(format.schema, arena) : format.schema);
  } else {
    return;
  }
  context.losses.changed(format.at, "the output format is only told in words");
  SystemSegment segment;
  segment.text = arena.copy(text);
  segment.at = format.at;
  request.system.push(arena, segment);
  context.context.json_emulated = true;
  format.kind = Kind::unset;
}

}  // namespace gproxy::translate::common
