#include "translate/arguments.h"
#include "translate/effort.h"
#include "translate/media.h"
#include "translate/openai_chat/request.h"
#include "translate/openai_common.h"
#include "translate/request_common.h"
#include "translate/wire.h"

namespace gproxy::translate::openai_chat {

namespace {

using json::Value;
using wire::str;

constexpr std::string_view kImageElsewhere = "[image: see next message]";
constexpr size_t kMaxStops = 4;

class Encoder {
 public:
  Encoder(Request& request, EncodeContext& context)
      : request_(request),
        context_(context),
        profile_(context.profile),
        arena_(context.arena),
        losses_(context.losses) {}

  Result<Value> run() {
    GP_CHECK(common::check_prewarm(request_, context_));
    GP_CHECK(common::check_cached_content(request_));
    common::emulate_format(request_, common::Emulate::choice_only, context_);
    auto body = Value::object();
    body.add(arena_, "model", str(context_.model));
    GP_TRY(auto messages, encode_messages());
    body.add(arena_, "messages", messages);
    GP_CHECK(tools(body));
    GP_CHECK(params(body));
    format(body);
    reasoning(body);
    if (context_.operation == Operation::stream_generate) {
      body.add(arena_, "stream", Value::boolean(true));
      if (profile_.oa_stream_usage) {
        auto options = Value::object();
        options.add(arena_, "include_usage", Value::boolean(true));
        body.add(arena_, "stream_options", options);
      }
    }
    return body;
  }

 private:
  Value message(std::string_view role) {
    auto out = Value::object();
    out.add(arena_, "role", str(role));
    return out;
  }

  std::string_view system_role(bool developer) const {
    return developer && profile_.oa_developer_role ? "developer" : "system";
  }

  Value text_part(std::string_view text) {
    auto part = wire::typed(arena_, "text");
    part.add(arena_, "text", str(text));
    return part;
  }

  Result<Value> encode_messages() {
    auto out = Value::array();
    encode_system(out);
    for (const auto& item : request_.messages) {
      switch (item.role) {
        case Role::system:
          encode_middle_system(item, out);
          break;
        case Role::user:
          GP_CHECK(encode_user(item, out));
          break;
        case Role::assistant:
          encode_assistant(item, out);
          break;
      }
    }
    return out;
  }

  void encode_system(Value& out) {
    if (request_.system.empty()) return;
    if (profile_.oa_single_system) {
      std::string text;
      for (const auto& segment : request_.system) {
        if (!text.empty()) text += "\n\n";
        text += segment.text;
      }
      auto system = message(system_role(request_.system[0].developer));
      system.add(arena_, "content", wire::own(arena_, text));
      out.push(arena_, system);
      return;
    }
    for (const auto& segment : request_.system) {
      auto system = message(system_role(segment.developer));
      if (!segment.cache.is_null() && profile_.oa_explicit_cache) {
        auto part = text_part(segment.text);
        openai::encode_cache(segment.cache, segment.at, part, context_);
        auto parts = Value::array();
        parts.push(arena_, part);
        system.add(arena_, "content", parts);
      } else {
        if (!segment.cache.is_null()) {
          losses_.dropped(segment.at, "the model takes no cache markers", "cache_control");
        }
        system.add(arena_, "content", str(segment.text));
      }
      out.push(arena_, system);
    }
  }

  void encode_middle_system(const Message& item, Value& out) {
    std::string text;
    bool marked = false;
    auto parts = Value::array();
    for (const auto& part : item.parts) {
      if (part.kind != PartKind::text) continue;
      if (!text.empty()) text += "\n\n";
      text += part.text;
      auto encoded = text_part(part.text);
      openai::encode_cache(part.cache, part.at, encoded, context_);
      marked = marked || encoded.size() > 2;
      parts.push(arena_, encoded);
    }
    auto system = message(system_role(item.developer));
    system.add(arena_, "content", marked ? parts : wire::own(arena_, text));
    out.push(arena_, system);
  }

  Result<void> encode_user(const Message& item, Value& out) {
    // Tool messages come first; what they cannot hold follows in one user message.
    auto moved = Value::array();
    auto rest = Value::array();
    bool only_text = true;
    for (const auto& part : item.parts) {
      if (part.kind == PartKind::result) GP_CHECK(encode_result(part, out, moved));
    }
    std::string_view single;
    for (const auto& part : item.parts) {
      if (part.kind == PartKind::result) continue;
      size_t before = rest.size();
      GP_CHECK(encode_part(part, rest));
      if (part.kind != PartKind::text || rest.size() != before + 1 ||
          rest.items()[before].size() > 2) {
        only_text = false;
      } else {
        single = part.text;
      }
    }
    if (!moved.empty()) {
      auto user = message("user");
      user.add(arena_, "content", moved);
      out.push(arena_, user);
    }
    if (rest.empty()) return ok();
    auto user = message("user");
    user.add(arena_, "content", only_text && rest.size() == 1 ? str(single) : rest);
    out.push(arena_, user);
    return ok();
  }

  Result<void> encode_part(const Part& part, Value& out) {
    Value encoded;
    switch (part.kind) {
      case PartKind::text:
      case PartKind::refusal:
        encoded = text_part(part.text);
        break;
      case PartKind::image: {
        GP_TRY(encoded, image(part));
        break;
      }
      case PartKind::audio: {
        auto format = chat_audio_format(part.media->mime);
        if (part.media->source != Media::Source::base64 || format.empty()) {
          return unsupported(part.at, "audio must be wav or mp3, inline, for this upstream");
        }
        auto audio = Value::object();
        audio.add(arena_, "data", str(part.media->data));
        audio.add(arena_, "format", str(format));
        encoded = wire::typed(arena_, "input_audio");
        encoded.add(arena_, "input_audio", audio);
        break;
      }
      case PartKind::document:
        return document(part, out);
      case PartKind::search_result:
        losses_.changed(part.at, "search result became text");
        encoded = text_part(search_result_text(*part.media, arena_));
        break;
      case PartKind::video:
        return unsupported(part.at, "the upstream takes no video");
      default:
        return ok();
    }
    openai::encode_cache(part.cache, part.at, encoded, context_);
    out.push(arena_, encoded);
    return ok();
  }

  Result<Value> image(const Part& part) {
    const auto& media = *part.media;
    if (media.source == Media::Source::file_id) {
      return unsupported(part.at, "a file id is bound to the provider that issued it");
    }
    auto holder = Value::object();
    holder.add(
        arena_, "url",
        str(media.source == Media::Source::url ? media.data
                                               : make_data_url(media.mime, media.data, arena_)));
    auto detail = media.detail;
    if (detail == "original") {
      detail = "high";
      losses_.changed(part.at, "detail original became high", "detail");
    }
    if (!detail.empty()) holder.add(arena_, "detail", str(detail));
    auto encoded = wire::typed(arena_, "image_url");
    encoded.add(arena_, "image_url", holder);
    return encoded;
  }

  Result<void> document(const Part& part, Value& out) {
    common::report_document_extras(part, losses_);
    GP_TRY(auto form, openai::file_form(part, openai::FileUrls::no, context_));
    Value encoded;
    if (form.kind == openai::FileForm::Kind::text) {
      encoded = text_part(form.text);
    } else {
      auto file = Value::object();
      file.add(arena_, "filename", str(form.filename));
      file.add(arena_, "file_data", str(form.value));
      encoded = wire::typed(arena_, "file");
      encoded.add(arena_, "file", file);
    }
    openai::encode_cache(part.cache, part.at, encoded, context_);
    out.push(arena_, encoded);
    // Images inside a content document follow it.
    for (const auto& inner : part.media->content) {
      if (inner.kind == PartKind::image) GP_CHECK(encode_part(inner, out));
    }
    return ok();
  }

  Result<void> encode_result(const Part& part, Value& out, Value& moved) {
    const auto& result = *part.result;
    List<std::string_view> texts;
    for (const auto& piece : result.parts) {
      switch (piece.kind) {
        case PartKind::text:
          texts.push(arena_, piece.text);
          break;
        case PartKind::search_result:
          losses_.changed(piece.at, "search result became text");
          texts.push(arena_, search_result_text(*piece.media, arena_));
          break;
        case PartKind::document:
          if (auto text = text_of_document(*piece.media, arena_)) {
            losses_.changed(piece.at, "document became text");
            texts.push(arena_, document_text(piece.media->name, *text, arena_));
            break;
          }
          [[fallthrough]];
        default: {
          size_t before = moved.size();
          GP_CHECK(encode_part(piece, moved));
          if (moved.size() == before) break;
          losses_.changed(piece.at, "moved from the tool result to a user message");
          texts.push(arena_,
                     piece.kind == PartKind::image ? kImageElsewhere : "[file: see next message]");
        }
      }
    }
    if (result.error && !texts.empty()) {
      texts[0] = openai::with_error_prefix(texts[0], result.error, arena_);
    } else if (result.error) {
      texts.push(arena_, "Error");
    }
    auto tool = message("tool");
    tool.add(arena_, "tool_call_id", str(result.id));
    bool marked = !part.cache.is_null() && profile_.oa_explicit_cache && !texts.empty();
    if (texts.size() <= 1 && !marked) {
      tool.add(arena_, "content", str(texts.empty() ? std::string_view() : texts[0]));
    } else {
      auto parts = Value::array();
      for (auto text : texts) parts.push(arena_, text_part(text));
      if (marked && !parts.empty())
        openai::encode_cache(part.cache, part.at, parts.items().back(), context_);
      tool.add(arena_, "content", parts);
    }
    if (!part.cache.is_null() && !marked) {
      losses_.dropped(part.at, "the model takes no cache markers", "cache_control");
    }
    out.push(arena_, tool);
    return ok();
  }

  void encode_assistant(const Message& item, Value& out) {
    auto assistant = message("assistant");
    std::string text, reasoning, refusal;
    bool any_text = false, previous_was_text = false;
    auto calls = Value::array();
    for (const auto& part : item.parts) {
      bool is_text = part.kind == PartKind::text;
      switch (part.kind) {
        case PartKind::text:
          if (any_text &&
              !(request_.origin == Protocol::claude ? part.joins_previous : previous_was_text)) {
            text += "\n\n";
          }
          text += part.text;
          any_text = true;
          if (!part.cache.is_null()) {
            losses_.dropped(part.at, "the model takes no cache markers", "cache_control");
          }
          break;
        case PartKind::refusal:
          if (!refusal.empty()) refusal += "\n\n";
          refusal += part.text;
          break;
        case PartKind::reasoning:
          if (!reasoning.empty()) reasoning += "\n\n";
          reasoning += part.text;
          break;
        case PartKind::call:
          calls.push(arena_, call(part));
          break;
        default:
          losses_.dropped(part.at, "the assistant's history holds text and calls only");
      }
      previous_was_text = is_text;
    }
    if (!any_text && calls.empty() && refusal.empty()) return;
    assistant.add(arena_, "content", any_text ? wire::own(arena_, text) : Value());
    if (!refusal.empty()) assistant.add(arena_, "refusal", wire::own(arena_, refusal));
    if (!reasoning.empty()) {
      assistant.add(arena_, "reasoning_content", wire::own(arena_, reasoning));
    }
    if (!calls.empty()) assistant.add(arena_, "tool_calls", calls);
    out.push(arena_, assistant);
  }

  Value call(const Part& part) {
    const auto& call = *part.call;
    auto out = Value::object();
    out.add(arena_, "id", str(call.id));
    if (!part.cache.is_null()) {
      losses_.dropped(part.at, "the model takes no cache markers", "cache_control");
    }
    auto holder = Value::object();
    holder.add(arena_, "name", str(call.name));
    if (call.kind == Call::Kind::custom && profile_.oa_custom_tools) {
      out.add(arena_, "type", str("custom"));
      holder.add(arena_, "input", str(call.args));
      out.add(arena_, "custom", holder);
      return out;
    }
    out.add(arena_, "type", str("function"));
    holder.add(arena_, "arguments",
               call.kind == Call::Kind::custom
                   ? wire::own(arena_, args_text(wrap_input(call.args, arena_)))
                   : str(args_or_empty(call.args)));
    out.add(arena_, "function", holder);
    return out;
  }

  // ---- tools ----

  Result<void> tools(Value& body) {
    GP_CHECK(common::check_choice(request_));
    bool filter = !profile_.oa_allowed_tools;
    if (filter) common::apply_subset(request_, losses_);
    auto list = Value::array();
    for (const auto& tool : request_.tools) {
      switch (tool.kind) {
        case Tool::Kind::function:
          list.push(arena_, function(tool));
          break;
        case Tool::Kind::custom:
          list.push(arena_, profile_.oa_custom_tools ? custom(tool) : custom_as_function(tool));
          break;
        case Tool::Kind::web_search:
          web_search(tool, body);
          break;
        default:
          GP_CHECK(common::drop_builtin(request_, tool, losses_));
      }
    }
    if (list.empty()) {
      common::report_forced_builtin(request_, losses_);
      return ok();
    }
    body.add(arena_, "tools", list);
    choice(body);
    if (request_.parallel >= 0) {
      body.add(arena_, "parallel_tool_calls", Value::boolean(request_.parallel == 1));
    }
    return ok();
  }

  Value function(const Tool& tool) {
    auto holder = Value::object();
    holder.add(arena_, "name", str(tool.name));
    if (tool.has_description) holder.add(arena_, "description", str(tool.description));
    auto schema = openai::json_schema_of(tool, arena_);
    if (!schema.is_null()) holder.add(arena_, "parameters", schema);
    if (openai::strict_allowed(tool, request_.origin)) {
      holder.add(arena_, "strict", Value::boolean(true));
    } else if (tool.strict == 1) {
      losses_.changed(tool.at, "the schema does not satisfy the upstream's strict mode", "strict");
    }
    auto out = wire::typed(arena_, "function");
    out.add(arena_, "function", holder);
    common::report_tool_extras(tool, losses_);
    if (!tool.cache.is_null()) {
      losses_.dropped(tool.at, "no cache marker on tools", "cache_control");
    }
    return out;
  }

  Value custom(const Tool& tool) {
    auto holder = Value::object();
    holder.add(arena_, "name", str(tool.name));
    if (tool.has_description) holder.add(arena_, "description", str(tool.description));
    if (!tool.format.is_null()) {
      if (tool.format["type"].str() == "grammar") {
        auto grammar = Value::object();
        for (const auto& member : tool.format.members()) {
          if (member.key != "type") grammar.add(arena_, member.key, member.value);
        }
        auto format = wire::typed(arena_, "grammar");
        format.add(arena_, "grammar", grammar);
        holder.add(arena_, "format", format);
      } else {
        holder.add(arena_, "format", tool.format);
      }
    }
    auto out = wire::typed(arena_, "custom");
    out.add(arena_, "custom", holder);
    return out;
  }

  Value custom_as_function(const Tool& tool) {
    losses_.changed(tool.at, "custom tool sent as a function");
    auto holder = Value::object();
    holder.add(arena_, "name", str(tool.name));
    holder.add(arena_, "description", str(common::custom_description(tool, arena_)));
    holder.add(arena_, "parameters", common::custom_schema(arena_));
    auto out = wire::typed(arena_, "function");
    out.add(arena_, "function", holder);
    return out;
  }

  void web_search(const Tool& tool, Value& body) {
    auto options = Value::object();
    if (!tool.context_size.empty()) {
      options.add(arena_, "search_context_size", str(tool.context_size));
    }
    if (!tool.user_location.is_null()) {
      auto inner = Value::object();
      for (const auto& member : tool.user_location.members()) {
        if (member.key != "type") inner.add(arena_, member.key, member.value);
      }
      auto location = wire::typed(arena_, "approximate");
      location.add(arena_, "approximate", inner);
      options.add(arena_, "user_location", location);
    }
    if (!tool.allowed_domains.is_null()) {
      losses_.dropped(tool.at, "no domain filter upstream", "allowed_domains");
    }
    if (!tool.blocked_domains.is_null()) {
      losses_.dropped(tool.at, "no domain filter upstream", "blocked_domains");
    }
    if (!tool.max_uses.is_null()) losses_.dropped(tool.at, "no such limit upstream", "max_uses");
    if (!tool.cache.is_null()) {
      losses_.dropped(tool.at, "no cache marker upstream", "cache_control");
    }
    body.set(arena_, "web_search_options", options);
  }

  Value named(std::string_view name, bool custom) {
    bool as_custom = custom && profile_.oa_custom_tools;
    auto holder = Value::object();
    holder.add(arena_, "name", str(name));
    auto out = wire::typed(arena_, as_custom ? "custom" : "function");
    out.add(arena_, as_custom ? "custom" : "function", holder);
    return out;
  }

  void choice(Value& body) {
    using Mode = ToolChoice::Mode;
    const auto& choice = request_.choice;
    switch (choice.mode) {
      case Mode::unset:
        return;
      case Mode::automatic:
      case Mode::validated:
        body.add(arena_, "tool_choice", str("auto"));
        return;
      case Mode::none:
        body.add(arena_, "tool_choice", str("none"));
        return;
      case Mode::any:
        body.add(arena_, "tool_choice", str("required"));
        return;
      case Mode::one:
        if (choice.builtin) return common::report_forced_builtin(request_, losses_);
        body.add(arena_, "tool_choice",
                 named(choice.name, common::is_custom(request_, choice.name)));
        return;
      case Mode::subset_auto:
      case Mode::subset_any: {
        auto list = Value::array();
        const auto custom = common::custom_names(request_);
        for (auto name : choice.names) list.push(arena_, named(name, custom.contains(name)));
        auto holder = Value::object();
        holder.add(arena_, "mode", str(choice.mode == Mode::subset_any ? "required" : "auto"));
        holder.add(arena_, "tools", list);
        auto out = wire::typed(arena_, "allowed_tools");
        out.add(arena_, "allowed_tools", holder);
        body.add(arena_, "tool_choice", out);
        return;
      }
    }
  }

  // ---- parameters ----

  Result<void> params(Value& body) {
    const auto& p = request_.params;
    openai::encode_params(request_, openai::Flavour::chat, body, context_);
    for (const auto& [param, name] :
         {std::pair{&p.frequency_penalty, "frequency_penalty"},
          std::pair{&p.presence_penalty, "presence_penalty"}, std::pair{&p.seed, "seed"},
          std::pair{&p.logit_bias, "logit_bias"}, std::pair{&p.prediction, "prediction"},
          std::pair{&p.verbosity, "verbosity"}}) {
      if (*param) body.add(arena_, name, param->value);
    }
    if (p.candidates && p.candidates.value.int_or(1) > 1) {
      body.add(arena_, "n", p.candidates.value);
    }
    if (p.logprobs.value.as_bool() || (request_.origin == Protocol::openai_response &&
                                       p.top_logprobs && p.top_logprobs.value.int_or(0) > 0)) {
      body.add(arena_, "logprobs", Value::boolean(true));
      if (p.top_logprobs) body.add(arena_, "top_logprobs", p.top_logprobs.value);
    }
    if (p.store) body.add(arena_, "store", p.store.value);
    auto stops = common::stop_list(request_, kMaxStops, context_);
    if (!stops.empty()) body.add(arena_, "stop", stops);
    GP_TRY(bool audio, common::wants_audio(request_, context_));
    if (audio) {
      auto modalities = Value::array();
      modalities.push(arena_, str("text"));
      modalities.push(arena_, str("audio"));
      body.add(arena_, "modalities", modalities);
      GP_TRY(auto settings, common::chat_audio(request_, arena_));
      body.add(arena_, "audio", settings);
    }
    return ok();
  }

  void format(Value& body) {
    const auto& format = request_.format;
    switch (format.kind) {
      case OutputFormat::Kind::unset:
      case OutputFormat::Kind::text:
        return;
      case OutputFormat::Kind::json_object:
        body.add(arena_, "response_format", wire::typed(arena_, "json_object"));
        return;
      case OutputFormat::Kind::json_schema: {
        auto holder = Value::object();
        openai::encode_schema_format(request_, holder, context_);
        auto out = wire::typed(arena_, "json_schema");
        out.add(arena_, "json_schema", holder);
        body.add(arena_, "response_format", out);
        return;
      }
      case OutputFormat::Kind::choice:
        return;  // became system text: common::emulate_format
    }
  }

  void reasoning(Value& body) {
    auto word = openai_effort(request_.reasoning, profile_);
    if (!word.empty()) {
      body.add(arena_, "reasoning_effort", str(word));
    }
    common::report_effort(request_, word, losses_);
  }

  Request& request_;
  EncodeContext& context_;
  const Profile& profile_;
  Arena& arena_;
  LossLog& losses_;
};

}  // namespace

Result<Value> encode_request(Request& request, EncodeContext& context) {
  return Encoder(request, context).run();
}

}  // namespace gproxy::translate::openai_chat
