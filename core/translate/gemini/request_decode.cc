#include "base/strings.h"
#include "translate/arguments.h"
#include "translate/effort.h"
#include "translate/gemini/fields.h"
#include "translate/gemini/request.h"
#include "translate/gemini_framing.h"
#include "translate/media.h"
#include "translate/seal.h"
#include "translate/wire.h"

namespace gproxy::translate::gemini {

namespace {

using json::Value;

class Decoder {
 public:
  Decoder(const Value& body, DecodeContext& context)
      : outer_(body), context_(context), arena_(context.arena), losses_(context.losses) {}

  Result<Request*> run() {
    request_ = wire::make<Request>(arena_);
    request_->origin = Protocol::gemini;
    body_ = &outer_;
    if (context_.counting()) {
      GP_TRY(const auto* inner, object_field(outer_, "generateContentRequest", nullptr));
      if (inner != nullptr) {
        body_ = inner;
        root_ = wire::key(arena_, nullptr, "generateContentRequest");
      }
    }
    auto named = field(*body_, "model");
    if (named != nullptr) request_->model = bare_model(named->str());
    GP_CHECK(system());
    GP_CHECK(contents());
    GP_CHECK(tools());
    GP_CHECK(tool_config());
    GP_CHECK(generation_config());
    auto& p = request_->params;
    p.safety_settings = any_field(*body_, "safetySettings", root_, arena_);
    p.labels = any_field(*body_, "labels", root_, arena_);
    p.cached_content = any_field(*body_, "cachedContent", root_, arena_);
    p.service_tier = any_field(*body_, "serviceTier", root_, arena_);
    if (p.service_tier && !p.service_tier.value.is_string()) {
      return wire::wrong_type(p.service_tier.at, "a string", p.service_tier.value);
    }
    request_->stream = context_.operation == Operation::stream_generate;
    context_.context.framing = gemini_framing(context_.meta.query);
    report_unknown(
        *body_,
        {"contents", "systemInstruction", "tools", "toolConfig", "safetySettings", "cachedContent",
         "generationConfig", "serviceTier", "labels", "model", "generateContentRequest"},
        root_, losses_);
    return request_;
  }

 private:
  Result<void> system() {
    const auto* value = field(*body_, "systemInstruction");
    if (value == nullptr) return ok();
    const auto* at = wire::key(arena_, root_, "systemInstruction");
    auto add = [&](std::string_view text, const Path* here) {
      SystemSegment segment;
      segment.text = text;
      segment.at = here;
      request_->system.push(arena_, segment);
    };
    if (value->is_string()) {
      add(value->str(), at);
      return ok();
    }
    if (!value->is_object()) return wire::wrong_type(at, "an object", *value);
    const auto* parts_at = wire::key(arena_, at, "parts");
    size_t index = 0;
    for (const auto& part : list(field(*value, "parts"))) {
      const auto* here = wire::item(arena_, parts_at, index++);
      if (part.is_string()) {
        add(part.str(), here);
        continue;
      }
      if (!part.is_object()) return wire::wrong_type(here, "an object", part);
      if (field(part, "text") == nullptr) {
        losses_.dropped(here, "system text only");
        continue;
      }
      GP_TRY(auto text, text_field(part, "text", here));
      add(text, here);
    }
    return ok();
  }

  Result<void> contents() {
    const auto* value = field(*body_, "contents");
    if (value == nullptr) return wire::missing(root_, "contents");
    const auto* root = wire::key(arena_, root_, "contents");
    size_t index = 0;
    for (const auto& content : list(value)) {
      const auto* at = wire::item(arena_, root, index++);
      Message message;
      message.at = at;
      if (content.is_string()) {
        push(message, PartKind::text, at).text = content.str();
        request_->messages.push(arena_, message);
        continue;
      }
      if (!content.is_object()) return wire::wrong_type(at, "an object", content);
      report_unknown(content, {"role", "parts"}, at, losses_);
      GP_TRY(auto role, text_field(content, "role", at));
      if (role == "model" || role == "assistant") {
        message.role = Role::assistant;
        open_calls_.clear();
        first_open_ = 0;
      } else if (!role.empty() && role != "user" && role != "function" && role != "tool") {
        return bad_value(at, "expected user or model", "role");
      }
      const auto* parts_at = wire::key(arena_, at, "parts");
      size_t part_index = 0;
      for (const auto& part : list(field(content, "parts"))) {
        const auto* here = wire::item(arena_, parts_at, part_index++);
        if (part.is_string()) {
          end_thought(message);
          push(message, PartKind::text, here).text = part.str();
          continue;
        }
        if (!part.is_object()) return wire::wrong_type(here, "an object", part);
        GP_CHECK(decode_part(part, here, message));
      }
      end_thought(message);
      request_->messages.push(arena_, message);
    }
    return ok();
  }

  Part& push(Message& message, PartKind kind, const Path* at) {
    Part part;
    part.kind = kind;
    part.at = at;
    return message.parts.push(arena_, part);
  }

  Result<void> decode_part(const Value& value, const Path* at, Message& message) {
    GP_TRY(auto slot, text_field(value, "thoughtSignature", at));
    Unsealed signature;
    if (!slot.empty() && !is_skip_signature(slot)) signature = unseal_gemini(slot, arena_);
    bool thought = flag_field(value, "thought") && field(value, "text") != nullptr;
    if (!thought) end_thought(message);

    if (const auto* call = field(value, "functionCall"); call != nullptr) {
      place_foreign(signature, at, message);
      return function_call(*call, wire::key(arena_, at, "functionCall"), signature, message);
    }
    if (const auto* response = field(value, "functionResponse"); response != nullptr) {
      return function_response(*response, wire::key(arena_, at, "functionResponse"), message);
    }
    if (field(value, "inlineData") != nullptr || field(value, "fileData") != nullptr) {
      place_foreign(signature, at, message);
      GP_TRY(auto media, decode_media(value, at));
      message.parts.push(arena_, media);
      return ok();
    }
    if (const auto* code = field(value, "executableCode"); code != nullptr) {
      auto& part = push(message, PartKind::code, at);
      part.name = arena_.copy(to_lower((*code)["language"].str()));
      part.text = (*code)["code"].str();
      part.raw = value;
      return ok();
    }
    if (const auto* output = field(value, "codeExecutionResult"); output != nullptr) {
      auto& part = push(message, PartKind::code_result, at);
      part.text = (*output)["output"].str();
      part.raw = value;
      return ok();
    }
    if (field(value, "text") != nullptr || !slot.empty()) {
      GP_TRY(auto text, text_field(value, "text", at));
      if (thought) {
        thought_part(text, signature, at, message);
      } else {
        place_foreign(signature, at, message);
        Part part;
        part.at = at;
        part.text = text;
        if (native(signature)) part.opaque = signature.opaque;
        if (!text.empty() || part.opaque) message.parts.push(arena_, part);
      }
      return ok();
    }
    if (value.empty()) return ok();
    losses_.dropped(at, "unknown kind of part");
    return ok();
  }

  static bool native(const Unsealed& signature) {
    return signature.opaque.proto == Protocol::gemini;
  }

  // Thought text comes in pieces: they are one block until something else follows.
  void thought_part(std::string_view text, const Unsealed& signature, const Path* at,
                    Message& message) {
    bool continues = in_thought_ && !message.parts.empty() && !message.parts.back().opaque;
    if (!continues) {
      end_thought(message);
      push(message, PartKind::reasoning, at);
      in_thought_ = true;
    }
    thought_ += text;
    if (signature.opaque) {
      message.parts.back().opaque = signature.opaque;
      message.parts.back().redacted = signature.redacted;
    }
  }

  void end_thought(Message& message) {
    if (in_thought_) message.parts.back().text = arena_.copy(thought_);
    thought_.clear();
    in_thought_ = false;
  }

  // A sealed state of another provider stands on the part after its thought (2.12).
  void place_foreign(const Unsealed& signature, const Path* at, Message& message) {
    if (!signature.opaque || native(signature)) return;
    if (!message.parts.empty()) {
      auto& last = message.parts.back();
      if (last.kind == PartKind::reasoning && !last.opaque) {
        last.opaque = signature.opaque;
        last.redacted = signature.redacted;
        return;
      }
    }
    // Claude checks the signature against the text, and the text is gone.
    if (signature.opaque.proto == Protocol::claude && !signature.redacted) {
      losses_.dropped(at, "reasoning state without its text", "thoughtSignature");
      return;
    }
    auto& part = push(message, PartKind::reasoning, at);
    part.opaque = signature.opaque;
    part.redacted = signature.redacted;
  }

  Result<void> function_call(const Value& value, const Path* at, const Unsealed& signature,
                             Message& message) {
    if (!value.is_object()) return wire::wrong_type(at, "an object", value);
    Part part;
    part.kind = PartKind::call;
    part.at = at;
    part.call = wire::make<Call>(arena_);
    auto& call = *part.call;
    GP_TRY(call.id, text_field(value, "id", at));
    GP_TRY(call.name, text_field(value, "name", at));
    if (call.name.empty()) return wire::missing(at, "name");
    GP_TRY(const auto* args, object_field(value, "args", at));
    if (args != nullptr) {
      call.parsed = *args;
      if (is_openai(context_.context.upstream)) call.args = arena_.copy(json::write(*args));
    } else {
      call.args = "{}";
    }
    bool made_id = call.id.empty();
    if (made_id) {
      call.id = arena_.concat({"call_", std::to_string(request_->messages.size()), "_",
                               std::to_string(open_calls_.size())});
    }
    if (native(signature)) call.signature = signature.opaque;
    open_calls_.push_back({part.call, made_id, false});
    message.parts.push(arena_, part);
    return ok();
  }

  Result<void> function_response(const Value& value, const Path* at, Message& message) {
    if (!value.is_object()) return wire::wrong_type(at, "an object", value);
    Part part;
    part.kind = PartKind::result;
    part.at = at;
    part.result = wire::make<ToolResult>(arena_);
    auto& result = *part.result;
    GP_TRY(auto id, text_field(value, "id", at));
    GP_TRY(result.name, text_field(value, "name", at));
    result.id = pair_response(id, result.name);
    GP_TRY(const auto* response, object_field(value, "response", at));
    if (response != nullptr) read_response(*response, wire::key(arena_, at, "response"), result);
    const auto* parts_at = wire::key(arena_, at, "parts");
    size_t index = 0;
    for (const auto& piece : list(field(value, "parts"))) {
      const auto* here = wire::item(arena_, parts_at, index++);
      if (!piece.is_object()) return wire::wrong_type(here, "an object", piece);
      if (field(piece, "inlineData") == nullptr && field(piece, "fileData") == nullptr) {
        losses_.dropped(here, "unknown kind of part");
        continue;
      }
      GP_TRY(auto media, decode_media(piece, here));
      result.parts.push(arena_, media);
    }
    message.parts.push(arena_, part);
    return ok();
  }

  // Ids are optional: by id, then by name in order, then by position (2.0.5).
  std::string_view pair_response(std::string_view id, std::string_view name) {
    auto take = [&](auto&& fits) -> std::string_view {
      // In order, as a rule: what is answered in front is not looked at again.
      while (first_open_ < open_calls_.size() && open_calls_[first_open_].answered) ++first_open_;
      for (size_t i = first_open_; i < open_calls_.size(); ++i) {
        auto& open = open_calls_[i];
        if (open.answered || !fits(open)) continue;
        open.answered = true;
        return open.call->id;
      }
      return {};
    };
    std::string_view found;
    if (!id.empty()) {
      found = take([&](const OpenCall& open) { return open.call->id == id; });
      if (!found.empty()) return found;
      found = take([&](const OpenCall& open) { return open.made_id && open.call->name == name; });
      return found.empty() ? id : found;
    }
    found = take([&](const OpenCall& open) { return open.call->name == name; });
    if (found.empty()) found = take([](const OpenCall&) { return true; });
    return found.empty() ? arena_.concat({"function ", name}) : found;
  }

  void read_response(const Value& response, const Path* at, ToolResult& result) {
    Part text;
    text.kind = PartKind::text;
    text.at = at;
    if (response.size() == 1) {
      const auto& only = response.members()[0];
      bool plain = only.key == "output" || only.key == "result" || only.key == "content" ||
                   only.key == "error";
      if (plain && only.value.is_string()) {
        result.error = only.key == "error";
        text.text = only.value.str();
        if (!text.text.empty()) result.parts.push(arena_, text);
        return;
      }
    }
    if (response.empty()) return;
    text.text = arena_.copy(json::write(response));
    result.parts.push(arena_, text);
  }

  Result<Part> decode_media(const Value& value, const Path* at) {
    Part part;
    part.at = at;
    part.media = wire::make<Media>(arena_);
    auto& media = *part.media;
    if (const auto* inline_data = field(value, "inlineData"); inline_data != nullptr) {
      const auto* here = wire::key(arena_, at, "inlineData");
      if (!inline_data->is_object()) return wire::wrong_type(here, "an object", *inline_data);
      GP_TRY(auto data, text_field(*inline_data, "data", here));
      GP_TRY(auto mime, text_field(*inline_data, "mimeType", here));
      if (mime.empty()) return wire::missing(here, "mimeType");
      GP_TRY(media.name, text_field(*inline_data, "displayName", here));
      media.data = normal_base64(data, arena_);
      media.mime = lower_mime(mime, arena_);
      part.at = here;
    } else {
      const auto* file = field(value, "fileData");
      const auto* here = wire::key(arena_, at, "fileData");
      if (!file->is_object()) return wire::wrong_type(here, "an object", *file);
      GP_TRY(media.data, text_field(*file, "fileUri", here));
      if (media.data.empty()) return wire::missing(here, "fileUri");
      GP_TRY(auto mime, text_field(*file, "mimeType", here));
      media.mime = mime.empty() ? mime_of_name(media.data) : lower_mime(mime, arena_);
      media.source = Media::Source::url;
      if (media.data.find("generativelanguage.googleapis.com") != std::string_view::npos ||
          media.data.substr(0, 5) == "gs://" || media.data.substr(0, 6) == "files/") {
        media.source = Media::Source::file_id;
      }
      if (media.mime.empty() && (media.data.find("youtube.com/") != std::string_view::npos ||
                                 media.data.find("youtu.be/") != std::string_view::npos)) {
        media.mime = "video/*";
      }
      part.at = here;
    }
    part.kind = media.mime.empty() ? PartKind::document : part_kind_of(media.mime);
    if (const auto* metadata = field(value, "videoMetadata"); metadata != nullptr) {
      media.extra = *metadata;
    }
    if (const auto* resolution = field(value, "mediaResolution"); resolution != nullptr) {
      auto level = resolution->is_object() ? (*resolution)["level"].str() : resolution->str();
      media.detail = level.find("LOW") != std::string_view::npos    ? "low"
                     : level.find("HIGH") != std::string_view::npos ? "high"
                                                                    : "";
    }
    return part;
  }

  // ---- tools ----

  Result<void> tools() {
    const auto* root = wire::key(arena_, root_, "tools");
    size_t index = 0;
    for (const auto& item : list(field(*body_, "tools"))) {
      const auto* at = wire::item(arena_, root, index++);
      if (!item.is_object()) return wire::wrong_type(at, "an object", item);
      for (const auto& member : item.members()) {
        if (member.value.is_null()) continue;
        if (same_key(member.key, "functionDeclarations")) {
          GP_CHECK(declarations(member.value, wire::key(arena_, at, "functionDeclarations")));
          continue;
        }
        Tool tool;
        tool.at = wire::key(arena_, at, member.key);
        tool.name = member.key;
        tool.raw = item;
        if (same_key(member.key, "googleSearch") || same_key(member.key, "googleSearchRetrieval")) {
          tool.kind = Tool::Kind::web_search;
          if (const auto* excluded = field(member.value, "excludeDomains")) {
            tool.blocked_domains = *excluded;
          }
          context_.context.web_search = true;
        } else if (same_key(member.key, "urlContext")) {
          tool.kind = Tool::Kind::web_fetch;
        } else if (same_key(member.key, "codeExecution")) {
          tool.kind = Tool::Kind::code_execution;
        } else {
          tool.kind = Tool::Kind::builtin;
        }
        request_->tools.push(arena_, tool);
      }
    }
    return ok();
  }

  Result<void> declarations(const Value& value, const Path* root) {
    size_t index = 0;
    for (const auto& item : list(&value)) {
      const auto* at = wire::item(arena_, root, index++);
      if (!item.is_object()) return wire::wrong_type(at, "an object", item);
      Tool tool;
      tool.at = at;
      tool.raw = item;
      GP_TRY(tool.name, text_field(item, "name", at));
      if (tool.name.empty()) return wire::missing(at, "name");
      GP_TRY(tool.description, text_field(item, "description", at));
      tool.has_description = field(item, "description") != nullptr;
      GP_TRY(const auto* json_schema, object_field(item, "parametersJsonSchema", at));
      GP_TRY(const auto* schema, object_field(item, "parameters", at));
      if (json_schema != nullptr) {
        tool.schema = *json_schema;
      } else if (schema != nullptr) {
        tool.schema = *schema;
        tool.schema_is_openapi = true;
      }
      request_->tools.push(arena_, tool);
    }
    return ok();
  }

  Result<void> tool_config() {
    GP_TRY(const auto* config, object_field(*body_, "toolConfig", root_));
    if (config == nullptr) return ok();
    const auto* at = wire::key(arena_, root_, "toolConfig");
    report_unknown(*config, {"functionCallingConfig"}, at, losses_);
    GP_TRY(const auto* calling, object_field(*config, "functionCallingConfig", at));
    if (calling == nullptr) return ok();
    auto& choice = request_->choice;
    choice.at = wire::key(arena_, at, "functionCallingConfig");
    GP_TRY(auto mode, text_field(*calling, "mode", choice.at));
    for (const auto& name : list(field(*calling, "allowedFunctionNames"))) {
      if (name.is_string()) choice.names.push(arena_, name.str());
    }
    if (iequals(mode, "AUTO")) {
      choice.mode = ToolChoice::Mode::automatic;
    } else if (iequals(mode, "NONE")) {
      choice.mode = ToolChoice::Mode::none;
    } else if (iequals(mode, "VALIDATED")) {
      // With names it is a subset of which the model may use what it likes.
      choice.mode =
          choice.names.empty() ? ToolChoice::Mode::validated : ToolChoice::Mode::subset_auto;
    } else if (iequals(mode, "ANY")) {
      if (choice.names.size() == 1) {
        choice.mode = ToolChoice::Mode::one;
        choice.name = choice.names[0];
        choice.names.truncate(0);
      } else {
        choice.mode = choice.names.empty() ? ToolChoice::Mode::any : ToolChoice::Mode::subset_any;
      }
    } else if (!mode.empty() && !iequals(mode, "MODE_UNSPECIFIED")) {
      losses_.dropped(choice.at, "unknown mode", "mode");
    }
    return ok();
  }

  // ---- generationConfig ----

  Result<void> generation_config() {
    GP_TRY(const auto* config, object_field(*body_, "generationConfig", root_));
    if (config == nullptr) return ok();
    const auto* at = wire::key(arena_, root_, "generationConfig");
    report_unknown(
        *config,
        {"temperature", "topP", "topK", "candidateCount", "maxOutputTokens", "stopSequences",
         "responseLogprobs", "logprobs", "presencePenalty", "frequencyPenalty", "seed",
         "responseMimeType", "responseSchema", "responseJsonSchema", "responseModalities",
         "mediaResolution", "speechConfig", "thinkingConfig", "imageConfig"},
        at, losses_);
    auto& p = request_->params;
    GP_TRY(p.temperature, number_field(*config, "temperature", Number::real, at, arena_));
    GP_TRY(p.top_p, number_field(*config, "topP", Number::real, at, arena_));
    GP_TRY(p.top_k, number_field(*config, "topK", Number::real, at, arena_));
    if (auto whole = p.top_k.value.as_int()) p.top_k.value = Value::integer(arena_, *whole);
    GP_TRY(p.candidates, number_field(*config, "candidateCount", Number::integer, at, arena_));
    GP_TRY(p.max_tokens, number_field(*config, "maxOutputTokens", Number::integer, at, arena_));
    GP_TRY(p.presence_penalty, number_field(*config, "presencePenalty", Number::real, at, arena_));
    GP_TRY(p.frequency_penalty,
           number_field(*config, "frequencyPenalty", Number::real, at, arena_));
    GP_TRY(p.seed, number_field(*config, "seed", Number::integer, at, arena_));
    GP_TRY(p.top_logprobs, number_field(*config, "logprobs", Number::integer, at, arena_));
    p.logprobs = any_field(*config, "responseLogprobs", at, arena_);
    p.stop = any_field(*config, "stopSequences", at, arena_);
    if (p.stop && !p.stop.value.is_string() && !p.stop.value.is_array()) {
      return wire::wrong_type(p.stop.at, "an array", p.stop.value);
    }
    p.media_resolution = any_field(*config, "mediaResolution", at, arena_);
    p.speech_config = any_field(*config, "speechConfig", at, arena_);
    p.image_config = any_field(*config, "imageConfig", at, arena_);
    context_.context.logprobs = p.logprobs.value.as_bool();
    modalities(*config, at);
    GP_CHECK(format(*config, at));
    return thinking(*config, at);
  }

  void modalities(const Value& config, const Path* at) {
    auto param = any_field(config, "responseModalities", at, arena_);
    if (!param) return;
    bool other_than_text = false;
    auto words = Value::array();
    for (const auto& word : list(&param.value)) {
      if (!word.is_string() || iequals(word.str(), "MODALITY_UNSPECIFIED")) continue;
      other_than_text = other_than_text || !iequals(word.str(), "TEXT");
      words.push(arena_, word);
    }
    if (!other_than_text) return;
    param.value = words;
    request_->params.modalities = param;
  }

  Result<void> format(const Value& config, const Path* at) {
    GP_TRY(auto mime, text_field(config, "responseMimeType", at));
    GP_TRY(const auto* json_schema, object_field(config, "responseJsonSchema", at));
    GP_TRY(const auto* schema, object_field(config, "responseSchema", at));
    auto& format = request_->format;
    if (json_schema != nullptr) {
      format.schema = *json_schema;
      format.at = wire::key(arena_, at, "responseJsonSchema");
    } else if (schema != nullptr) {
      format.schema = *schema;
      format.schema_is_openapi = true;
      format.at = wire::key(arena_, at, "responseSchema");
    } else {
      format.at = wire::key(arena_, at, "responseMimeType");
    }
    bool has_schema = !format.schema.is_null();
    if (mime == "text/x.enum") {
      format.kind = OutputFormat::Kind::choice;
    } else if (mime == "application/json" || (mime.empty() && has_schema)) {
      format.kind = has_schema ? OutputFormat::Kind::json_schema : OutputFormat::Kind::json_object;
    } else if (mime == "text/plain") {
      format.kind = OutputFormat::Kind::text;
    } else if (!mime.empty()) {
      losses_.dropped(format.at, "unknown response type");
    }
    return ok();
  }

  Result<void> thinking(const Value& config, const Path* at) {
    GP_TRY(const auto* thinking, object_field(config, "thinkingConfig", at));
    if (thinking == nullptr) return ok();
    const auto* here = wire::key(arena_, at, "thinkingConfig");
    auto& reasoning = request_->reasoning;
    reasoning.asked = true;
    reasoning.at = here;
    reasoning.visible = flag_field(*thinking, "includeThoughts");
    context_.context.include_thoughts = reasoning.visible;
    GP_TRY(auto budget, number_field(*thinking, "thinkingBudget", Number::integer, here, arena_));
    GP_TRY(auto level, text_field(*thinking, "thinkingLevel", here));
    if (budget) {
      int64_t tokens = budget.value.int_or(-1);
      if (tokens == 0) {
        reasoning.effort = Effort::none;
        reasoning.visible = false;
      } else if (tokens < 0) {
        reasoning.dynamic = true;
      } else {
        reasoning.budget = tokens;
      }
    } else if (!level.empty()) {
      auto effort = parse_effort(to_lower(level));
      if (effort) {
        reasoning.effort = *effort;
      } else if (!iequals(level, "THINKING_LEVEL_UNSPECIFIED")) {
        losses_.dropped(here, "unknown thinking level", "thinkingLevel");
      }
    }
    return ok();
  }

  struct OpenCall {
    Call* call;
    bool made_id;
    bool answered;
  };

  const Value& outer_;
  DecodeContext& context_;
  Arena& arena_;
  LossLog& losses_;
  const Value* body_ = nullptr;
  const Path* root_ = nullptr;
  Request* request_ = nullptr;
  std::vector<OpenCall> open_calls_;  // of the last model content
  size_t first_open_ = 0;
  std::string thought_;  // text of the reasoning part at the end of the message
  bool in_thought_ = false;
};

}  // namespace

Result<Request*> decode_request(const Value& body, DecodeContext& context) {
  return Decoder(body, context).run();
}

}  // namespace gproxy::translate::gemini
