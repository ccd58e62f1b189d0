#include <unordered_set>

#include "translate/arguments.h"
#include "translate/claude/request.h"
#include "translate/effort.h"
#include "translate/media.h"
#include "translate/openai_common.h"
#include "translate/request_common.h"
#include "translate/schema.h"
#include "translate/wire.h"

namespace gproxy::translate::claude {

namespace {

using json::Value;
using wire::str;

class Encoder {
 public:
  Encoder(Request& request, EncodeContext& context)
      : request_(request),
        context_(context),
        profile_(context.profile),
        arena_(context.arena),
        losses_(context.losses) {}

  Result<Value> run() {
    GP_CHECK(common::check_cached_content(request_));
    GP_CHECK(common::check_candidates(request_, context_));
    GP_TRY(bool audio, common::wants_audio(request_, context_));
    if (audio) return unsupported(request_.params.modalities.at, "the upstream makes no audio");

    common::emulate_format(
        request_,
        profile_.cl_structured ? common::Emulate::json_object : common::Emulate::everything,
        context_);
    auto body = Value::object();
    body.add(arena_, "model", str(context_.model));
    plan_thinking();
    if (!context_.counting()) {
      body.add(arena_, "max_tokens", Value::integer(arena_, thinking_.max_tokens));
    }
    system(body);
    GP_TRY(auto list, messages());
    body.add(arena_, "messages", list);
    GP_CHECK(tools(body));
    thinking(body);
    output_config(body);
    params(body);
    if (context_.operation == Operation::stream_generate) {
      body.add(arena_, "stream", Value::boolean(true));
    }
    return body;
  }

 private:
  Value text_block(std::string_view text) {
    auto block = wire::typed(arena_, "text");
    block.add(arena_, "text", str(text));
    return block;
  }

  void add_cache(const Value& marker, Value& block) {
    if (marker.is_object()) block.add(arena_, "cache_control", marker);
  }

  void system(Value& body) {
    const auto& segments = request_.system;
    if (segments.empty()) return;
    if (segments.size() == 1 && segments[0].cache.is_null()) {
      body.add(arena_, "system", str(segments[0].text));
      return;
    }
    auto blocks = Value::array();
    for (const auto& segment : segments) {
      auto block = text_block(segment.text);
      add_cache(segment.cache, block);
      blocks.push(arena_, block);
    }
    body.add(arena_, "system", blocks);
  }

  // ---- messages ----

  Result<Value> messages() {
    auto out = Value::array();
    for (const auto& item : request_.messages) {
      auto blocks = Value::array();
      for (const auto& part : item.parts) GP_CHECK(encode_part(part, item.role, blocks));
      if (blocks.empty()) continue;
      auto message = Value::object();
      message.add(arena_, "role",
                  str(item.role == Role::user        ? "user"
                      : item.role == Role::assistant ? "assistant"
                                                     : "system"));
      bool plain = blocks.size() == 1 && blocks.items()[0]["type"].str() == "text" &&
                   blocks.items()[0].size() == 2;
      message.add(arena_, "content", plain ? blocks.items()[0]["text"] : blocks);
      out.push(arena_, message);
    }
    return out;
  }

  Result<void> encode_part(const Part& part, Role role, Value& out) {
    Value block;
    switch (part.kind) {
      case PartKind::text:
      case PartKind::refusal:
        block = text_block(part.text);
        break;
      case PartKind::image: {
        if (role == Role::assistant) return no_media(part);
        GP_TRY(block, image(part));
        break;
      }
      case PartKind::document:
        if (role == Role::assistant) return no_media(part);
        GP_CHECK(document(part, block));
        break;
      case PartKind::search_result:
        GP_CHECK(search_result(part, block));
        break;
      case PartKind::audio:
        return unsupported(part.at, "the upstream takes no audio");
      case PartKind::video:
        return unsupported(part.at, "the upstream takes no video");
      case PartKind::reasoning:
        if (part.redacted) {
          block = wire::typed(arena_, "redacted_thinking");
          block.add(arena_, "data", str(part.opaque.bytes));
        } else {
          block = wire::typed(arena_, "thinking");
          block.add(arena_, "thinking", str(part.text));
          block.add(arena_, "signature", str(part.opaque.bytes));
        }
        out.push(arena_, block);
        return ok();  // takes no cache marker
      case PartKind::call:
        block = wire::typed(arena_, "tool_use");
        block.add(arena_, "id", str(part.call->id));
        block.add(arena_, "name", str(part.call->name));
        block.add(arena_, "input", args_object(*part.call, arena_));
        break;
      case PartKind::result: {
        GP_TRY(block, result(part));
        break;
      }
      case PartKind::server:
        block = part.raw;
        break;
      default:
        return ok();
    }
    if (!block.has("cache_control")) add_cache(part.cache, block);
    out.push(arena_, block);
    return ok();
  }

  Result<void> no_media(const Part& part) {
    losses_.dropped(part.at, "the assistant's history takes no media upstream");
    return ok();
  }

  Result<Value> source_of(const Part& part) {
    const auto& media = *part.media;
    switch (media.source) {
      case Media::Source::base64: {
        auto source = wire::typed(arena_, "base64");
        source.add(arena_, "media_type",
                   str(media.mime == "image/jpg" ? "image/jpeg" : media.mime));
        source.add(arena_, "data", str(media.data));
        return source;
      }
      case Media::Source::url: {
        if (!is_http_url(media.data)) {
          return unsupported(part.at, "the upstream takes http(s) URLs only");
        }
        auto source = wire::typed(arena_, "url");
        source.add(arena_, "url", str(media.data));
        return source;
      }
      case Media::Source::file_id:
        if (request_.origin == Protocol::claude) {
          auto source = wire::typed(arena_, "file");
          source.add(arena_, "file_id", str(media.data));
          return source;
        }
        return unsupported(part.at, "a file id is bound to the provider that issued it");
      default:
        return unsupported(part.at, "unknown media source");
    }
  }

  Result<Value> image(const Part& part) {
    const auto& media = *part.media;
    if (media.source == Media::Source::base64 && !is_claude_image(media.mime) &&
        media.mime != "image/jpg") {
      return unsupported(part.at, "images must be jpeg, png, gif or webp for this upstream, not " +
                                      std::string(media.mime));
    }
    if (!media.detail.empty() && media.detail != "auto") {
      losses_.dropped(common::image_path(part), "no image detail upstream", "detail");
    }
    GP_TRY(auto source, source_of(part));
    auto block = wire::typed(arena_, "image");
    block.add(arena_, "source", source);
    return block;
  }

  Result<void> document(const Part& part, Value& block) {
    const auto& media = *part.media;
    Value source;
    switch (media.source) {
      case Media::Source::text:
        source = wire::typed(arena_, "text");
        source.add(arena_, "media_type", str("text/plain"));
        source.add(arena_, "data", str(media.data));
        break;
      case Media::Source::content: {
        auto content = Value::array();
        for (const auto& inner : media.content) GP_CHECK(encode_part(inner, Role::user, content));
        source = wire::typed(arena_, "content");
        source.add(arena_, "content", content);
        break;
      }
      case Media::Source::base64:
        if (!is_pdf(media.mime)) {
          auto text = is_text(media.mime) ? decode_text(media.data, arena_) : std::nullopt;
          if (!text) {
            return unsupported(part.at, "documents must be PDF or text for this upstream, not " +
                                            std::string(media.mime));
          }
          source = wire::typed(arena_, "text");
          source.add(arena_, "media_type", str("text/plain"));
          source.add(arena_, "data", str(*text));
          break;
        }
        [[fallthrough]];
      default: {
        GP_TRY(source, source_of(part));
      }
    }
    block = wire::typed(arena_, "document");
    block.add(arena_, "source", source);
    if (!media.name.empty()) block.add(arena_, "title", str(media.name));
    if (!media.context.empty()) block.add(arena_, "context", str(media.context));
    if (media.citations.is_object()) block.add(arena_, "citations", media.citations);
    return ok();
  }

  Result<void> search_result(const Part& part, Value& block) {
    const auto& media = *part.media;
    auto content = Value::array();
    for (const auto& inner : media.content) GP_CHECK(encode_part(inner, Role::user, content));
    block = wire::typed(arena_, "search_result");
    block.add(arena_, "source", str(media.data));
    block.add(arena_, "title", str(media.name));
    block.add(arena_, "content", content);
    if (media.citations.is_object()) block.add(arena_, "citations", media.citations);
    return ok();
  }

  Result<Value> result(const Part& part) {
    const auto& result = *part.result;
    auto block = wire::typed(arena_, "tool_result");
    block.add(arena_, "tool_use_id", str(result.id));
    auto content = Value::array();
    bool only_text = true;
    for (const auto& piece : result.parts) {
      if (piece.kind == PartKind::text) {
        // White space is accepted as a string only, not as a block.
        if (result.parts.size() > 1 && wire::is_blank(piece.text)) continue;
        content.push(arena_, text_block(piece.text));
        continue;
      }
      only_text = false;
      Part bare = piece;
      bare.cache = Value();
      GP_CHECK(encode_part(bare, Role::user, content));
    }
    if (content.size() == 1 && only_text) {
      if (!content.items()[0]["text"].str().empty()) {
        block.add(arena_, "content", content.items()[0]["text"]);
      }
    } else if (!content.empty()) {
      block.add(arena_, "content", content);
    }
    if (result.error) block.add(arena_, "is_error", Value::boolean(true));
    return block;
  }

  // ---- tools ----

  Result<void> tools(Value& body) {
    GP_CHECK(common::check_choice(request_));
    common::apply_subset(request_, losses_);
    auto list = Value::array();
    for (const auto& tool : request_.tools) {
      switch (tool.kind) {
        case Tool::Kind::function:
          list.push(arena_, function(tool));
          break;
        case Tool::Kind::custom:
          list.push(arena_, custom(tool));
          break;
        case Tool::Kind::web_search:
          list.push(arena_, web_search(tool));
          break;
        case Tool::Kind::web_fetch:
          list.push(arena_, builtin("web_fetch_20250910", "web_fetch"));
          break;
        case Tool::Kind::code_execution:
          list.push(arena_, builtin("code_execution_20250825", "code_execution"));
          break;
        default:
          GP_CHECK(common::drop_builtin(request_, tool, losses_));
      }
    }
    if (list.empty()) {
      history_tools(body);
      return ok();
    }
    body.add(arena_, "tools", list);
    choice(body);
    return ok();
  }

  Value function(const Tool& tool) {
    auto out = Value::object();
    out.add(arena_, "name", str(tool.name));
    if (tool.has_description) out.add(arena_, "description", str(tool.description));
    auto schema = as_object_schema(openai::json_schema_of(tool, arena_), arena_);
    bool strict = tool.strict == 1 && profile_.cl_strict_tools;
    if (tool.strict == 1 && !strict) {
      losses_.changed(tool.at, "the model has no strict tools", "strict");
    }
    if (strict) {
      schema = closed(schema, arena_);
      if (!profile_.cl_schema_limits) schema = without_limits(schema, arena_);
    }
    out.add(arena_, "input_schema", schema);
    if (strict) out.add(arena_, "strict", Value::boolean(true));
    if (request_.origin == Protocol::claude) {
      for (auto key :
           {"defer_loading", "input_examples", "eager_input_streaming", "allowed_callers"}) {
        if (const auto* value = wire::get(tool.raw, key)) out.add(arena_, key, *value);
      }
    } else {
      common::report_tool_extras(tool, losses_);
    }
    add_cache(tool.cache, out);
    return out;
  }

  Value custom(const Tool& tool) {
    losses_.changed(tool.at, "custom tool sent as a function");
    auto out = Value::object();
    out.add(arena_, "name", str(tool.name));
    auto description = common::custom_description(tool, arena_);
    if (!description.empty()) out.add(arena_, "description", str(description));
    out.add(arena_, "input_schema", common::custom_schema(arena_));
    add_cache(tool.cache, out);
    return out;
  }

  Value builtin(std::string_view type, std::string_view name) {
    auto out = wire::typed(arena_, type);
    out.add(arena_, "name", str(name));
    return out;
  }

  Value web_search(const Tool& tool) {
    auto out = builtin("web_search_20250305", "web_search");
    if (!tool.max_uses.is_null()) out.add(arena_, "max_uses", tool.max_uses);
    if (tool.allowed_domains.is_array()) {
      out.add(arena_, "allowed_domains", tool.allowed_domains);
    }
    if (tool.blocked_domains.is_array()) {
      out.add(arena_, "blocked_domains", tool.blocked_domains);
    }
    if (tool.user_location.is_object()) {
      auto location = wire::typed(arena_, "approximate");
      for (const auto& member : tool.user_location.members()) {
        if (member.key != "type") location.add(arena_, member.key, member.value);
      }
      out.add(arena_, "user_location", location);
    }
    if (!tool.context_size.empty() && tool.context_size != "medium") {
      losses_.dropped(tool.at, "no such setting upstream", "search_context_size");
    }
    add_cache(tool.cache, out);
    return out;
  }

  // N10: the upstream wants tools when the history holds tool blocks.
  void history_tools(Value& body) {
    auto list = Value::array();
    std::unordered_set<std::string_view> seen;
    for (const auto& message : request_.messages) {
      for (const auto& part : message.parts) {
        if (part.kind != PartKind::call || !seen.insert(part.call->name).second) continue;
        auto schema = wire::typed(arena_, "object");
        schema.add(arena_, "additionalProperties", Value::boolean(true));
        auto tool = Value::object();
        tool.add(arena_, "name", str(part.call->name));
        tool.add(arena_, "input_schema", schema);
        list.push(arena_, tool);
      }
    }
    if (list.empty()) return;
    losses_.add(nullptr, "tools", LossAction::synthesised, "tools that the history uses",
                /*harmless=*/true);
    body.add(arena_, "tools", list);
    body.add(arena_, "tool_choice", wire::typed(arena_, "none"));
  }

  void choice(Value& body) {
    using Mode = ToolChoice::Mode;
    const auto& choice = request_.choice;
    Value out;
    switch (choice.mode) {
      case Mode::any:
      case Mode::subset_any:
        out = wire::typed(arena_, "any");
        break;
      case Mode::one:
        out = wire::typed(arena_, "tool");
        out.add(arena_, "name", str(builtin_name(choice)));
        break;
      case Mode::none:
        body.add(arena_, "tool_choice", wire::typed(arena_, "none"));
        return;
      case Mode::unset:
        if (request_.parallel != 0) return;
        [[fallthrough]];
      default:
        out = wire::typed(arena_, "auto");
        break;
    }
    if (request_.parallel == 0) {
      out.add(arena_, "disable_parallel_tool_use", Value::boolean(true));
    }
    body.add(arena_, "tool_choice", out);
  }

  static std::string_view builtin_name(const ToolChoice& choice) {
    if (!choice.builtin) return choice.name;
    return choice.name.substr(0, 10) == "web_search" ? std::string_view("web_search")
           : choice.name == "code_interpreter"       ? std::string_view("code_execution")
                                                     : choice.name;
  }

  // ---- thinking and parameters ----

  // The assistant's last turn, when its calls were just answered, has no thinking block in front.
  bool tool_turn_without_thinking() const {
    const auto& messages = request_.messages;
    for (size_t i = messages.size(); i-- > 0;) {
      if (messages[i].role != Role::assistant) continue;
      bool calls = false;
      for (const auto& part : messages[i].parts) calls = calls || part.kind == PartKind::call;
      return calls && messages[i].parts[0].kind != PartKind::reasoning;
    }
    return false;
  }

  void plan_thinking() {
    const auto& max = request_.params.max_tokens;
    ClaudeThinkingFacts facts;
    facts.max_tokens_given = static_cast<bool>(max);
    int64_t cap = profile_.cl_max_tokens;
    int64_t tokens = facts.max_tokens_given ? max.value.int_or(profile_.cl_default_max_tokens)
                                            : profile_.cl_default_max_tokens;
    if (cap > 0 && tokens > cap) {
      tokens = cap;
      if (max) losses_.changed(max.at, "lowered to the model's maximum");
    }
    if (!max && !context_.counting()) {
      losses_.filled(nullptr, "the upstream demands it: the model profile's default", "max_tokens");
    }
    facts.max_tokens = tokens;
    facts.forced_tool = common::forces_tool(request_);
    facts.tool_turn_without_thinking = tool_turn_without_thinking();
    thinking_ = claude_thinking(request_.reasoning, profile_, facts);
    if (max && thinking_.max_tokens > tokens) {
      losses_.changed(max.at, "raised to leave room for the answer after thinking");
    }
  }

  void thinking(Value& body) {
    using Type = ClaudeThinking::Type;
    const auto& reasoning = request_.reasoning;
    bool wanted = reasoning.asked && reasoning.effort != Effort::none &&
                  (reasoning.effort != Effort::unset || reasoning.budget > 0 || reasoning.dynamic);
    if (wanted && !thinking_.on() && thinking_.effort.empty()) {
      losses_.dropped(reasoning.at, "thinking is not possible in this request");
    } else if (wanted && !thinking_.effort.empty() && reasoning.effort != Effort::unset &&
               name(reasoning.effort) != thinking_.effort) {
      losses_.changed(reasoning.at, "nearest reasoning effort of the model");
    }
    if (reasoning.asked && reasoning.effort == Effort::none && !thinking_.effort.empty()) {
      losses_.changed(reasoning.at, "the model cannot stop thinking");
    }
    switch (thinking_.type) {
      case Type::omit:
        return;
      case Type::disabled:
        body.add(arena_, "thinking", wire::typed(arena_, "disabled"));
        return;
      case Type::enabled: {
        auto out = wire::typed(arena_, "enabled");
        out.add(arena_, "budget_tokens", Value::integer(arena_, thinking_.budget));
        if (!thinking_.display.empty()) out.add(arena_, "display", str(thinking_.display));
        body.add(arena_, "thinking", out);
        return;
      }
      case Type::adaptive: {
        auto out = wire::typed(arena_, "adaptive");
        if (!thinking_.display.empty()) out.add(arena_, "display", str(thinking_.display));
        body.add(arena_, "thinking", out);
        return;
      }
    }
  }

  void output_config(Value& body) {
    auto config = Value::object();
    if (!thinking_.effort.empty()) config.add(arena_, "effort", str(thinking_.effort));
    const auto& format = request_.format;
    if (format.kind == OutputFormat::Kind::json_schema) {
      auto schema = format.schema_is_openapi ? from_openapi(format.schema, arena_) : format.schema;
      schema = closed(as_object_schema(schema, arena_), arena_);
      if (!profile_.cl_schema_limits) schema = without_limits(schema, arena_);
      auto out = wire::typed(arena_, "json_schema");
      out.add(arena_, "schema", schema);
      config.add(arena_, "format", out);
    }
    if (!config.empty()) body.add(arena_, "output_config", config);
  }

  void params(Value& body) {
    const auto& p = request_.params;
    if (context_.counting()) return;
    sampling(body);
    auto stops = common::stop_list(request_, SIZE_MAX, context_, common::BlankStops::drop);
    if (!stops.empty()) body.add(arena_, "stop_sequences", stops);
    user(body);
    if (p.service_tier) {
      auto tier = p.service_tier.value.str();
      if (tier == "auto" || (request_.origin == Protocol::claude && tier == "standard_only")) {
        body.add(arena_, "service_tier", p.service_tier.value);
      } else if (tier == "default" || tier == "standard" || tier == "STANDARD") {
        body.add(arena_, "service_tier", str("standard_only"));
      } else {
        losses_.dropped(p.service_tier.at, "no such tier upstream");
      }
    }
    if (p.top_cache) {
      body.add(arena_, "cache_control", p.top_cache.value);
    } else if (p.prompt_cache_key && context_.options.cache_by_key) {
      body.add(arena_, "cache_control", wire::typed(arena_, "ephemeral"));
    }
    common::report_openai_only(request_, losses_);
    common::report_gemini_only(request_, losses_);
    common::report_penalties(request_, losses_);
    if (p.logprobs.value.as_bool()) losses_.dropped(p.logprobs.at, "no log probabilities upstream");
    if (p.top_logprobs && p.top_logprobs.value.int_or(0) > 0) {
      losses_.dropped(p.top_logprobs.at, "no log probabilities upstream");
    }
  }

  void sampling(Value& body) {
    const auto& p = request_.params;
    bool thinking = thinking_.on();
    if (!profile_.cl_sampling) {
      for (const auto* param : {&p.temperature, &p.top_p, &p.top_k}) {
        wire::drop(*param, losses_, "the model takes no sampling parameters");
      }
      return;
    }
    bool sent_temperature = false;
    if (p.temperature) {
      double value = p.temperature.value.as_double();
      if (thinking && value != 1.0) {
        losses_.dropped(p.temperature.at, "not together with thinking");
      } else if (value > 1.0) {
        losses_.changed(p.temperature.at, "lowered to the upstream's maximum of 1");
        body.add(arena_, "temperature", Value::number_text("1.0"));
        sent_temperature = true;
      } else {
        body.add(arena_, "temperature", p.temperature.value);
        sent_temperature = true;
      }
    }
    if (p.top_p) {
      double value = p.top_p.value.as_double();
      if (thinking && (value < 0.95 || value > 1.0)) {
        losses_.dropped(p.top_p.at, "not together with thinking");
      } else if (sent_temperature && !profile_.cl_sampling_both) {
        losses_.dropped(p.top_p.at, "the model takes temperature or top_p, not both");
      } else {
        body.add(arena_, "top_p", p.top_p.value);
      }
    }
    if (p.top_k) {
      if (thinking) {
        losses_.dropped(p.top_k.at, "not together with thinking");
      } else {
        body.add(arena_, "top_k", p.top_k.value);
      }
    }
  }

  void user(Value& body) {
    const auto& p = request_.params;
    const auto& user = p.safety_identifier ? p.safety_identifier : p.user;
    if (!user) return;
    auto metadata = Value::object();
    metadata.add(arena_, "user_id", user.value);
    body.add(arena_, "metadata", metadata);
    if (p.safety_identifier && p.user) {
      losses_.dropped(p.user.at, "one user id upstream: safety_identifier was sent");
    }
  }

  Request& request_;
  EncodeContext& context_;
  const Profile& profile_;
  Arena& arena_;
  LossLog& losses_;
  ClaudeThinking thinking_;
};

}  // namespace

Result<Value> encode_request(Request& request, EncodeContext& context) {
  return Encoder(request, context).run();
}

}  // namespace gproxy::translate::claude
