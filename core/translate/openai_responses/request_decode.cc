#include "translate/arguments.h"
#include "translate/media.h"
#include "translate/openai_common.h"
#include "translate/openai_responses/request.h"
#include "translate/seal.h"
#include "translate/wire.h"

namespace gproxy::translate::openai_responses {

namespace {

using json::Value;
using wire::Want;

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

// Built-in calls of earlier answers: their text is in the message that follows them.
bool is_builtin_item(std::string_view type) {
  for (auto known : {"web_search_call", "file_search_call", "code_interpreter_call",
                     "image_generation_call", "mcp_list_tools", "mcp_call", "mcp_approval_request",
                     "mcp_approval_response", "program", "program_output", "compaction_trigger"}) {
    if (type == known) return true;
  }
  return false;
}

// Calls the client runs: they travel as functions with JSON arguments.
struct ClientCall {
  std::string_view call, output, name;
};
constexpr ClientCall kClientCalls[] = {
    {"computer_call", "computer_call_output", "computer"},
    {"local_shell_call", "local_shell_call_output", "local_shell"},
    {"shell_call", "shell_call_output", "shell"},
    {"apply_patch_call", "apply_patch_call_output", "apply_patch"},
    {"tool_search_call", "tool_search_output", "tool_search"},
};

class Decoder {
 public:
  Decoder(const Value& body, DecodeContext& context)
      : body_(body), context_(context), arena_(context.arena), losses_(context.losses) {}

  Result<Request*> run() {
    request_ = wire::make<Request>(arena_);
    request_->origin = Protocol::openai_response;
    GP_TRY(request_->model, wire::text(body_, "model", nullptr));
    GP_CHECK(server_state());
    GP_TRY(auto instructions, wire::text(body_, "instructions", nullptr));
    if (!instructions.empty()) {
      SystemSegment segment;
      segment.text = instructions;
      segment.at = wire::key(arena_, nullptr, "instructions");
      request_->system.push(arena_, segment);
    }
    GP_CHECK(tools(body_, nullptr));
    GP_CHECK(input());
    GP_CHECK(tool_choice());
    GP_CHECK(text());
    GP_CHECK(reasoning());
    GP_CHECK(params());
    echo();
    wire::report_unknown(body_,
                         {"model",
                          "input",
                          "instructions",
                          "max_output_tokens",
                          "temperature",
                          "top_p",
                          "reasoning",
                          "text",
                          "tools",
                          "tool_choice",
                          "parallel_tool_calls",
                          "include",
                          "store",
                          "previous_response_id",
                          "conversation",
                          "background",
                          "prompt",
                          "truncation",
                          "stream",
                          "stream_options",
                          "metadata",
                          "user",
                          "safety_identifier",
                          "service_tier",
                          "prompt_cache_key",
                          "prompt_cache_options",
                          "prompt_cache_retention",
                          "moderation",
                          "top_logprobs"},
                         nullptr, losses_);
    return request_;
  }

 private:
  // State on the provider's side: without it the conversation would be lost silently.
  Result<void> server_state() {
    if (context_.context.upstream == Protocol::openai_response) return ok();
    for (auto name : {"previous_response_id", "conversation", "prompt"}) {
      if (wire::get(body_, name) != nullptr) {
        return unsupported(wire::key(arena_, nullptr, name),
                           std::string(name) +
                               " needs a provider that stores responses: send the "
                               "whole input");
      }
    }
    GP_TRY(auto background, wire::flag(body_, "background", nullptr));
    if (background == 1 && !context_.counting()) {
      return unsupported(wire::key(arena_, nullptr, "background"),
                         "background needs a provider that stores responses");
    }
    return ok();
  }

  Part& push(Message& message, PartKind kind, const Path* at) {
    Part part;
    part.kind = kind;
    part.at = at;
    return message.parts.push(arena_, part);
  }

  // ---- input ----

  Result<void> input() {
    const auto* value = wire::get(body_, "input");
    const auto* root = wire::key(arena_, nullptr, "input");
    if (value == nullptr) return ok();
    if (value->is_string()) {
      Message message;
      message.at = root;
      push(message, PartKind::text, root).text = value->str();
      request_->messages.push(arena_, message);
      return ok();
    }
    if (!value->is_array()) return wire::wrong_type(root, "a string or an array", *value);
    size_t index = 0;
    for (const auto& item : value->items()) {
      const auto* at = wire::item(arena_, root, index++);
      if (!item.is_object()) return wire::wrong_type(at, "an object", item);
      GP_TRY(auto type, wire::text(item, "type", at));
      if (type.empty()) type = "message";
      GP_CHECK(input_item(item, type, at));
    }
    texts_before_calls();
    return ok();
  }

  Result<void> input_item(const Value& item, std::string_view type, const Path* at) {
    if (type == "message") return message(item, at);
    if (type == "reasoning") return reasoning_item(item, at);
    if (type == "function_call") return call(item, Call::Kind::function, at);
    if (type == "custom_tool_call") return call(item, Call::Kind::custom, at);
    if (type == "function_call_output" || type == "custom_tool_call_output") {
      return output(item, "output", type[0] == 'c', at);
    }
    if (type == "additional_tools") return tools(item, at);
    if (type == "item_reference" || type == "compaction") {
      return unsupported(
          at, std::string(type) + " can only be read by the provider that made it: send the items");
    }
    for (const auto& known : kClientCalls) {
      if (type == known.call) return client_call(item, known, at);
      if (type == known.output) return client_output(item, at);
    }
    losses_.dropped(
        at, is_builtin_item(type) ? "built-in call of an earlier answer" : "unknown input item");
    return ok();
  }

  Result<void> message(const Value& item, const Path* at) {
    wire::report_unknown(item, {"type", "role", "content", "id", "status", "phase"}, at, losses_);
    GP_TRY(auto role, wire::required_text(item, "role", at));
    if (wire::get(item, "phase") != nullptr) losses_.dropped(at, "no phases upstream", "phase");
    Message parsed;
    parsed.at = at;
    const auto* content = wire::get(item, "content");
    if (content == nullptr) return wire::missing(at, "content");
    const auto* content_at = wire::key(arena_, at, "content");
    GP_CHECK(parts(*content, content_at, parsed));
    if (role == "user") {
      request_->messages.push(arena_, parsed);
    } else if (role == "assistant") {
      auto& run = assistant_run(at);
      for (const auto& part : parsed.parts) run.parts.push(arena_, part);
    } else if (role == "system" || role == "developer") {
      bool developer = role == "developer";
      if (request_->messages.empty()) {
        for (const auto& part : parsed.parts) {
          if (part.kind != PartKind::text) continue;
          SystemSegment segment;
          segment.text = part.text;
          segment.developer = developer;
          segment.cache = part.cache;
          segment.at = part.at;
          request_->system.push(arena_, segment);
        }
      } else {
        parsed.role = Role::system;
        parsed.developer = developer;
        request_->messages.push(arena_, parsed);
      }
    } else {
      return bad_value(at, "expected user, assistant, system or developer", "role");
    }
    return ok();
  }

  // The assistant message of the current run of items.
  Message& assistant_run(const Path* at) {
    if (!request_->messages.empty() && request_->messages.back().role == Role::assistant) {
      return request_->messages.back();
    }
    Message message;
    message.role = Role::assistant;
    message.at = at;
    return request_->messages.push(arena_, message);
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
    message.at = at;
    return request_->messages.push(arena_, message);
  }

  Result<void> parts(const Value& content, const Path* at, Message& out) {
    if (content.is_string()) {
      push(out, PartKind::text, at).text = content.str();
      return ok();
    }
    if (!content.is_array()) return wire::wrong_type(at, "a string or an array", content);
    size_t index = 0;
    for (const auto& part : content.items()) {
      const auto* here = wire::item(arena_, at, index++);
      if (!part.is_object()) return wire::wrong_type(here, "an object", part);
      GP_TRY(auto type, wire::required_text(part, "type", here));
      size_t before = out.parts.size();
      if (type == "input_text" || type == "output_text" || type == "text") {
        GP_TRY(auto text, wire::required_text(part, "text", here));
        push(out, PartKind::text, here).text = text;
      } else if (type == "refusal") {
        GP_TRY(auto text, wire::required_text(part, "refusal", here));
        push(out, PartKind::refusal, here).text = text;
      } else if (type == "input_image" || type == "computer_screenshot") {
        GP_CHECK(image(part, here, out));
      } else if (type == "input_file") {
        GP_TRY(auto file, openai::decode_file(part, here, context_));
        out.parts.push(arena_, file);
      } else if (type == "input_audio") {
        return unsupported(here, "Responses takes no audio input");
      } else {
        losses_.dropped(here, "unknown content part");
      }
      if (out.parts.size() > before) {
        out.parts.back().cache = openai::decode_cache(part, arena_);
      }
    }
    return ok();
  }

  Result<void> image(const Value& part, const Path* at, Message& out) {
    GP_TRY(auto url, wire::text(part, "image_url", at));
    GP_TRY(auto detail, wire::text(part, "detail", at));
    if (!url.empty()) {
      GP_TRY(auto image,
             openai::decode_image_url(url, detail, wire::key(arena_, at, "image_url"), arena_));
      out.parts.push(arena_, image);
      return ok();
    }
    GP_TRY(auto id, wire::required_text(part, "file_id", at));
    auto& image = push(out, PartKind::image, wire::key(arena_, at, "file_id"));
    image.media = wire::make<Media>(arena_);
    image.media->source = Media::Source::file_id;
    image.media->data = id;
    image.media->detail = detail;
    return ok();
  }

  Result<void> reasoning_item(const Value& item, const Path* at) {
    Part part;
    part.kind = PartKind::reasoning;
    part.at = at;
    std::string text;
    for (auto name : {"summary", "content"}) {
      if (!text.empty()) break;
      GP_TRY(const auto* list, wire::array(item, name, at));
      if (list == nullptr) continue;
      for (const auto& piece : list->items()) {
        if (!text.empty()) text += "\n\n";
        text += piece["text"].str();
      }
    }
    part.text = arena_.copy(text);
    GP_TRY(auto state, wire::text(item, "encrypted_content", at));
    if (!state.empty()) {
      auto opened = unseal(state, Protocol::openai_response, arena_);
      part.opaque = opened.opaque;
      part.redacted = opened.redacted;
    }
    assistant_run(at).parts.push(arena_, part);
    return ok();
  }

  Result<void> call(const Value& item, Call::Kind kind, const Path* at) {
    Part part;
    part.kind = PartKind::call;
    part.at = at;
    part.call = wire::make<Call>(arena_);
    auto& call = *part.call;
    call.kind = kind;
    GP_TRY(call.id, wire::required_text(item, "call_id", at));
    GP_TRY(call.name, wire::required_text(item, "name", at));
    GP_TRY(call.name_space, wire::text(item, "namespace", at));
    if (kind == Call::Kind::custom) {
      GP_TRY(call.args, wire::text(item, "input", at));
    } else if (const auto* args = wire::get(item, "arguments"); args != nullptr) {
      call.args = args->is_string() ? args->str() : arena_.copy(json::write(*args));
    }
    assistant_run(at).parts.push(arena_, part);
    return ok();
  }

  Result<void> output(const Value& item, std::string_view member, bool custom, const Path* at) {
    GP_TRY(auto id, wire::required_text(item, "call_id", at));
    Message holder;
    if (const auto* value = wire::get(item, member); value != nullptr) {
      const auto* here = wire::key(arena_, at, member);
      if (value->is_object()) {
        push(holder, PartKind::text, here).text = arena_.copy(json::write(*value));
      } else {
        GP_CHECK(parts(*value, here, holder));
      }
    }
    Part part;
    part.kind = PartKind::result;
    part.at = at;
    part.result = wire::make<ToolResult>(arena_);
    part.result->id = id;
    part.result->custom = custom;
    part.result->parts = holder.parts;
    results_message(at).parts.push(arena_, part);
    return ok();
  }

  // Everything but the envelope, as JSON arguments.
  std::string_view payload(const Value& item) {
    auto out = Value::object();
    for (const auto& member : item.members()) {
      bool envelope = member.key == "type" || member.key == "id" || member.key == "status" ||
                      member.key == "call_id" || member.key == "execution" ||
                      member.key == "pending_safety_checks";
      if (!envelope && !member.value.is_null()) out.add(arena_, member.key, member.value);
    }
    if (out.size() == 1) {
      const auto& only = out.members()[0];
      if (only.key == "arguments") {
        return only.value.is_string() ? only.value.str() : arena_.copy(json::write(only.value));
      }
    }
    return arena_.copy(json::write(out));
  }

  std::string_view call_id_of(const Value& item) {
    auto id = item["call_id"].str();
    return id.empty() ? item["id"].str() : id;
  }

  Result<void> client_call(const Value& item, const ClientCall& known, const Path* at) {
    Part part;
    part.kind = PartKind::call;
    part.at = at;
    part.call = wire::make<Call>(arena_);
    part.call->id = call_id_of(item);
    part.call->name = known.name;
    part.call->args = payload(item);
    if (known.name != "tool_search")
      losses_.changed(at, "call of a client tool became a function call");
    assistant_run(at).parts.push(arena_, part);
    return ok();
  }

  Result<void> client_output(const Value& item, const Path* at) {
    Part part;
    part.kind = PartKind::result;
    part.at = at;
    part.result = wire::make<ToolResult>(arena_);
    part.result->id = call_id_of(item);
    Message holder;
    const auto& output = item["output"];
    if (output["type"].str() == "computer_screenshot" && output["image_url"].is_string()) {
      GP_CHECK(image(output, wire::key(arena_, at, "output"), holder));
    } else {
      auto text = output.is_string() ? output.str() : payload(item);
      push(holder, PartKind::text, at).text = text;
    }
    part.result->parts = holder.parts;
    results_message(at).parts.push(arena_, part);
    // Tools a search found join the list.
    if (wire::get(item, "tools") != nullptr) GP_CHECK(tools(item, at));
    return ok();
  }

  // Text of a run belongs before its calls, each part with the reasoning in front of it.
  void texts_before_calls() {
    for (auto& message : request_->messages) {
      if (message.role != Role::assistant) continue;
      bool seen_call = false, wrong = false;
      for (const auto& part : message.parts) {
        if (part.kind == PartKind::call)
          seen_call = true;
        else if (part.kind != PartKind::reasoning && seen_call)
          wrong = true;
      }
      if (!wrong) continue;
      List<Part> texts, calls, pending;
      for (const auto& part : message.parts) {
        if (part.kind == PartKind::reasoning) {
          pending.push(arena_, part);
          continue;
        }
        auto& to = part.kind == PartKind::call ? calls : texts;
        for (const auto& reasoning : pending) to.push(arena_, reasoning);
        pending.truncate(0);
        to.push(arena_, part);
      }
      for (const auto& part : calls) texts.push(arena_, part);
      for (const auto& part : pending) texts.push(arena_, part);
      message.parts = texts;
    }
  }

  // ---- tools ----

  Result<void> tools(const Value& holder, const Path* holder_at) {
    GP_TRY(const auto* list, wire::array(holder, "tools", holder_at));
    if (list == nullptr) return ok();
    return tool_list(*list, wire::key(arena_, holder_at, "tools"), {}, {});
  }

  Result<void> tool_list(const Value& list, const Path* root, std::string_view name_space,
                         std::string_view description) {
    size_t index = 0;
    for (const auto& item : list.items()) {
      const auto* at = wire::item(arena_, root, index++);
      if (!item.is_object()) return wire::wrong_type(at, "an object", item);
      GP_TRY(auto type, wire::required_text(item, "type", at));
      if (type == "namespace") {
        GP_TRY(auto name, wire::required_text(item, "name", at));
        GP_TRY(auto about, wire::text(item, "description", at));
        GP_TRY(const auto* inner, wire::array(item, "tools", at));
        if (inner != nullptr && name_space.empty()) {
          GP_CHECK(tool_list(*inner, wire::key(arena_, at, "tools"), name, about));
        }
        continue;
      }
      Tool tool;
      tool.at = at;
      tool.raw = item;
      tool.name_space = name_space;
      tool.namespace_description = description;
      tool.cache = openai::decode_cache(item, arena_);
      if (type == "function") {
        GP_CHECK(function_tool(item, at, tool));
      } else if (type == "custom") {
        tool.kind = Tool::Kind::custom;
        GP_TRY(tool.name, wire::required_text(item, "name", at));
        GP_TRY(tool.description, wire::text(item, "description", at));
        tool.has_description = wire::get(item, "description") != nullptr;
        if (const auto* format = wire::get(item, "format")) tool.format = *format;
      } else if (starts_with(type, "web_search")) {
        tool.kind = Tool::Kind::web_search;
        tool.name = type;
        GP_TRY(tool.context_size, wire::text(item, "search_context_size", at));
        tool.user_location = openai::flat_location(item["user_location"], arena_);
        if (const auto& allowed = item["filters"]["allowed_domains"]; allowed.is_array()) {
          tool.allowed_domains = allowed;
        }
        if (const auto& blocked = item["filters"]["blocked_domains"]; blocked.is_array()) {
          tool.blocked_domains = blocked;
        }
        context_.context.web_search = true;
      } else if (type == "code_interpreter") {
        tool.kind = Tool::Kind::code_execution;
        tool.name = type;
      } else if (type == "tool_search" && run_by_client(item)) {
        tool.name = type;
        tool.client_search = true;
        GP_TRY(tool.description, wire::text(item, "description", at));
        tool.has_description = !tool.description.empty();
        if (const auto& schema = item["parameters"]; schema.is_object()) tool.schema = schema;
      } else {
        tool.kind = type == "image_generation" ? Tool::Kind::image_generation : Tool::Kind::builtin;
        tool.name = type;
      }
      request_->tools.push(arena_, tool);
    }
    return ok();
  }

  // A search that the upstream runs itself cannot be handed to the client as a function.
  static bool run_by_client(const Value& tool_search) {
    auto execution = tool_search["execution"].str();
    return execution == "client" || (execution.empty() && tool_search["parameters"].is_object());
  }

  Result<void> function_tool(const Value& item, const Path* at, Tool& tool) {
    wire::report_unknown(
        item,
        {"type", "name", "description", "parameters", "strict", "defer_loading", "output_schema",
         "allowed_callers", "cache_control", "prompt_cache_breakpoint"},
        at, losses_);
    GP_TRY(tool.name, wire::required_text(item, "name", at));
    GP_TRY(tool.description, wire::text(item, "description", at));
    tool.has_description = wire::get(item, "description") != nullptr;
    GP_TRY(const auto* schema, wire::object(item, "parameters", at));
    if (schema != nullptr) tool.schema = *schema;
    GP_TRY(tool.strict, wire::flag(item, "strict", at));
    return ok();
  }

  Result<void> tool_choice() {
    const auto* value = wire::get(body_, "tool_choice");
    if (value == nullptr) return ok();
    auto& choice = request_->choice;
    choice.at = wire::key(arena_, nullptr, "tool_choice");
    if (value->is_string()) {
      auto word = value->str();
      if (word == "none") {
        choice.mode = ToolChoice::Mode::none;
      } else if (word == "auto") {
        choice.mode = ToolChoice::Mode::automatic;
      } else if (word == "required") {
        choice.mode = ToolChoice::Mode::any;
      } else {
        return bad_value(choice.at, "expected none, auto, required or an object");
      }
      return ok();
    }
    if (!value->is_object()) return wire::wrong_type(choice.at, "a string or an object", *value);
    GP_TRY(auto type, wire::required_text(*value, "type", choice.at));
    if (type == "function" || type == "custom") {
      choice.mode = ToolChoice::Mode::one;
      choice.custom = type == "custom";
      GP_TRY(choice.name, wire::required_text(*value, "name", choice.at));
    } else if (type == "allowed_tools") {
      choice.mode = (*value)["mode"].str() == "required" ? ToolChoice::Mode::subset_any
                                                         : ToolChoice::Mode::subset_auto;
      GP_TRY(const auto* list, wire::array(*value, "tools", choice.at));
      if (list == nullptr) return wire::missing(choice.at, "tools");
      for (const auto& tool : list->items()) {
        if (auto name = tool["name"].str(); !name.empty()) choice.names.push(arena_, name);
      }
    } else {
      choice.mode = ToolChoice::Mode::one;
      choice.builtin = true;
      choice.name = type;
    }
    return ok();
  }

  // ---- the rest ----

  Result<void> text() {
    GP_TRY(const auto* value, wire::object(body_, "text", nullptr));
    if (value == nullptr) return ok();
    const auto* at = wire::key(arena_, nullptr, "text");
    wire::report_unknown(*value, {"format", "verbosity"}, at, losses_);
    GP_TRY(const auto* format, wire::object(*value, "format", at));
    if (format != nullptr) {
      GP_TRY(request_->format,
             openai::decode_format(*format, *format, wire::key(arena_, at, "format"), context_));
    }
    GP_TRY(request_->params.verbosity, wire::param(*value, "verbosity", Want::string, at, arena_));
    return ok();
  }

  Result<void> reasoning() {
    GP_TRY(const auto* value, wire::object(body_, "reasoning", nullptr));
    if (value == nullptr) return ok();
    const auto* at = wire::key(arena_, nullptr, "reasoning");
    wire::report_unknown(*value, {"effort", "summary", "generate_summary", "context", "mode"}, at,
                         losses_);
    auto& reasoning = request_->reasoning;
    if (const auto* word = wire::get(*value, "effort")) {
      GP_CHECK(openai::decode_effort(*word, wire::key(arena_, at, "effort"), *request_));
    }
    GP_TRY(auto summary, wire::text(*value, "summary", at));
    if (summary.empty()) {
      GP_TRY(summary, wire::text(*value, "generate_summary", at));
    }
    context_.context.reasoning_summary = !summary.empty() && summary != "none";
    reasoning.visible = context_.context.reasoning_summary && reasoning.effort != Effort::none;
    if (reasoning.visible) reasoning.asked = true;
    if (reasoning.at == nullptr) reasoning.at = at;
    for (auto name : {"context", "mode"}) {
      const auto* extra = wire::get(*value, name);
      if (extra != nullptr && extra->str() != "auto") {
        losses_.dropped(at, "no such setting upstream", name);
      }
    }
    return ok();
  }

  Result<void> params() {
    auto& p = request_->params;
    GP_CHECK(openai::decode_params(body_, *request_, context_));
    GP_TRY(p.max_tokens, wire::param(body_, "max_output_tokens", Want::integer, nullptr, arena_));
    GP_TRY(p.truncation, wire::param(body_, "truncation", Want::string, nullptr, arena_));
    if (p.truncation && p.truncation.value.str() != "disabled") {
      losses_.dropped(p.truncation.at, "no truncation upstream");
    }
    GP_TRY(const auto* include, wire::array(body_, "include", nullptr));
    if (include != nullptr) {
      const auto* at = wire::key(arena_, nullptr, "include");
      size_t index = 0;
      for (const auto& word : include->items()) {
        const auto* here = wire::item(arena_, at, index++);
        if (word.str() == "reasoning.encrypted_content") {
          context_.context.encrypted_reasoning = true;
        } else if (word.str() == "message.output_text.logprobs") {
          context_.context.logprobs = true;
          p.logprobs.value = Value::boolean(true);
          p.logprobs.at = here;
        } else {
          losses_.dropped(here, "no such output upstream");
        }
      }
    }
    GP_TRY(auto stream, wire::flag(body_, "stream", nullptr));
    request_->stream = stream == 1;
    GP_TRY(const auto* options, wire::object(body_, "stream_options", nullptr));
    if (options != nullptr) {
      context_.context.include_obfuscation = (*options)["include_obfuscation"].as_bool();
    }
    return ok();
  }

  void echo() {
    auto& echo = context_.context.echo;
    struct Field {
      std::string_view key;
      std::string RequestEcho::*to;
    };
    constexpr Field kFields[] = {
        {"instructions", &RequestEcho::instructions},
        {"tools", &RequestEcho::tools},
        {"tool_choice", &RequestEcho::tool_choice},
        {"text", &RequestEcho::text},
        {"reasoning", &RequestEcho::reasoning},
        {"temperature", &RequestEcho::temperature},
        {"top_p", &RequestEcho::top_p},
        {"max_output_tokens", &RequestEcho::max_output_tokens},
        {"parallel_tool_calls", &RequestEcho::parallel_tool_calls},
        {"metadata", &RequestEcho::metadata},
        {"truncation", &RequestEcho::truncation},
        {"previous_response_id", &RequestEcho::previous_response_id},
        {"store", &RequestEcho::store},
        {"user", &RequestEcho::user},
        {"service_tier", &RequestEcho::service_tier},
        {"prompt_cache_key", &RequestEcho::prompt_cache_key},
        {"safety_identifier", &RequestEcho::safety_identifier},
        {"top_logprobs", &RequestEcho::top_logprobs},
        {"background", &RequestEcho::background},
        {"max_tool_calls", &RequestEcho::max_tool_calls},
    };
    for (const auto& field : kFields) {
      if (const auto* value = wire::get(body_, field.key)) {
        json::write_to(*value, echo.*field.to);
      }
    }
  }

  const Value& body_;
  DecodeContext& context_;
  Arena& arena_;
  LossLog& losses_;
  Request* request_ = nullptr;
};

}  // namespace

Result<Request*> decode_request(const Value& body, DecodeContext& context) {
  return Decoder(body, context).run();
}

}  // namespace gproxy::translate::openai_responses
