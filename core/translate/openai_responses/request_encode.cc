#include "translate/arguments.h"
#include "translate/effort.h"
#include "translate/media.h"
#include "translate/openai_common.h"
#include "translate/openai_responses/request.h"
#include "translate/request_common.h"
#include "translate/schema.h"
#include "translate/wire.h"

namespace gproxy::translate::openai_responses {

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
    GP_CHECK(common::check_prewarm(request_, context_));
    GP_CHECK(common::check_cached_content(request_));
    GP_CHECK(common::check_candidates(request_, context_));
    common::emulate_format(request_, common::Emulate::choice_only, context_);
    auto body = Value::object();
    body.add(arena_, "model", str(context_.model));
    instructions(body);
    GP_TRY(auto items, input());
    body.add(arena_, "input", items);
    GP_CHECK(tools(body));
    text(body);
    reasoning(body);
    if (context_.counting()) return body;
    GP_CHECK(params(body));
    if (context_.operation == Operation::stream_generate) {
      body.add(arena_, "stream", Value::boolean(true));
    }
    return body;
  }

 private:
  // `instructions` takes no cache markers: where the model knows them, system text that has one
  // goes into the input.
  bool system_in_input() const {
    if (!profile_.oa_explicit_cache) return false;
    for (const auto& segment : request_.system) {
      if (!segment.cache.is_null()) return true;
    }
    return false;
  }

  void system_items(Value& out) {
    for (const auto& segment : request_.system) {
      auto part = input_text(segment.text);
      openai::encode_cache(segment.cache, segment.at, part, context_);
      auto content = Value::array();
      content.push(arena_, part);
      bool developer = segment.developer && profile_.oa_developer_role;
      out.push(arena_, message_item(developer ? "developer" : "system", content));
    }
  }

  void instructions(Value& body) {
    if (system_in_input()) return;
    std::string text;
    for (const auto& segment : request_.system) {
      if (!text.empty()) text += "\n\n";
      text += segment.text;
      if (!segment.cache.is_null()) {
        losses_.dropped(segment.at, "no cache marker on instructions", "cache_control");
      }
    }
    if (!text.empty()) body.add(arena_, "instructions", wire::own(arena_, text));
  }

  // ---- input ----

  Result<Value> input() {
    auto out = Value::array();
    if (system_in_input()) system_items(out);
    for (const auto& message : request_.messages) {
      switch (message.role) {
        case Role::system:
          GP_CHECK(system(message, out));
          break;
        case Role::user:
          GP_CHECK(user(message, out));
          break;
        case Role::assistant:
          assistant(message, out);
          break;
      }
    }
    return out;
  }

  Value message_item(std::string_view role, const Value& content) {
    auto item = wire::typed(arena_, "message");
    item.add(arena_, "role", str(role));
    item.add(arena_, "content", content);
    return item;
  }

  Value input_text(std::string_view text) {
    auto part = wire::typed(arena_, "input_text");
    part.add(arena_, "text", str(text));
    return part;
  }

  Result<void> system(const Message& message, Value& out) {
    auto content = Value::array();
    for (const auto& part : message.parts) GP_CHECK(encode_part(part, content));
    if (content.empty()) return ok();
    // Claude's system text in the middle speaks as the developer does.
    bool developer =
        (message.developer || request_.origin == Protocol::claude) && profile_.oa_developer_role;
    out.push(arena_, message_item(developer ? "developer" : "system", content));
    return ok();
  }

  Result<void> user(const Message& message, Value& out) {
    auto content = Value::array();
    for (const auto& part : message.parts) {
      if (part.kind == PartKind::result) {
        GP_CHECK(result(part, out));
      } else {
        GP_CHECK(encode_part(part, content));
      }
    }
    if (!content.empty()) out.push(arena_, message_item("user", content));
    return ok();
  }

  Result<void> encode_part(const Part& part, Value& out) {
    Value encoded;
    switch (part.kind) {
      case PartKind::text:
      case PartKind::refusal:
        encoded = input_text(part.text);
        break;
      case PartKind::image: {
        const auto& media = *part.media;
        if (media.source == Media::Source::file_id) {
          return unsupported(part.at, "a file id is bound to the provider that issued it");
        }
        encoded = wire::typed(arena_, "input_image");
        encoded.add(arena_, "image_url",
                    str(media.source == Media::Source::url
                            ? media.data
                            : make_data_url(media.mime, media.data, arena_)));
        encoded.add(arena_, "detail",
                    str(media.detail.empty() ? std::string_view("auto") : media.detail));
        break;
      }
      case PartKind::document:
        return document(part, out);
      case PartKind::search_result:
        losses_.changed(part.at, "search result became text");
        encoded = input_text(search_result_text(*part.media, arena_));
        break;
      case PartKind::audio:
        return unsupported(part.at, "the upstream takes no audio");
      case PartKind::video:
        return unsupported(part.at, "the upstream takes no video");
      default:
        return ok();
    }
    openai::encode_cache(part.cache, part.at, encoded, context_);
    out.push(arena_, encoded);
    return ok();
  }

  Result<void> document(const Part& part, Value& out) {
    common::report_document_extras(part, losses_);
    GP_TRY(auto form, openai::file_form(part, openai::FileUrls::yes, context_));
    Value encoded;
    switch (form.kind) {
      case openai::FileForm::Kind::text:
        encoded = input_text(form.text);
        break;
      case openai::FileForm::Kind::data_url:
        encoded = wire::typed(arena_, "input_file");
        encoded.add(arena_, "filename", str(form.filename));
        encoded.add(arena_, "file_data", str(form.value));
        break;
      case openai::FileForm::Kind::url:
        encoded = wire::typed(arena_, "input_file");
        encoded.add(arena_, "file_url", str(form.value));
        break;
    }
    openai::encode_cache(part.cache, part.at, encoded, context_);
    out.push(arena_, encoded);
    for (const auto& inner : part.media->content) {
      if (inner.kind == PartKind::image) GP_CHECK(encode_part(inner, out));
    }
    return ok();
  }

  Result<void> result(const Part& part, Value& out) {
    const auto& result = *part.result;
    auto item =
        wire::typed(arena_, result.custom ? "custom_tool_call_output" : "function_call_output");
    item.add(arena_, "call_id", str(result.id));
    bool marked_cache =
        !part.cache.is_null() && profile_.oa_explicit_cache && !result.parts.empty();
    bool single_text = result.parts.empty() || (result.parts.size() == 1 && !marked_cache &&
                                                result.parts[0].kind == PartKind::text);
    if (single_text) {
      auto text = result.parts.empty() ? std::string_view() : result.parts[0].text;
      if (result.error && text.empty()) text = "Error";
      item.add(arena_, "output", str(openai::with_error_prefix(text, result.error, arena_)));
    } else {
      auto content = Value::array();
      bool marked = !result.error;
      for (const auto& piece : result.parts) {
        Part copy = piece;
        copy.cache = Value();
        if (!marked && piece.kind == PartKind::text) {
          copy.text = openai::with_error_prefix(piece.text, true, arena_);
          marked = true;
        }
        GP_CHECK(encode_part(copy, content));
      }
      if (marked_cache && !content.empty()) {
        openai::encode_cache(part.cache, part.at, content.items().back(), context_);
      }
      item.add(arena_, "output", content);
    }
    if (!part.cache.is_null() && !marked_cache) {
      losses_.dropped(part.at, "no cache marker on tool results", "cache_control");
    }
    out.push(arena_, item);
    return ok();
  }

  // Items in order; text parts next to each other share one message.
  void assistant(const Message& message, Value& out) {
    auto content = Value::array();
    auto flush = [&] {
      if (content.empty()) return;
      out.push(arena_, message_item("assistant", content));
      content = Value::array();
    };
    // A reasoning item must be followed by the item it produced.
    size_t last_item = 0;
    for (size_t i = 0; i < message.parts.size(); ++i) {
      if (message.parts[i].kind != PartKind::reasoning) last_item = i + 1;
    }
    for (size_t i = 0; i < message.parts.size(); ++i) {
      const auto& part = message.parts[i];
      if (!part.cache.is_null()) {
        losses_.dropped(part.at, "no cache marker on the assistant's history", "cache_control");
      }
      switch (part.kind) {
        case PartKind::text: {
          auto block = wire::typed(arena_, "output_text");
          block.add(arena_, "text", str(part.text));
          block.add(arena_, "annotations", Value::array());
          content.push(arena_, block);
          break;
        }
        case PartKind::refusal: {
          auto block = wire::typed(arena_, "refusal");
          block.add(arena_, "refusal", str(part.text));
          content.push(arena_, block);
          break;
        }
        case PartKind::reasoning:
          if (i >= last_item) {
            losses_.dropped(part.at, "reasoning at the end of a turn");
            break;
          }
          flush();
          reasoning_item(part, out);
          break;
        case PartKind::call:
          flush();
          out.push(arena_, call(part));
          break;
        default:
          losses_.dropped(part.at, "the assistant's history holds text and calls only");
      }
    }
    flush();
  }

  void reasoning_item(const Part& part, Value& out) {
    auto summary = Value::array();
    if (!part.text.empty() && !part.redacted) {
      auto piece = wire::typed(arena_, "summary_text");
      piece.add(arena_, "text", str(part.text));
      summary.push(arena_, piece);
    }
    auto item = wire::typed(arena_, "reasoning");
    item.add(arena_, "summary", summary);
    item.add(arena_, "encrypted_content", str(part.opaque.bytes));
    out.push(arena_, item);
  }

  Value call(const Part& part) {
    const auto& call = *part.call;
    bool custom = call.kind == Call::Kind::custom;
    auto item = wire::typed(arena_, custom ? "custom_tool_call" : "function_call");
    item.add(arena_, "call_id", str(call.id));
    item.add(arena_, "name", str(call.name));
    if (custom) {
      item.add(arena_, "input", str(call.args));
    } else {
      item.add(arena_, "arguments", str(args_or_empty(call.args)));
    }
    return item;
  }

  // ---- tools ----

  Result<void> tools(Value& body) {
    GP_CHECK(common::check_choice(request_));
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
        case Tool::Kind::code_execution: {
          auto out = wire::typed(arena_, "code_interpreter");
          out.add(arena_, "container", wire::typed(arena_, "auto"));
          list.push(arena_, out);
          break;
        }
        default:
          GP_CHECK(common::drop_builtin(request_, tool, losses_));
      }
    }
    if (context_.options.image_tool && wants_image()) {
      list.push(arena_, wire::typed(arena_, "image_generation"));
    }
    if (list.empty()) return ok();
    body.add(arena_, "tools", list);
    choice(body);
    if (request_.parallel >= 0) {
      body.add(arena_, "parallel_tool_calls", Value::boolean(request_.parallel == 1));
    }
    return ok();
  }

  bool wants_image() const {
    for (const auto& word : request_.params.modalities.value.items()) {
      if (word.str() == "IMAGE") return true;
    }
    return false;
  }

  // strict is always said: this upstream takes an absent one for true.
  Value function(const Tool& tool) {
    auto out = wire::typed(arena_, "function");
    out.add(arena_, "name", str(tool.name));
    if (tool.has_description) out.add(arena_, "description", str(tool.description));
    auto schema = openai::json_schema_of(tool, arena_);
    out.add(arena_, "parameters",
            schema.is_object() && !schema.empty() ? schema : as_object_schema(schema, arena_));
    bool strict = openai::strict_allowed(tool, request_.origin);
    if (tool.strict == 1 && !strict) {
      losses_.changed(tool.at, "the schema does not satisfy the upstream's strict mode", "strict");
    }
    out.add(arena_, "strict", Value::boolean(strict));
    constexpr std::string_view kDeferred = "defer_loading";
    if (tool.raw[kDeferred].as_bool()) out.add(arena_, kDeferred, Value::boolean(true));
    common::report_tool_extras(tool, losses_, kDeferred);
    drop_tool_cache(tool);
    return out;
  }

  Value custom(const Tool& tool) {
    auto out = wire::typed(arena_, "custom");
    out.add(arena_, "name", str(tool.name));
    if (tool.has_description) out.add(arena_, "description", str(tool.description));
    if (!tool.format.is_null()) out.add(arena_, "format", tool.format);
    return out;
  }

  Value web_search(const Tool& tool) {
    auto out = wire::typed(arena_, "web_search");
    if (tool.allowed_domains.is_array()) {
      auto filters = Value::object();
      filters.add(arena_, "allowed_domains", tool.allowed_domains);
      out.add(arena_, "filters", filters);
    }
    if (tool.blocked_domains.is_array()) {
      losses_.dropped(tool.at, "no such domain filter upstream", "blocked_domains");
    }
    if (!tool.max_uses.is_null()) losses_.dropped(tool.at, "no such limit upstream", "max_uses");
    if (!tool.context_size.empty()) {
      out.add(arena_, "search_context_size", str(tool.context_size));
    }
    if (tool.user_location.is_object()) out.add(arena_, "user_location", tool.user_location);
    drop_tool_cache(tool);
    return out;
  }

  void drop_tool_cache(const Tool& tool) {
    if (tool.cache.is_null()) return;
    losses_.dropped(tool.at, "no cache marker on tools", "cache_control");
  }

  Value named(std::string_view name, bool custom) {
    auto out = wire::typed(arena_, custom ? "custom" : "function");
    out.add(arena_, "name", str(name));
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
        if (choice.builtin) {
          body.add(arena_, "tool_choice",
                   wire::typed(arena_,
                               choice.name == "code_execution" ? "code_interpreter" : choice.name));
        } else {
          body.add(arena_, "tool_choice",
                   named(choice.name, common::is_custom(request_, choice.name)));
        }
        return;
      case Mode::subset_auto:
      case Mode::subset_any: {
        auto list = Value::array();
        const auto custom = common::custom_names(request_);
        for (auto name : choice.names) list.push(arena_, named(name, custom.contains(name)));
        auto out = wire::typed(arena_, "allowed_tools");
        out.add(arena_, "mode", str(choice.mode == Mode::subset_any ? "required" : "auto"));
        out.add(arena_, "tools", list);
        body.add(arena_, "tool_choice", out);
        return;
      }
    }
  }

  // ---- parameters ----

  void text(Value& body) {
    const auto& format = request_.format;
    auto out = Value::object();
    if (format.kind == OutputFormat::Kind::json_object) {
      out.add(arena_, "format", wire::typed(arena_, "json_object"));
    } else if (format.kind == OutputFormat::Kind::json_schema) {
      auto schema = wire::typed(arena_, "json_schema");
      openai::encode_schema_format(request_, schema, context_);
      out.add(arena_, "format", schema);
    }
    const auto& verbosity = request_.params.verbosity;
    if (verbosity && !context_.counting()) out.add(arena_, "verbosity", verbosity.value);
    if (!out.empty()) body.add(arena_, "text", out);
  }

  void reasoning(Value& body) {
    const auto& reasoning = request_.reasoning;
    auto word = openai_effort(reasoning, profile_);
    auto out = Value::object();
    if (!word.empty()) out.add(arena_, "effort", str(word));
    bool reasons = profile_.oa_reasoning != 0;
    if (reasons && reasoning.visible) out.add(arena_, "summary", str("auto"));
    if (!out.empty()) body.add(arena_, "reasoning", out);
    common::report_effort(request_, word, losses_);
    reasons_ = profile_.oa_reasoning == 1 || (reasons && reasoning.asked);
    if (reasoning.effort == Effort::none) reasons_ = false;
  }

  Result<void> params(Value& body) {
    const auto& p = request_.params;
    GP_TRY(bool audio, wants_audio());
    if (audio) return unsupported(p.modalities.at, "the upstream makes no audio");
    openai::encode_params(request_, openai::Flavour::responses, body, context_);
    auto include = Value::array();
    if (reasons_) include.push(arena_, str("reasoning.encrypted_content"));
    bool logprobs = p.logprobs.value.as_bool();
    if (logprobs) {
      include.push(arena_, str("message.output_text.logprobs"));
      if (p.top_logprobs) body.add(arena_, "top_logprobs", p.top_logprobs.value);
    }
    if (!include.empty()) body.add(arena_, "include", include);
    // Without it this upstream would keep what the client did not ask it to keep.
    bool store = request_.origin == Protocol::openai_chat && p.store.value.as_bool();
    body.add(arena_, "store", Value::boolean(store));
    common::report_penalties(request_, losses_);
    wire::drop(p.logit_bias, losses_, "no such parameter upstream");
    wire::drop(p.prediction, losses_, "no such parameter upstream");
    wire::drop(p.speech_config, losses_, "no such parameter upstream");
    if (p.stop && (p.stop.value.is_string() || !p.stop.value.empty())) {
      if (context_.options.emulate_stop) {
        auto stops = common::stop_list(request_, 16, context_);
        for (const auto& stop : stops.items()) {
          context_.context.emulated_stop.emplace_back(stop.str());
        }
      } else {
        losses_.dropped(p.stop.at, "no stop sequences upstream");
      }
    }
    return ok();
  }

  Result<bool> wants_audio() {
    if (context_.options.image_tool && wants_image()) return false;
    return common::wants_audio(request_, context_);
  }

  Request& request_;
  EncodeContext& context_;
  const Profile& profile_;
  Arena& arena_;
  LossLog& losses_;
  bool reasons_ = false;  // the model reasons: its state is worth having back
};

}  // namespace

Result<Value> encode_request(Request& request, EncodeContext& context) {
  return Encoder(request, context).run();
}

}  // namespace gproxy::translate::openai_responses
