#include <algorithm>

#include "base/strings.h"
#include "translate/arguments.h"
#include "translate/effort.h"
#include "translate/gemini/request.h"
#include "translate/media.h"
#include "translate/openai_common.h"
#include "translate/request_common.h"
#include "translate/schema.h"
#include "translate/seal.h"
#include "translate/wire.h"

namespace gproxy::translate::gemini {

namespace {

using json::Value;
using wire::str;

constexpr size_t kMaxStops = 5;
constexpr int64_t kMaxSeed = 2147483647;

bool is_gemini_file(std::string_view uri) {
  return uri.substr(0, 42) == "https://generativelanguage.googleapis.com/" ||
         uri.substr(0, 5) == "gs://";
}

class Encoder {
 public:
  Encoder(Request& request, EncodeContext& context)
      : request_(request),
        context_(context),
        profile_(context.profile),
        arena_(context.arena),
        losses_(context.losses),
        json_schema_(context.profile.gm_json_schema && context.profile.gm_api == "v1beta") {}

  Result<Value> run() {
    GP_CHECK(common::check_prewarm(request_, context_));
    if (request_.origin != Protocol::gemini && request_.origin != Protocol::openai_chat) {
      GP_CHECK(common::check_cached_content(request_));
    }
    auto body = Value::object();
    GP_TRY(auto list, contents());
    body.add(arena_, "contents", list);
    if (profile_.gm_api != "v1") system(body);
    GP_CHECK(tools(body));
    GP_TRY(auto config, generation_config());
    if (!config.empty()) body.add(arena_, "generationConfig", config);
    top_level(body);
    if (!context_.counting()) return body;
    auto inner = Value::object();
    inner.add(arena_, "model", str(model_name()));
    for (const auto& member : body.members()) inner.add(arena_, member.key, member.value);
    auto wrapped = Value::object();
    wrapped.add(arena_, "generateContentRequest", inner);
    return wrapped;
  }

 private:
  std::string_view model_name() {
    if (context_.model.find('/') != std::string_view::npos) return context_.model;
    return arena_.concat({"models/", context_.model});
  }

  Value text_part(std::string_view text) {
    auto part = Value::object();
    part.add(arena_, "text", str(text));
    return part;
  }

  void drop_cache(const Value& marker, const Path* at) {
    if (!marker.is_null()) losses_.dropped(at, "no cache markers upstream", "cache_control");
  }

  void system(Value& body) {
    if (request_.system.empty()) return;
    auto instruction = Value::object();
    instruction.add(arena_, "parts", system_parts());
    body.add(arena_, "systemInstruction", instruction);
  }

  Value system_parts() {
    auto parts = Value::array();
    for (const auto& segment : request_.system) {
      parts.push(arena_, text_part(segment.text));
      drop_cache(segment.cache, segment.at);
    }
    return parts;
  }

  // ---- contents ----

  // The current turn begins at the last user content that holds more than answers to calls.
  size_t turn_start() const {
    const auto& messages = request_.messages;
    for (size_t i = messages.size(); i-- > 0;) {
      if (messages[i].role != Role::user) continue;
      for (const auto& part : messages[i].parts) {
        if (part.kind != PartKind::result) return i;
      }
    }
    return 0;
  }

  Result<Value> contents() {
    auto out = Value::array();
    size_t turn = turn_start();
    bool system_first = profile_.gm_api == "v1" && !request_.system.empty();
    for (size_t i = 0; i < request_.messages.size(); ++i) {
      const auto& message = request_.messages[i];
      auto parts = Value::array();
      auto moved = Value::array();
      if (message.role == Role::assistant) {
        GP_CHECK(model_parts(message, i >= turn, parts));
      } else {
        if (system_first) {
          parts = system_parts();
          losses_.changed(request_.system[0].at, "system text became user text: API v1");
          system_first = false;
        }
        GP_CHECK(user_parts(message, parts, moved));
      }
      if (!parts.empty()) push_content(message.role, parts, out);
      if (!moved.empty()) push_content(Role::user, moved, out);
    }
    return out;
  }

  void push_content(Role role, const Value& parts, Value& out) {
    auto content = Value::object();
    content.add(arena_, "role", str(role == Role::assistant ? "model" : "user"));
    content.add(arena_, "parts", parts);
    out.push(arena_, content);
  }

  Result<void> user_parts(const Message& message, Value& parts, Value& moved) {
    for (const auto& part : message.parts) {
      drop_cache(part.cache, part.at);
      if (part.kind == PartKind::result) {
        GP_CHECK(function_response(part, parts, moved));
      } else {
        GP_CHECK(encode_part(part, parts));
      }
    }
    return ok();
  }

  // A Responses item does not say what its reasoning led to: a call rather than the words before
  // it.
  static bool call_follows(const Message& message, size_t from) {
    for (size_t i = from + 1; i < message.parts.size(); ++i) {
      if (message.parts[i].kind == PartKind::reasoning) return false;
      if (message.parts[i].kind == PartKind::call) return true;
    }
    return false;
  }

  Result<void> model_parts(const Message& message, bool current_turn, Value& out) {
    std::string_view pending;  // signature of reasoning, for the part that follows
    bool first_call = true;
    for (size_t i = 0; i < message.parts.size(); ++i) {
      const auto& part = message.parts[i];
      drop_cache(part.cache, part.at);
      switch (part.kind) {
        case PartKind::reasoning:
          if (request_.origin == Protocol::gemini) {
            auto thought = text_part(part.text);
            thought.add(arena_, "thought", Value::boolean(true));
            if (part.opaque) thought.add(arena_, "thoughtSignature", str(part.opaque.bytes));
            out.push(arena_, thought);
            break;
          }
          if (part.opaque) pending = part.opaque.bytes;
          if (!part.text.empty()) {
            losses_.add(part.at, {}, LossAction::dropped, "thought text: its signature is kept",
                        /*harmless=*/true);
          }
          break;
        case PartKind::call: {
          auto encoded = function_call(part);
          std::string_view signature = part.call->signature.bytes;
          if (signature.empty()) signature = pending;
          pending = {};
          if (signature.empty() && first_call && current_turn && profile_.gm_signatures) {
            signature = kSkipSignature;
            losses_.add(part.at, {}, LossAction::synthesised, "placeholder for a thought signature",
                        /*harmless=*/true);
          }
          if (!signature.empty()) encoded.add(arena_, "thoughtSignature", str(signature));
          first_call = false;
          out.push(arena_, encoded);
          break;
        }
        default: {
          size_t before = out.size();
          GP_CHECK(encode_part(part, out));
          const bool waits =
              request_.origin == Protocol::openai_response && call_follows(message, i);
          auto signature = part.opaque ? part.opaque.bytes : waits ? std::string_view() : pending;
          if (out.size() > before && !signature.empty()) {
            out.items()[before].add(arena_, "thoughtSignature", str(signature));
            pending = {};
          }
        }
      }
    }
    if (!pending.empty()) {
      auto carrier = text_part({});
      carrier.add(arena_, "thoughtSignature", str(pending));
      out.push(arena_, carrier);
    }
    return ok();
  }

  Value function_call(const Part& part) {
    const auto& call = *part.call;
    auto inner = Value::object();
    inner.add(arena_, "id", str(call.id));
    inner.add(arena_, "name", str(call.name));
    inner.add(arena_, "args", args_object(call, arena_));
    auto out = Value::object();
    out.add(arena_, "functionCall", inner);
    return out;
  }

  Result<void> function_response(const Part& part, Value& out, Value& moved) {
    const auto& result = *part.result;
    std::string text;
    auto media = Value::array();
    bool any = false;
    for (const auto& piece : result.parts) {
      if (piece.kind == PartKind::text) {
        if (any) text += '\n';
        text += piece.text;
        any = true;
      } else if (piece.kind == PartKind::search_result) {
        if (any) text += '\n';
        text += search_result_text(*piece.media, arena_);
        losses_.changed(piece.at, "search result became text");
        any = true;
      } else if (auto document = text_document(piece)) {
        if (any) text += '\n';
        text += *document;
        any = true;
      } else if (profile_.gm_fn_media) {
        GP_CHECK(encode_part(piece, media));
      } else {
        GP_CHECK(encode_part(piece, moved));
        losses_.changed(piece.at, "moved from the tool result to a user content");
      }
    }
    auto response = Value::object();
    response.add(arena_, result.error ? "error" : "output", wire::own(arena_, text));
    auto inner = Value::object();
    inner.add(arena_, "id", str(result.id));
    inner.add(arena_, "name", str(result.name));
    inner.add(arena_, "response", response);
    if (!media.empty()) inner.add(arena_, "parts", media);
    auto encoded = Value::object();
    encoded.add(arena_, "functionResponse", inner);
    out.push(arena_, encoded);
    return ok();
  }

  std::optional<std::string_view> text_document(const Part& part) {
    if (part.kind != PartKind::document) return std::nullopt;
    auto text = text_of_document(*part.media, arena_);
    if (!text) return std::nullopt;
    losses_.changed(part.at, "document became text");
    return document_text(part.media->name, *text, arena_);
  }

  Result<void> encode_part(const Part& part, Value& out) {
    switch (part.kind) {
      case PartKind::text:
      case PartKind::refusal:
        out.push(arena_, text_part(part.text));
        return ok();
      case PartKind::search_result:
        losses_.changed(part.at, "search result became text");
        out.push(arena_, text_part(search_result_text(*part.media, arena_)));
        return ok();
      case PartKind::document:
        common::report_document_extras(part, losses_);
        if (auto text = text_document(part)) {
          out.push(arena_, text_part(*text));
          for (const auto& inner : part.media->content) {
            if (inner.kind == PartKind::image) GP_CHECK(encode_part(inner, out));
          }
          return ok();
        }
        return media(part, out);
      case PartKind::image:
      case PartKind::audio:
      case PartKind::video:
        return media(part, out);
      case PartKind::code:
      case PartKind::code_result:
      case PartKind::raw:
      case PartKind::server:
        if (part.raw.is_object()) out.push(arena_, part.raw);
        return ok();
      default:
        return ok();
    }
  }

  Result<void> media(const Part& part, Value& out) {
    const auto& media = *part.media;
    auto encoded = Value::object();
    auto holder = Value::object();
    if (media.source == Media::Source::base64) {
      holder.add(arena_, "mimeType", str(media.mime));
      holder.add(arena_, "data", str(media.data));
      encoded.add(arena_, "inlineData", holder);
    } else {
      if (media.source == Media::Source::file_id && !is_gemini_file(media.data)) {
        return unsupported(part.at, "a file id is bound to the provider that issued it");
      }
      if (!media.mime.empty() && media.mime != "video/*") {
        holder.add(arena_, "mimeType", str(media.mime));
      } else if (part.kind == PartKind::document && request_.origin != Protocol::gemini) {
        holder.add(arena_, "mimeType", str("application/pdf"));
      }
      holder.add(arena_, "fileUri", str(media.data));
      encoded.add(arena_, "fileData", holder);
    }
    if (media.extra.is_object()) encoded.add(arena_, "videoMetadata", media.extra);
    bool low = media.detail == "low", high = media.detail == "high" || media.detail == "original";
    if ((low || high) && profile_.gm_media_resolution && profile_.gm_api == "v1beta") {
      auto resolution = Value::object();
      resolution.add(arena_, "level", str(low ? "MEDIA_RESOLUTION_LOW" : "MEDIA_RESOLUTION_HIGH"));
      encoded.add(arena_, "mediaResolution", resolution);
    } else if (low || high) {
      losses_.dropped(common::image_path(part), "no image detail upstream", "detail");
    }
    out.push(arena_, encoded);
    return ok();
  }

  // ---- tools ----

  Result<void> tools(Value& body) {
    GP_CHECK(common::check_choice(request_));
    if (request_.choice.mode == ToolChoice::Mode::subset_auto) {
      common::apply_subset(request_, losses_);
    }
    auto declarations = Value::array();
    auto list = Value::array();
    for (const auto& tool : request_.tools) {
      bool function = tool.kind == Tool::Kind::function || tool.kind == Tool::Kind::custom;
      if (function) declarations.push(arena_, declaration(tool));
    }
    if (!declarations.empty()) {
      auto holder = Value::object();
      holder.add(arena_, "functionDeclarations", declarations);
      list.push(arena_, holder);
    }
    for (const auto& tool : request_.tools) {
      switch (tool.kind) {
        case Tool::Kind::function:
        case Tool::Kind::custom:
          break;
        case Tool::Kind::web_search:
          web_search(tool, !declarations.empty(), list);
          break;
        case Tool::Kind::web_fetch:
          list.push(arena_, empty_tool("urlContext"));
          break;
        case Tool::Kind::code_execution:
          list.push(arena_, empty_tool("codeExecution"));
          break;
        default:
          if (request_.origin == Protocol::gemini) {
            auto out = Value::object();
            out.add(arena_, tool.name, tool.raw[tool.name]);
            list.push(arena_, out);
          } else {
            GP_CHECK(common::drop_builtin(request_, tool, losses_));
          }
      }
    }
    if (list.empty()) return ok();
    body.add(arena_, "tools", list);
    if (!declarations.empty()) {
      choice(body);
    } else {
      common::report_forced_builtin(request_, losses_);
    }
    if (request_.parallel == 0) {
      losses_.dropped(request_.parallel_at, "the upstream cannot turn parallel calls off");
    }
    return ok();
  }

  Value empty_tool(std::string_view name) {
    auto out = Value::object();
    out.add(arena_, name, Value::object());
    return out;
  }

  void web_search(const Tool& tool, bool with_functions, Value& list) {
    if (with_functions && !profile_.gm_search_with_functions) {
      losses_.dropped(tool.at, "the model takes functions or web search, not both");
      return;
    }
    auto settings = Value::object();
    if (tool.blocked_domains.is_array()) {
      settings.add(arena_, "excludeDomains", tool.blocked_domains);
    }
    if (!tool.allowed_domains.is_null()) {
      losses_.dropped(tool.at, "no such domain filter upstream", "allowed_domains");
    }
    if (!tool.max_uses.is_null()) losses_.dropped(tool.at, "no such limit upstream", "max_uses");
    if (!tool.context_size.empty() && tool.context_size != "medium") {
      losses_.dropped(tool.at, "no such setting upstream", "search_context_size");
    }
    if (!tool.user_location.is_null()) {
      losses_.dropped(tool.at, "no such setting upstream", "user_location");
    }
    drop_cache(tool.cache, tool.at);
    auto out = Value::object();
    out.add(arena_, "googleSearch", settings);
    list.push(arena_, out);
  }

  Value declaration(const Tool& tool) {
    auto out = Value::object();
    out.add(arena_, "name", str(tool.name));
    bool custom = tool.kind == Tool::Kind::custom;
    if (custom) losses_.changed(tool.at, "custom tool sent as a function");
    auto description = custom ? common::custom_description(tool, arena_) : tool.description;
    if (!description.empty() || tool.has_description) {
      out.add(arena_, "description", str(description));
    }
    auto schema = custom ? common::custom_schema(arena_) : tool.schema;
    if (schema.is_object() && !schema.empty()) {
      if (tool.schema_is_openapi) {
        out.add(arena_, "parameters", schema);
      } else if (json_schema_) {
        out.add(arena_, "parametersJsonSchema", without_schema_ids(schema, arena_));
      } else if (auto cleaned = to_openapi(schema, arena_); !cleaned.is_null()) {
        out.add(arena_, "parameters", cleaned);
      }
    }
    if (tool.strict == 1) losses_.dropped(tool.at, "no strict tools upstream", "strict");
    if (request_.origin != Protocol::gemini) common::report_tool_extras(tool, losses_);
    drop_cache(tool.cache, tool.at);
    return out;
  }

  void choice(Value& body) {
    using Mode = ToolChoice::Mode;
    const auto& choice = request_.choice;
    auto config = Value::object();
    auto names = Value::array();
    switch (choice.mode) {
      case Mode::unset:
        return;
      case Mode::automatic:
      case Mode::subset_auto:
        config.add(arena_, "mode", str("AUTO"));
        break;
      case Mode::none:
        config.add(arena_, "mode", str("NONE"));
        break;
      case Mode::any:
        config.add(arena_, "mode", str("ANY"));
        break;
      case Mode::validated:
      case Mode::subset_any:
        config.add(arena_, "mode", str(choice.mode == Mode::validated ? "VALIDATED" : "ANY"));
        for (auto name : choice.names) names.push(arena_, str(name));
        break;
      case Mode::one:
        if (choice.builtin) return common::report_forced_builtin(request_, losses_);
        config.add(arena_, "mode", str("ANY"));
        names.push(arena_, str(choice.name));
        break;
    }
    if (!names.empty()) config.add(arena_, "allowedFunctionNames", names);
    auto holder = Value::object();
    holder.add(arena_, "functionCallingConfig", config);
    body.add(arena_, "toolConfig", holder);
  }

  // ---- generationConfig ----

  Result<Value> generation_config() {
    auto out = Value::object();
    const auto& p = request_.params;
    if (!context_.counting()) {
      for (const auto& [param, name] :
           {std::pair{&p.temperature, "temperature"}, std::pair{&p.top_p, "topP"},
            std::pair{&p.top_k, "topK"}, std::pair{&p.max_tokens, "maxOutputTokens"},
            std::pair{&p.presence_penalty, "presencePenalty"},
            std::pair{&p.frequency_penalty, "frequencyPenalty"}}) {
        if (*param) out.add(arena_, name, param->value);
      }
      seed(out);
      if (p.candidates && p.candidates.value.int_or(1) > 1) {
        out.add(arena_, "candidateCount", p.candidates.value);
      }
      auto stops = common::stop_list(request_, kMaxStops, context_);
      if (!stops.empty()) out.add(arena_, "stopSequences", stops);
      if (p.logprobs.value.as_bool()) {
        out.add(arena_, "responseLogprobs", Value::boolean(true));
        if (p.top_logprobs) out.add(arena_, "logprobs", p.top_logprobs.value);
      }
      GP_CHECK(modalities(out));
      if (request_.origin == Protocol::gemini) {
        if (p.media_resolution) out.add(arena_, "mediaResolution", p.media_resolution.value);
        if (p.image_config) out.add(arena_, "imageConfig", p.image_config.value);
      }
    }
    format(out);
    thinking(out);
    return out;
  }

  void seed(Value& out) {
    const auto& seed = request_.params.seed;
    if (!seed) return;
    int64_t value = seed.value.int_or(0);
    int64_t clamped = std::clamp<int64_t>(value, -kMaxSeed - 1, kMaxSeed);
    if (clamped != value) {
      losses_.changed(seed.at, "seeds have 32 bits upstream");
      out.add(arena_, "seed", Value::integer(arena_, clamped));
    } else {
      out.add(arena_, "seed", seed.value);
    }
  }

  Result<void> modalities(Value& out) {
    const auto& p = request_.params;
    if (!p.modalities) return ok();
    if (request_.origin == Protocol::gemini) {
      out.add(arena_, "responseModalities", p.modalities.value);
      if (p.speech_config) out.add(arena_, "speechConfig", p.speech_config.value);
      return ok();
    }
    bool audio = false;
    for (const auto& word : p.modalities.value.items()) audio = audio || word.str() == "audio";
    if (!audio) return ok();
    auto words = Value::array();
    words.push(arena_, str("AUDIO"));
    out.add(arena_, "responseModalities", words);
    // Voices have other names upstream: the profile says which one stands for them.
    if (!profile_.gm_voice.empty()) {
      auto prebuilt = Value::object();
      prebuilt.add(arena_, "voiceName", wire::own(arena_, profile_.gm_voice));
      auto voice = Value::object();
      voice.add(arena_, "prebuiltVoiceConfig", prebuilt);
      auto speech = Value::object();
      speech.add(arena_, "voiceConfig", voice);
      out.add(arena_, "speechConfig", speech);
    }
    if (p.audio) losses_.changed(p.audio.at, "voice and format are the upstream's");
    return ok();
  }

  void format(Value& out) {
    const auto& format = request_.format;
    switch (format.kind) {
      case OutputFormat::Kind::unset:
      case OutputFormat::Kind::text:
        return;
      case OutputFormat::Kind::json_object:
        out.add(arena_, "responseMimeType", str("application/json"));
        return;
      case OutputFormat::Kind::choice:
        out.add(arena_, "responseMimeType", str("text/x.enum"));
        break;
      case OutputFormat::Kind::json_schema:
        out.add(arena_, "responseMimeType", str("application/json"));
        break;
    }
    if (format.schema.is_null()) return;
    if (format.schema_is_openapi) {
      out.add(arena_, "responseSchema", format.schema);
    } else if (json_schema_) {
      out.add(arena_, "responseJsonSchema", without_schema_ids(format.schema, arena_));
    } else if (auto cleaned = to_openapi(format.schema, arena_); !cleaned.is_null()) {
      out.add(arena_, "responseSchema", cleaned);
    }
  }

  void thinking(Value& out) {
    const auto& reasoning = request_.reasoning;
    if (!reasoning.asked) return;
    auto config = Value::object();
    if (reasoning.raw_override) {
      if (!reasoning.level.empty()) {
        config.add(arena_, "thinkingLevel", str(reasoning.level));
      } else if (reasoning.effort == Effort::none) {
        config.add(arena_, "thinkingBudget", Value::integer(arena_, 0));
      } else if (reasoning.dynamic) {
        config.add(arena_, "thinkingBudget", Value::integer(arena_, -1));
      } else if (reasoning.budget > 0) {
        config.add(arena_, "thinkingBudget", Value::integer(arena_, reasoning.budget));
      }
      if (reasoning.visible) config.add(arena_, "includeThoughts", Value::boolean(true));
    } else {
      auto plan = gemini_thinking(reasoning, profile_);
      if (!plan.any) {
        if (profile_.gm_thinking == Profile::GmThinking::none && reasoning.effort != Effort::none) {
          losses_.dropped(reasoning.at, "the model does not think");
        }
        return;
      }
      if (plan.budget) {
        config.add(arena_, "thinkingBudget", Value::integer(arena_, *plan.budget));
        if (reasoning.effort == Effort::none && *plan.budget != 0) {
          losses_.changed(reasoning.at, "the model cannot stop thinking");
        } else if (reasoning.budget > 0 && *plan.budget != reasoning.budget) {
          losses_.changed(reasoning.at, "thinking budget within the model's limits");
        }
      } else if (!plan.level.empty()) {
        config.add(arena_, "thinkingLevel", str(plan.level));
        if (reasoning.effort != Effort::unset && to_lower(plan.level) != name(reasoning.effort)) {
          losses_.changed(reasoning.at, "nearest thinking level of the model");
        }
      }
      if (plan.include_thoughts) config.add(arena_, "includeThoughts", Value::boolean(true));
    }
    if (!config.empty()) out.add(arena_, "thinkingConfig", config);
  }

  void top_level(Value& body) {
    const auto& p = request_.params;
    bool native = request_.origin == Protocol::gemini;
    if (p.cached_content) body.add(arena_, "cachedContent", p.cached_content.value);
    if (context_.counting()) return;
    if (native) {
      if (p.safety_settings) body.add(arena_, "safetySettings", p.safety_settings.value);
      if (p.labels) body.add(arena_, "labels", p.labels.value);
      if (p.service_tier) body.add(arena_, "serviceTier", p.service_tier.value);
      return;
    }
    service_tier(body);
    if (p.metadata && profile_.gm_labels) {
      body.add(arena_, "labels", p.metadata.value);
    } else {
      wire::drop(p.metadata, losses_, "no metadata upstream");
    }
    wire::drop(p.user, losses_, "no user id upstream");
    wire::drop(p.safety_identifier, losses_, "no user id upstream");
    wire::drop(p.top_cache, losses_, "no cache markers upstream");
    Request rest = request_;
    rest.params.metadata = Param();
    common::report_openai_only(rest, losses_);
  }

  void service_tier(Value& body) {
    const auto& tier = request_.params.service_tier;
    if (!tier) return;
    auto word = tier.value.str();
    std::string_view sent = word == "default" || word == "standard_only" ? "standard"
                            : word == "flex"                             ? "flex"
                            : word == "priority"                         ? "priority"
                                                                         : "";
    if (!sent.empty()) {
      body.add(arena_, "serviceTier", str(sent));
    } else if (word != "auto") {
      losses_.dropped(tier.at, "no such tier upstream");
    }
  }

  Request& request_;
  EncodeContext& context_;
  const Profile& profile_;
  Arena& arena_;
  LossLog& losses_;
  const bool json_schema_;
};

}  // namespace

Result<Value> encode_request(Request& request, EncodeContext& context) {
  return Encoder(request, context).run();
}

}  // namespace gproxy::translate::gemini
