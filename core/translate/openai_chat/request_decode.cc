#include <unordered_map>

#include "translate/arguments.h"
#include "translate/media.h"
#include "translate/openai_chat/request.h"
#include "translate/openai_common.h"
#include "translate/seal.h"
#include "translate/wire.h"

namespace gproxy::translate::openai_chat {

namespace {

using json::Value;
using wire::Want;

class Decoder {
 public:
  Decoder(const Value& body, DecodeContext& context)
      : body_(body), context_(context), arena_(context.arena), losses_(context.losses) {}

  Result<Request*> run() {
    request_ = wire::make<Request>(arena_);
    request_->origin = Protocol::openai_chat;
    GP_TRY(request_->model, wire::text(body_, "model", nullptr));
    GP_CHECK(messages());
    GP_CHECK(tools());
    GP_CHECK(tool_choice());
    GP_CHECK(format());
    GP_CHECK(reasoning());
    GP_CHECK(params());
    wire::report_unknown(body_,
                         {"messages",
                          "model",
                          "audio",
                          "frequency_penalty",
                          "presence_penalty",
                          "function_call",
                          "functions",
                          "logit_bias",
                          "logprobs",
                          "top_logprobs",
                          "max_completion_tokens",
                          "max_tokens",
                          "metadata",
                          "modalities",
                          "moderation",
                          "n",
                          "parallel_tool_calls",
                          "prediction",
                          "prompt_cache_key",
                          "prompt_cache_options",
                          "prompt_cache_retention",
                          "reasoning_effort",
                          "response_format",
                          "safety_identifier",
                          "user",
                          "seed",
                          "service_tier",
                          "stop",
                          "store",
                          "stream",
                          "stream_options",
                          "temperature",
                          "top_p",
                          "tool_choice",
                          "tools",
                          "verbosity",
                          "web_search_options",
                          "extra_body"},
                         nullptr, losses_);
    return request_;
  }

 private:
  Part& push(Message& message, PartKind kind, const Path* at) {
    Part part;
    part.kind = kind;
    part.at = at;
    return message.parts.push(arena_, part);
  }

  // ---- messages ----

  Result<void> messages() {
    GP_TRY(const auto* list, wire::array(body_, "messages", nullptr));
    if (list == nullptr) return wire::missing(nullptr, "messages");
    const auto* root = wire::key(arena_, nullptr, "messages");
    size_t index = 0;
    for (const auto& item : list->items()) {
      const auto* at = wire::item(arena_, root, index++);
      if (!item.is_object()) return wire::wrong_type(at, "an object", item);
      GP_TRY(auto role, wire::required_text(item, "role", at));
      if (role == "system" || role == "developer") {
        GP_CHECK(system(item, role == "developer", at));
      } else if (role == "user") {
        GP_CHECK(user(item, at));
      } else if (role == "assistant") {
        GP_CHECK(assistant(item, at));
      } else if (role == "tool") {
        GP_CHECK(tool(item, at));
      } else if (role == "function") {
        GP_CHECK(function(item, at));
      } else {
        return bad_value(at, "expected developer, system, user, assistant, tool or function",
                         "role");
      }
    }
    return ok();
  }

  Result<void> system(const Value& item, bool developer, const Path* at) {
    wire::report_unknown(item, {"role", "content", "name", "cache_control"}, at, losses_);
    if (wire::get(item, "name") != nullptr) losses_.dropped(at, "no names upstream", "name");
    Message holder;
    GP_CHECK(content(item, "content", at, holder));
    auto marker = openai::decode_cache(item, arena_);
    if (request_->messages.empty()) {
      for (const auto& part : holder.parts) {
        if (part.kind != PartKind::text) continue;
        SystemSegment segment;
        segment.text = part.text;
        segment.developer = developer;
        segment.cache = part.cache.is_null() ? marker : part.cache;
        segment.at = at;
        request_->system.push(arena_, segment);
      }
      return ok();
    }
    holder.role = Role::system;
    holder.developer = developer;
    holder.at = at;
    request_->messages.push(arena_, holder);
    return ok();
  }

  Result<void> user(const Value& item, const Path* at) {
    wire::report_unknown(item, {"role", "content", "name", "cache_control"}, at, losses_);
    if (wire::get(item, "name") != nullptr) losses_.dropped(at, "no names upstream", "name");
    Message message;
    message.role = Role::user;
    message.at = at;
    GP_CHECK(content(item, "content", at, message));
    auto marker = openai::decode_cache(item, arena_);
    if (!marker.is_null() && !message.parts.empty()) message.parts.back().cache = marker;
    request_->messages.push(arena_, message);
    return ok();
  }

  // A string, or parts. Absent or null: none.
  Result<void> content(const Value& holder, std::string_view name, const Path* at, Message& out) {
    const auto* value = wire::get(holder, name);
    if (value == nullptr) return ok();
    const auto* here = wire::key(arena_, at, name);
    if (value->is_string()) {
      push(out, PartKind::text, here).text = value->str();
      return ok();
    }
    if (!value->is_array()) return wire::wrong_type(here, "a string or an array", *value);
    size_t index = 0;
    for (const auto& part : value->items()) {
      const auto* part_at = wire::item(arena_, here, index++);
      if (part.is_string()) {
        push(out, PartKind::text, part_at).text = part.str();
        continue;
      }
      if (!part.is_object()) return wire::wrong_type(part_at, "an object", part);
      GP_CHECK(content_part(part, part_at, out));
    }
    return ok();
  }

  Result<void> content_part(const Value& part, const Path* at, Message& out) {
    GP_TRY(auto type, wire::required_text(part, "type", at));
    auto marker = openai::decode_cache(part, arena_);
    size_t before = out.parts.size();
    if (type == "text" || type == "input_text" || type == "output_text") {
      GP_TRY(auto text, wire::required_text(part, "text", at));
      push(out, PartKind::text, at).text = text;
    } else if (type == "refusal") {
      GP_TRY(auto text, wire::required_text(part, "refusal", at));
      push(out, PartKind::refusal, at).text = text;
    } else if (type == "image_url") {
      const auto* holder = wire::get(part, "image_url");
      if (holder == nullptr) return wire::missing(at, "image_url");
      const auto* here = wire::key(arena_, at, "image_url");
      std::string_view url, detail;
      if (holder->is_string()) {
        url = holder->str();  // as many clients write it
      } else if (holder->is_object()) {
        GP_TRY(url, wire::required_text(*holder, "url", here));
        GP_TRY(detail, wire::text(*holder, "detail", here));
        here = wire::key(arena_, here, "url");
      } else {
        return wire::wrong_type(here, "an object", *holder);
      }
      GP_TRY(auto image, openai::decode_image_url(url, detail, here, arena_));
      out.parts.push(arena_, image);
    } else if (type == "input_audio") {
      GP_TRY(const auto* audio, wire::object(part, "input_audio", at));
      if (audio == nullptr) return wire::missing(at, "input_audio");
      const auto* here = wire::key(arena_, at, "input_audio");
      GP_TRY(auto data, wire::required_text(*audio, "data", here));
      GP_TRY(auto format, wire::required_text(*audio, "format", here));
      auto& added = push(out, PartKind::audio, here);
      added.media = wire::make<Media>(arena_);
      if (auto parsed = parse_data_url(data, arena_)) {
        added.media->data = parsed->base64;
      } else {
        added.media->data = normal_base64(data, arena_);
      }
      added.media->mime = audio_mime(format);
      if (added.media->mime.empty()) added.media->mime = arena_.concat({"audio/", format});
    } else if (type == "file") {
      GP_TRY(const auto* file, wire::object(part, "file", at));
      if (file == nullptr) return wire::missing(at, "file");
      GP_TRY(auto added, openai::decode_file(*file, wire::key(arena_, at, "file"), context_));
      out.parts.push(arena_, added);
    } else {
      losses_.dropped(at, "unknown content part");
      return ok();
    }
    if (!marker.is_null() && out.parts.size() > before) out.parts.back().cache = marker;
    return ok();
  }

  Result<void> assistant(const Value& item, const Path* at) {
    wire::report_unknown(
        item,
        {"role", "content", "refusal", "tool_calls", "function_call", "audio", "name",
         "reasoning_content", "reasoning", "thinking_blocks", "annotations", "cache_control"},
        at, losses_);
    if (wire::get(item, "name") != nullptr) losses_.dropped(at, "no names upstream", "name");
    if (wire::get(item, "audio") != nullptr) {
      losses_.dropped(at, "audio is bound to the provider that made it", "audio");
    }
    Message message;
    message.role = Role::assistant;
    message.at = at;
    GP_CHECK(assistant_reasoning(item, at, message));
    GP_CHECK(content(item, "content", at, message));
    GP_TRY(auto refusal, wire::text(item, "refusal", at));
    if (!refusal.empty()) {
      push(message, PartKind::refusal, wire::key(arena_, at, "refusal")).text = refusal;
    }
    auto marker = openai::decode_cache(item, arena_);
    if (!marker.is_null() && !message.parts.empty()) message.parts.back().cache = marker;
    GP_TRY(const auto* calls, wire::array(item, "tool_calls", at));
    if (calls != nullptr) {
      const auto* root = wire::key(arena_, at, "tool_calls");
      size_t index = 0;
      for (const auto& call : calls->items()) {
        GP_CHECK(tool_call(call, wire::item(arena_, root, index++), message));
      }
    }
    GP_TRY(const auto* legacy, wire::object(item, "function_call", at));
    if (legacy != nullptr) {
      const auto* here = wire::key(arena_, at, "function_call");
      auto& part = push(message, PartKind::call, here);
      part.call = wire::make<Call>(arena_);
      GP_TRY(part.call->name, wire::required_text(*legacy, "name", here));
      GP_TRY(part.call->args, wire::text(*legacy, "arguments", here));
      part.call->id = arena_.copy("call_fn_" + std::to_string(legacy_calls_++));
      pending_functions_.push_back(part.call);
    }
    request_->messages.push(arena_, message);
    return ok();
  }

  Result<void> assistant_reasoning(const Value& item, const Path* at, Message& message) {
    bool found = false;
    GP_TRY(const auto* blocks, wire::array(item, "thinking_blocks", at));
    if (blocks != nullptr) {
      const auto* root = wire::key(arena_, at, "thinking_blocks");
      size_t index = 0;
      for (const auto& block : blocks->items()) {
        const auto* here = wire::item(arena_, root, index++);
        if (!block.is_object()) return wire::wrong_type(here, "an object", block);
        GP_TRY(auto type, wire::text(block, "type", here));
        auto& part = push(message, PartKind::reasoning, here);
        if (type == "redacted_thinking") {
          GP_TRY(auto data, wire::text(block, "data", here));
          auto opened = unseal(data, Protocol::claude, arena_);
          part.redacted = true;
          part.opaque = opened.opaque;
        } else {
          GP_TRY(part.text, wire::text(block, "thinking", here));
          GP_TRY(auto signature, wire::text(block, "signature", here));
          if (!signature.empty()) {
            auto opened = unseal(signature, Protocol::claude, arena_);
            part.opaque = opened.opaque;
            part.redacted = opened.redacted;
          }
        }
        found = true;
      }
    }
    if (found) return ok();
    for (auto name : {"reasoning_content", "reasoning"}) {
      const auto* value = wire::get(item, name);
      if (value == nullptr || !value->is_string() || value->str().empty()) continue;
      push(message, PartKind::reasoning, wire::key(arena_, at, name)).text = value->str();
      break;
    }
    return ok();
  }

  Result<void> tool_call(const Value& call, const Path* at, Message& message) {
    if (!call.is_object()) return wire::wrong_type(at, "an object", call);
    GP_TRY(auto id, wire::text(call, "id", at));
    GP_TRY(auto type, wire::text(call, "type", at));
    bool custom = type == "custom" || (type.empty() && wire::get(call, "custom") != nullptr);
    std::string_view holder_name = custom ? "custom" : "function";
    GP_TRY(const auto* holder, wire::object(call, holder_name, at));
    if (holder == nullptr) return wire::missing(at, holder_name);
    const auto* here = wire::key(arena_, at, holder_name);
    Part part;
    part.kind = PartKind::call;
    part.at = at;
    part.call = wire::make<Call>(arena_);
    part.call->id = id;
    part.call->kind = custom ? Call::Kind::custom : Call::Kind::function;
    GP_TRY(part.call->name, wire::required_text(*holder, "name", here));
    if (custom) {
      GP_TRY(part.call->args, wire::text(*holder, "input", here));
    } else if (const auto* args = wire::get(*holder, "arguments"); args != nullptr) {
      part.call->args = args->is_string() ? args->str() : arena_.copy(json::write(*args));
    }
    GP_CHECK(call_signature(call, id, part, message));
    message.parts.push(arena_, part);
    return ok();
  }

  // extra_content.google.thought_signature, else the gateway's own cache.
  Result<void> call_signature(const Value& call, std::string_view id, Part& part,
                              Message& message) {
    auto signature = call["extra_content"]["google"]["thought_signature"].str();
    Unsealed opened;
    if (!signature.empty()) {
      opened = unseal_gemini(signature, arena_);
    } else if (context_.options.opaque_cache != nullptr) {
      auto kept = context_.options.opaque_cache->find(id);
      if (kept.empty()) return ok();
      opened = unseal(arena_.copy(kept), Protocol::none, arena_);
      if (!opened.sealed) return ok();
    } else {
      return ok();
    }
    if (opened.opaque.proto == Protocol::gemini) {
      part.call->signature = opened.opaque;
      return ok();
    }
    // State of the whole turn: it stands before the call, unless the client sent it back itself.
    for (const auto& earlier : message.parts) {
      if (earlier.kind == PartKind::reasoning && earlier.opaque) return ok();
    }
    if (opened.opaque.proto == Protocol::claude && !opened.redacted) return ok();  // text is gone
    Part reasoning;
    reasoning.kind = PartKind::reasoning;
    reasoning.opaque = opened.opaque;
    reasoning.redacted = opened.redacted;
    reasoning.at = part.at;
    message.parts.push(arena_, reasoning);
    return ok();
  }

  Message& results_message(const Path* at) {
    if (!request_->messages.empty()) {
      auto& last = request_->messages.back();
      if (last.role == Role::user && !last.parts.empty() &&
          last.parts.back().kind == PartKind::result) {
        return last;
      }
    }
    Message message;
    message.role = Role::user;
    message.at = at;
    return request_->messages.push(arena_, message);
  }

  Result<void> result(const Value& item, std::string_view id, const Path* at) {
    Message holder;
    GP_CHECK(content(item, "content", at, holder));
    auto& message = results_message(at);
    auto& part = push(message, PartKind::result, at);
    part.result = wire::make<ToolResult>(arena_);
    part.result->id = id;
    part.result->parts = holder.parts;
    part.cache = openai::decode_cache(item, arena_);
    if (part.cache.is_null() && !holder.parts.empty()) part.cache = holder.parts.back().cache;
    return ok();
  }

  Result<void> tool(const Value& item, const Path* at) {
    wire::report_unknown(item, {"role", "content", "tool_call_id", "name", "cache_control"}, at,
                         losses_);
    GP_TRY(auto id, wire::required_text(item, "tool_call_id", at));
    return result(item, id, at);
  }

  Result<void> function(const Value& item, const Path* at) {
    GP_TRY(auto name, wire::required_text(item, "name", at));
    std::string_view id = arena_.concat({"function ", name});
    for (size_t i = 0; i < pending_functions_.size(); ++i) {
      if (pending_functions_[i]->name != name) continue;
      id = pending_functions_[i]->id;
      pending_functions_.erase(pending_functions_.begin() + static_cast<long>(i));
      break;
    }
    return result(item, id, at);
  }

  // ---- tools ----

  Result<Tool> function_tool(const Value& holder, const Path* at) {
    Tool tool;
    tool.at = at;
    GP_TRY(tool.name, wire::required_text(holder, "name", at));
    GP_TRY(tool.description, wire::text(holder, "description", at));
    tool.has_description = wire::get(holder, "description") != nullptr;
    GP_TRY(const auto* schema, wire::object(holder, "parameters", at));
    if (schema != nullptr) tool.schema = *schema;
    GP_TRY(tool.strict, wire::flag(holder, "strict", at));
    return tool;
  }

  Result<void> tools() {
    GP_TRY(const auto* list, wire::array(body_, "tools", nullptr));
    if (list != nullptr) {
      const auto* root = wire::key(arena_, nullptr, "tools");
      size_t index = 0;
      for (const auto& item : list->items()) {
        const auto* at = wire::item(arena_, root, index++);
        if (!item.is_object()) return wire::wrong_type(at, "an object", item);
        GP_TRY(auto type, wire::text(item, "type", at));
        if (type == "function" || (type.empty() && wire::get(item, "function") != nullptr)) {
          GP_TRY(const auto* holder, wire::object(item, "function", at));
          if (holder == nullptr) return wire::missing(at, "function");
          GP_TRY(auto tool, function_tool(*holder, wire::key(arena_, at, "function")));
          tool.cache = openai::decode_cache(item, arena_);
          request_->tools.push(arena_, tool);
        } else if (type == "custom") {
          GP_TRY(const auto* holder, wire::object(item, "custom", at));
          if (holder == nullptr) return wire::missing(at, "custom");
          const auto* here = wire::key(arena_, at, "custom");
          Tool tool;
          tool.kind = Tool::Kind::custom;
          tool.at = here;
          GP_TRY(tool.name, wire::required_text(*holder, "name", here));
          GP_TRY(tool.description, wire::text(*holder, "description", here));
          tool.has_description = wire::get(*holder, "description") != nullptr;
          if (const auto* format = wire::get(*holder, "format")) {
            // Chat nests the grammar: {type:"grammar",grammar:{syntax,definition}}.
            tool.format = flat_format(*format);
          }
          request_->tools.push(arena_, tool);
        } else {
          Tool tool;
          tool.kind = Tool::Kind::builtin;
          tool.name = type;
          tool.raw = item;
          tool.at = at;
          request_->tools.push(arena_, tool);
        }
      }
    }
    GP_TRY(const auto* legacy, wire::array(body_, "functions", nullptr));
    if (legacy != nullptr) {
      const auto* root = wire::key(arena_, nullptr, "functions");
      size_t index = 0;
      for (const auto& item : legacy->items()) {
        const auto* at = wire::item(arena_, root, index++);
        if (!item.is_object()) return wire::wrong_type(at, "an object", item);
        GP_TRY(auto tool, function_tool(item, at));
        request_->tools.push(arena_, tool);
      }
    }
    GP_TRY(const auto* search, wire::object(body_, "web_search_options", nullptr));
    if (search != nullptr) {
      Tool tool;
      tool.kind = Tool::Kind::web_search;
      tool.name = "web_search";
      tool.at = wire::key(arena_, nullptr, "web_search_options");
      GP_TRY(tool.context_size, wire::text(*search, "search_context_size", tool.at));
      tool.user_location = openai::flat_location((*search)["user_location"], arena_);
      request_->tools.push(arena_, tool);
      context_.context.web_search = true;
    }
    return ok();
  }

  Value flat_format(const Value& format) {
    const auto& grammar = format["grammar"];
    if (!grammar.is_object()) return format;
    auto flat = Value::object();
    flat.add(arena_, "type", format["type"]);
    for (const auto& member : grammar.members()) flat.add(arena_, member.key, member.value);
    return flat;
  }

  Result<void> tool_choice() {
    auto& choice = request_->choice;
    const auto* value = wire::get(body_, "tool_choice");
    choice.at = wire::key(arena_, nullptr, "tool_choice");
    if (value == nullptr) {
      value = wire::get(body_, "function_call");
      if (value == nullptr) return ok();
      choice.at = wire::key(arena_, nullptr, "function_call");
      if (value->is_object()) {
        choice.mode = ToolChoice::Mode::one;
        GP_TRY(choice.name, wire::required_text(*value, "name", choice.at));
        return ok();
      }
    }
    if (value->is_string()) {
      auto word = value->str();
      if (word == "none") {
        choice.mode = ToolChoice::Mode::none;
      } else if (word == "auto") {
        choice.mode = ToolChoice::Mode::automatic;
      } else if (word == "required" || word == "any") {
        choice.mode = ToolChoice::Mode::any;
      } else {
        return bad_value(choice.at, "expected none, auto, required or an object");
      }
      return ok();
    }
    if (!value->is_object()) return wire::wrong_type(choice.at, "a string or an object", *value);
    GP_TRY(auto type, wire::required_text(*value, "type", choice.at));
    if (type == "function" || type == "custom") {
      GP_TRY(const auto* holder, wire::object(*value, type, choice.at));
      if (holder == nullptr) return wire::missing(choice.at, type);
      choice.mode = ToolChoice::Mode::one;
      choice.custom = type == "custom";
      GP_TRY(choice.name, wire::required_text(*holder, "name", wire::key(arena_, choice.at, type)));
    } else if (type == "allowed_tools") {
      GP_TRY(const auto* holder, wire::object(*value, "allowed_tools", choice.at));
      if (holder == nullptr) return wire::missing(choice.at, "allowed_tools");
      const auto* here = wire::key(arena_, choice.at, "allowed_tools");
      GP_TRY(auto mode, wire::text(*holder, "mode", here));
      choice.mode =
          mode == "required" ? ToolChoice::Mode::subset_any : ToolChoice::Mode::subset_auto;
      GP_TRY(const auto* list, wire::array(*holder, "tools", here));
      if (list == nullptr) return wire::missing(here, "tools");
      for (const auto& tool : list->items()) {
        auto kind = tool["type"].str();
        auto name =
            kind == "custom" ? tool["custom"]["name"].str() : tool["function"]["name"].str();
        if (name.empty()) name = tool["name"].str();
        if (!name.empty()) choice.names.push(arena_, name);
      }
    } else {
      choice.mode = ToolChoice::Mode::one;
      choice.builtin = true;
      choice.name = type;
    }
    return ok();
  }

  // ---- the rest ----

  Result<void> format() {
    GP_TRY(const auto* value, wire::object(body_, "response_format", nullptr));
    if (value == nullptr) return ok();
    const auto* at = wire::key(arena_, nullptr, "response_format");
    GP_TRY(request_->format, openai::decode_format(*value, (*value)["json_schema"], at, context_));
    return ok();
  }

  Result<void> reasoning() {
    auto& reasoning = request_->reasoning;
    if (const auto* word = wire::get(body_, "reasoning_effort")) {
      GP_CHECK(
          openai::decode_effort(*word, wire::key(arena_, nullptr, "reasoning_effort"), *request_));
      reasoning.visible = context_.options.chat_reasoning_ext && reasoning.effort != Effort::none;
    }
    // Google's own compatible form wins over the word.
    const auto& google = body_["extra_body"]["google"];
    if (const auto* config = wire::get(google, "thinking_config"); config != nullptr) {
      const auto* at = wire::key(arena_, wire::key(arena_, nullptr, "extra_body"), "google");
      reasoning.asked = true;
      reasoning.at = at;
      reasoning.raw_override = true;
      if (const auto* budget = wire::get(*config, "thinking_budget")) {
        auto tokens = budget->as_int();
        if (!tokens) return wire::wrong_type(at, "an integer", *budget);
        set_budget(*tokens);
      } else if (const auto* level = wire::get(*config, "thinking_level")) {
        reasoning.level = level->str();
      }
      reasoning.visible = (*config)["include_thoughts"].as_bool(reasoning.visible);
    }
    if (const auto* cached = wire::get(google, "cached_content"); cached != nullptr) {
      request_->params.cached_content.value = *cached;
      request_->params.cached_content.at =
          wire::key(arena_, wire::key(arena_, nullptr, "extra_body"), "google.cached_content");
    }
    if (const auto* extra = wire::get(body_, "extra_body"); extra != nullptr) {
      wire::report_unknown(*extra, {"google"}, wire::key(arena_, nullptr, "extra_body"), losses_);
    }
    return ok();
  }

  void set_budget(int64_t tokens) {
    auto& reasoning = request_->reasoning;
    reasoning.effort = tokens == 0 ? Effort::none : Effort::unset;
    reasoning.dynamic = tokens < 0;
    reasoning.budget = tokens > 0 ? tokens : -1;
  }

  Result<void> params() {
    auto& p = request_->params;
    GP_CHECK(openai::decode_params(body_, *request_, context_));
    GP_TRY(p.max_tokens,
           wire::param(body_, "max_completion_tokens", Want::integer, nullptr, arena_));
    GP_TRY(auto old_max, wire::param(body_, "max_tokens", Want::integer, nullptr, arena_));
    if (!p.max_tokens) p.max_tokens = old_max;
    GP_TRY(p.frequency_penalty,
           wire::param(body_, "frequency_penalty", Want::number, nullptr, arena_));
    GP_TRY(p.presence_penalty,
           wire::param(body_, "presence_penalty", Want::number, nullptr, arena_));
    GP_TRY(p.seed, wire::param(body_, "seed", Want::integer, nullptr, arena_));
    GP_TRY(p.logit_bias, wire::param(body_, "logit_bias", Want::object, nullptr, arena_));
    GP_TRY(p.candidates, wire::param(body_, "n", Want::integer, nullptr, arena_));
    GP_TRY(p.logprobs, wire::param(body_, "logprobs", Want::boolean, nullptr, arena_));
    GP_TRY(p.verbosity, wire::param(body_, "verbosity", Want::string, nullptr, arena_));
    GP_TRY(p.prediction, wire::param(body_, "prediction", Want::object, nullptr, arena_));
    GP_TRY(p.modalities, wire::param(body_, "modalities", Want::array, nullptr, arena_));
    GP_TRY(p.audio, wire::param(body_, "audio", Want::object, nullptr, arena_));
    GP_TRY(p.stop, wire::param(body_, "stop", Want::any, nullptr, arena_));
    if (p.stop && !p.stop.value.is_string() && !p.stop.value.is_array()) {
      return wire::wrong_type(p.stop.at, "a string or an array", p.stop.value);
    }
    GP_TRY(auto stream, wire::flag(body_, "stream", nullptr));
    request_->stream = stream == 1;
    GP_TRY(const auto* options, wire::object(body_, "stream_options", nullptr));
    if (options != nullptr) {
      GP_TRY(auto usage, wire::flag(*options, "include_usage", nullptr));
      context_.context.include_usage = usage == 1;
      GP_TRY(auto obfuscation, wire::flag(*options, "include_obfuscation", nullptr));
      context_.context.include_obfuscation = obfuscation == 1;
    }
    context_.context.logprobs = p.logprobs.value.as_bool();
    return ok();
  }

  const Value& body_;
  DecodeContext& context_;
  Arena& arena_;
  LossLog& losses_;
  Request* request_ = nullptr;
  int legacy_calls_ = 0;
  std::vector<Call*> pending_functions_;
};

}  // namespace

Result<Request*> decode_request(const Value& body, DecodeContext& context) {
  return Decoder(body, context).run();
}

}  // namespace gproxy::translate::openai_chat
