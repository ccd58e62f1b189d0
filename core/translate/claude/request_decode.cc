#include "translate/claude/request.h"
#include "translate/effort.h"
#include "translate/media.h"
#include "translate/seal.h"
#include "translate/wire.h"

namespace gproxy::translate::claude {

namespace {

using json::Value;
using wire::Want;

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}
bool ends_with(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

class Decoder {
 public:
  Decoder(const Value& body, DecodeContext& context)
      : body_(body), context_(context), arena_(context.arena), losses_(context.losses) {}

  Result<Request*> run() {
    request_ = wire::make<Request>(arena_);
    request_->origin = Protocol::claude;
    if (wire::get(body_, "thread") != nullptr) {
      // Ignoring it would lose the conversation the client believes is stored.
      Path at{nullptr, "thread", -1};
      return Error{ErrorKind::invalid, "thread_unsupported_request",
                   "stored threads are not supported: send the whole history", path_text(&at)};
    }
    GP_TRY(request_->model, wire::text(body_, "model", nullptr));
    GP_CHECK(system());
    GP_CHECK(messages());
    GP_CHECK(tools());
    GP_CHECK(tool_choice());
    GP_CHECK(thinking());
    GP_CHECK(params());
    wire::report_unknown(
        body_,
        {"model", "max_tokens", "messages", "system", "temperature", "top_p", "top_k",
         "stop_sequences", "stream", "thinking", "output_config", "output_format", "tools",
         "tool_choice", "metadata", "service_tier", "cache_control"},
        nullptr, losses_);
    return request_;
  }

 private:
  Part& push(List<Part>& parts, PartKind kind, const Path* at) {
    Part part;
    part.kind = kind;
    part.at = at;
    return parts.push(arena_, part);
  }

  static Value cache_of(const Value& block) {
    const auto* marker = wire::get(block, "cache_control");
    return marker != nullptr && marker->is_object() ? *marker : Value();
  }

  Result<void> system() {
    const auto* value = wire::get(body_, "system");
    if (value == nullptr) return ok();
    const auto* at = wire::key(arena_, nullptr, "system");
    if (value->is_string()) {
      SystemSegment segment;
      segment.text = value->str();
      segment.at = at;
      request_->system.push(arena_, segment);
      return ok();
    }
    if (!value->is_array()) return wire::wrong_type(at, "a string or an array", *value);
    size_t index = 0;
    for (const auto& block : value->items()) {
      const auto* here = wire::item(arena_, at, index++);
      if (!block.is_object()) return wire::wrong_type(here, "an object", block);
      SystemSegment segment;
      GP_TRY(segment.text, wire::required_text(block, "text", here));
      segment.cache = cache_of(block);
      segment.at = here;
      request_->system.push(arena_, segment);
    }
    return ok();
  }

  Result<void> messages() {
    GP_TRY(const auto* list, wire::array(body_, "messages", nullptr));
    if (list == nullptr) return wire::missing(nullptr, "messages");
    const auto* root = wire::key(arena_, nullptr, "messages");
    size_t index = 0;
    for (const auto& item : list->items()) {
      const auto* at = wire::item(arena_, root, index++);
      if (!item.is_object()) return wire::wrong_type(at, "an object", item);
      wire::report_unknown(item, {"role", "content"}, at, losses_);
      GP_TRY(auto role, wire::required_text(item, "role", at));
      Message message;
      message.at = at;
      if (role == "user") {
        message.role = Role::user;
      } else if (role == "assistant") {
        message.role = Role::assistant;
      } else if (role == "system") {
        message.role = Role::system;
      } else {
        return bad_value(at, "expected user, assistant or system", "role");
      }
      const auto* content = wire::get(item, "content");
      if (content == nullptr) return wire::missing(at, "content");
      GP_CHECK(blocks(*content, wire::key(arena_, at, "content"), message.parts));
      if (message.role == Role::system && request_->messages.empty()) {
        for (const auto& part : message.parts) {
          if (part.kind != PartKind::text) continue;
          SystemSegment segment;
          segment.text = part.text;
          segment.cache = part.cache;
          segment.at = at;
          request_->system.push(arena_, segment);
        }
        continue;
      }
      request_->messages.push(arena_, message);
    }
    return ok();
  }

  // A string, or blocks.
  Result<void> blocks(const Value& content, const Path* at, List<Part>& out) {
    if (content.is_string()) {
      push(out, PartKind::text, at).text = content.str();
      return ok();
    }
    if (!content.is_array()) return wire::wrong_type(at, "a string or an array", content);
    size_t index = 0;
    bool after_text = false;
    for (const auto& item : content.items()) {
      const auto* here = wire::item(arena_, at, index++);
      if (!item.is_object()) return wire::wrong_type(here, "an object", item);
      GP_TRY(auto type, wire::required_text(item, "type", here));
      size_t before = out.size();
      GP_CHECK(block(item, type, here, out));
      if (out.size() > before && out.back().cache.is_null()) out.back().cache = cache_of(item);
      bool text = type == "text";
      if (text && after_text) out.back().joins_previous = true;
      after_text = text;
    }
    return ok();
  }

  Result<void> block(const Value& item, std::string_view type, const Path* at, List<Part>& out) {
    if (type == "text") {
      GP_TRY(auto text, wire::required_text(item, "text", at));
      push(out, PartKind::text, at).text = text;
      const auto& citations = item["citations"];
      if (citations.is_array() && !citations.empty()) {
        losses_.dropped(at, "citations of an earlier answer", "citations");
      }
    } else if (type == "image") {
      GP_CHECK(image(item, at, out));
    } else if (type == "document") {
      GP_CHECK(document(item, at, out));
    } else if (type == "search_result") {
      auto& part = push(out, PartKind::search_result, at);
      part.media = wire::make<Media>(arena_);
      auto* media = part.media;
      media->source = Media::Source::content;
      GP_TRY(media->data, wire::text(item, "source", at));
      GP_TRY(media->name, wire::text(item, "title", at));
      if (const auto* inner = wire::get(item, "content")) {
        GP_CHECK(blocks(*inner, wire::key(arena_, at, "content"), media->content));
      }
      if (const auto* citations = wire::get(item, "citations")) media->citations = *citations;
    } else if (type == "thinking") {
      auto& part = push(out, PartKind::reasoning, at);
      GP_TRY(part.text, wire::text(item, "thinking", at));
      GP_TRY(auto signature, wire::text(item, "signature", at));
      if (!signature.empty()) {
        auto opened = unseal(signature, Protocol::claude, arena_);
        part.opaque = opened.opaque;
        part.redacted = opened.redacted;
      }
    } else if (type == "redacted_thinking") {
      auto& part = push(out, PartKind::reasoning, at);
      GP_TRY(auto data, wire::text(item, "data", at));
      part.opaque = unseal(data, Protocol::claude, arena_).opaque;
      part.redacted = true;
    } else if (type == "tool_use") {
      auto& part = push(out, PartKind::call, at);
      part.call = wire::make<Call>(arena_);
      auto* call = part.call;
      GP_TRY(call->id, wire::required_text(item, "id", at));
      GP_TRY(call->name, wire::required_text(item, "name", at));
      if (const auto* input = wire::get(item, "input")) {
        if (input->is_string()) {
          call->args = input->str();
        } else {
          call->parsed = *input;
          if (is_openai(context_.context.upstream)) call->args = arena_.copy(json::write(*input));
        }
      } else {
        call->args = "{}";
      }
      cached_signature(out, *call);
    } else if (type == "tool_result") {
      auto& part = push(out, PartKind::result, at);
      part.result = wire::make<ToolResult>(arena_);
      auto* result = part.result;
      GP_TRY(result->id, wire::required_text(item, "tool_use_id", at));
      GP_TRY(auto error, wire::flag(item, "is_error", at));
      result->error = error == 1;
      if (const auto* content = wire::get(item, "content")) {
        GP_CHECK(blocks(*content, wire::key(arena_, at, "content"), result->parts));
        size_t kept = 0;
        for (const auto& piece : result->parts) {
          bool fits = piece.kind == PartKind::text || piece.kind == PartKind::image ||
                      piece.kind == PartKind::document || piece.kind == PartKind::search_result;
          if (fits) {
            result->parts[kept++] = piece;
          } else {
            losses_.dropped(piece.at, "no such content in a tool result");
          }
        }
        result->parts.truncate(kept);
      }
    } else if (type == "compaction") {
      return unsupported(at, "compacted history can only be read by the provider that made it");
    } else if (type == "server_tool_use" || type == "mcp_tool_use" || type == "mcp_tool_result" ||
               type == "container_upload" || ends_with(type, "_tool_result")) {
      auto& part = push(out, PartKind::server, at);
      part.name = type;
      part.raw = item;
    } else {
      losses_.dropped(at, "unknown content block");
    }
    return ok();
  }

  // A client that did not ask for thinking has nothing to send back; the gateway may remember.
  void cached_signature(const List<Part>& before, Call& call) {
    if (context_.options.opaque_cache == nullptr) return;
    if (context_.context.upstream != Protocol::gemini) return;
    for (const auto& part : before) {
      if (part.kind == PartKind::reasoning && part.opaque) return;
    }
    const auto kept = context_.options.opaque_cache->find(call.id);
    if (kept.empty()) return;
    const auto opened = unseal(arena_.copy(kept), Protocol::none, arena_);
    if (opened.sealed && opened.opaque.proto == Protocol::gemini) call.signature = opened.opaque;
  }

  Result<void> image(const Value& item, const Path* at, List<Part>& out) {
    GP_TRY(const auto* source, wire::object(item, "source", at));
    if (source == nullptr) return wire::missing(at, "source");
    auto& part = push(out, PartKind::image, at);
    part.media = wire::make<Media>(arena_);
    if (wire::get(item, "transformations") != nullptr) {
      losses_.dropped(at, "no such setting upstream", "transformations");
    }
    return read_source(*source, wire::key(arena_, at, "source"), *part.media);
  }

  Result<void> document(const Value& item, const Path* at, List<Part>& out) {
    GP_TRY(const auto* source, wire::object(item, "source", at));
    if (source == nullptr) return wire::missing(at, "source");
    auto& part = push(out, PartKind::document, at);
    part.media = wire::make<Media>(arena_);
    auto* media = part.media;
    GP_TRY(media->name, wire::text(item, "title", at));
    GP_TRY(media->context, wire::text(item, "context", at));
    if (const auto* citations = wire::get(item, "citations")) media->citations = *citations;
    return read_source(*source, wire::key(arena_, at, "source"), *media);
  }

  Result<void> read_source(const Value& source, const Path* at, Media& media) {
    GP_TRY(auto type, wire::required_text(source, "type", at));
    if (type == "base64") {
      GP_TRY(auto data, wire::required_text(source, "data", at));
      GP_TRY(auto mime, wire::required_text(source, "media_type", at));
      media.data = normal_base64(data, arena_);
      media.mime = lower_mime(mime, arena_);
    } else if (type == "url") {
      GP_TRY(media.data, wire::required_text(source, "url", at));
      media.source = Media::Source::url;
      media.mime = mime_of_name(media.data);
      if (auto data = parse_data_url(media.data, arena_)) {
        media.source = Media::Source::base64;
        media.mime = data->mime;
        media.data = data->base64;
      }
    } else if (type == "file") {
      GP_TRY(media.data, wire::required_text(source, "file_id", at));
      media.source = Media::Source::file_id;
    } else if (type == "text") {
      GP_TRY(media.data, wire::required_text(source, "data", at));
      media.source = Media::Source::text;
      media.mime = "text/plain";
    } else if (type == "content") {
      media.source = Media::Source::content;
      const auto* content = wire::get(source, "content");
      if (content == nullptr) return wire::missing(at, "content");
      GP_CHECK(blocks(*content, wire::key(arena_, at, "content"), media.content));
    } else {
      return bad_value(at, "unknown source type", "type");
    }
    return ok();
  }

  // ---- tools ----

  Result<void> tools() {
    GP_TRY(const auto* list, wire::array(body_, "tools", nullptr));
    if (list == nullptr) return ok();
    const auto* root = wire::key(arena_, nullptr, "tools");
    size_t index = 0;
    for (const auto& item : list->items()) {
      const auto* at = wire::item(arena_, root, index++);
      if (!item.is_object()) return wire::wrong_type(at, "an object", item);
      GP_TRY(auto type, wire::text(item, "type", at));
      Tool tool;
      tool.at = at;
      tool.raw = item;
      tool.cache = cache_of(item);
      if (type.empty() || type == "custom") {
        GP_CHECK(function_tool(item, at, tool));
      } else if (starts_with(type, "web_search_")) {
        web_search(item, tool);
      } else if (starts_with(type, "web_fetch_")) {
        tool.kind = Tool::Kind::web_fetch;
        tool.name = "web_fetch";
      } else if (starts_with(type, "code_execution_")) {
        tool.kind = Tool::Kind::code_execution;
        tool.name = "code_execution";
      } else if (!(context_.options.shim_client_tools && client_tool(item, type, tool))) {
        tool.kind = Tool::Kind::builtin;
        GP_TRY(auto name, wire::text(item, "name", at));
        tool.name = name.empty() ? type : name;
      }
      request_->tools.push(arena_, tool);
    }
    return ok();
  }

  Result<void> function_tool(const Value& item, const Path* at, Tool& tool) {
    wire::report_unknown(
        item,
        {"name", "input_schema", "description", "strict", "cache_control", "defer_loading",
         "input_examples", "eager_input_streaming", "allowed_callers", "type"},
        at, losses_);
    GP_TRY(tool.name, wire::required_text(item, "name", at));
    GP_TRY(tool.description, wire::text(item, "description", at));
    tool.has_description = wire::get(item, "description") != nullptr;
    GP_TRY(const auto* schema, wire::object(item, "input_schema", at));
    if (schema != nullptr) tool.schema = *schema;
    GP_TRY(tool.strict, wire::flag(item, "strict", at));
    return ok();
  }

  void web_search(const Value& item, Tool& tool) {
    tool.kind = Tool::Kind::web_search;
    tool.name = "web_search";
    tool.allowed_domains = item["allowed_domains"];
    tool.blocked_domains = item["blocked_domains"];
    tool.max_uses = item["max_uses"];
    const auto& location = item["user_location"];
    if (location.is_object()) tool.user_location = location;
    context_.context.web_search = true;
  }

  // Tools the client runs itself, known to Claude by type: as functions with the documented schema.
  bool client_tool(const Value& item, std::string_view type, Tool& tool) {
    struct Known {
      std::string_view prefix, description, schema;
    };
    static constexpr Known kKnown[] = {
        {"bash_", "Run commands in a bash shell",
         R"({"type":"object","properties":{"command":{"type":"string"},"restart":{"type":"boolean"}}})"},
        {"text_editor_", "View, create and edit files",
         R"({"type":"object","properties":{"command":{"type":"string"},"path":{"type":"string"},"file_text":{"type":"string"},"old_str":{"type":"string"},"new_str":{"type":"string"},"insert_line":{"type":"integer"},"insert_text":{"type":"string"},"view_range":{"type":"array","items":{"type":"integer"}}},"required":["command","path"]})"},
        {"memory_", "Keep notes in the /memories directory",
         R"({"type":"object","properties":{"command":{"type":"string"},"path":{"type":"string"},"file_text":{"type":"string"},"old_str":{"type":"string"},"new_str":{"type":"string"},"insert_line":{"type":"integer"},"insert_text":{"type":"string"},"old_path":{"type":"string"},"new_path":{"type":"string"},"view_range":{"type":"array","items":{"type":"integer"}}},"required":["command"]})"},
    };
    for (const auto& known : kKnown) {
      if (!starts_with(type, known.prefix)) continue;
      auto schema = json::parse(known.schema, arena_);
      auto name = item["name"].str();
      if (!schema || name.empty()) return false;
      tool.kind = Tool::Kind::function;
      tool.name = name;
      tool.description = known.description;
      tool.has_description = true;
      tool.schema = *schema;
      losses_.changed(tool.at, "client tool sent as a function");
      return true;
    }
    return false;
  }

  Result<void> tool_choice() {
    GP_TRY(const auto* value, wire::object(body_, "tool_choice", nullptr));
    if (value == nullptr) return ok();
    auto& choice = request_->choice;
    choice.at = wire::key(arena_, nullptr, "tool_choice");
    GP_TRY(auto type, wire::required_text(*value, "type", choice.at));
    if (type == "auto") {
      choice.mode = ToolChoice::Mode::automatic;
    } else if (type == "any") {
      choice.mode = ToolChoice::Mode::any;
    } else if (type == "none") {
      choice.mode = ToolChoice::Mode::none;
    } else if (type == "tool") {
      choice.mode = ToolChoice::Mode::one;
      GP_TRY(choice.name, wire::required_text(*value, "name", choice.at));
      for (const auto& tool : request_->tools) {
        if (tool.name == choice.name && tool.kind != Tool::Kind::function) choice.builtin = true;
      }
    } else {
      return bad_value(choice.at, "expected auto, any, none or tool", "type");
    }
    GP_TRY(auto serial, wire::flag(*value, "disable_parallel_tool_use", choice.at));
    if (serial >= 0) {
      request_->parallel = serial == 1 ? 0 : 1;
      request_->parallel_at = wire::key(arena_, choice.at, "disable_parallel_tool_use");
    }
    return ok();
  }

  Result<void> thinking() {
    auto& reasoning = request_->reasoning;
    GP_TRY(const auto* value, wire::object(body_, "thinking", nullptr));
    if (value != nullptr) {
      reasoning.asked = true;
      reasoning.at = wire::key(arena_, nullptr, "thinking");
      GP_TRY(auto type, wire::required_text(*value, "type", reasoning.at));
      GP_TRY(auto display, wire::text(*value, "display", reasoning.at));
      reasoning.hidden = display == "omitted";
      reasoning.visible = !reasoning.hidden;
      if (type == "disabled") {
        reasoning.effort = Effort::none;
        reasoning.visible = false;
      } else if (type == "enabled") {
        const auto* budget = wire::get(*value, "budget_tokens");
        if (budget == nullptr) return wire::missing(reasoning.at, "budget_tokens");
        auto tokens = budget->as_int();
        if (!tokens || *tokens < 1) {
          return bad_value(reasoning.at, "expected a positive integer", "budget_tokens");
        }
        reasoning.budget = *tokens;
      } else if (type == "adaptive") {
        reasoning.dynamic = true;
      } else if (type == "between_tools") {
        reasoning.dynamic = true;
        reasoning.effort = Effort::low;
      } else {
        return bad_value(reasoning.at, "expected enabled, adaptive, between_tools or disabled",
                         "type");
      }
      context_.context.thinking_enabled = type != "disabled";
      context_.context.thinking_hidden = reasoning.hidden;
    }
    GP_TRY(const auto* config, wire::object(body_, "output_config", nullptr));
    if (config != nullptr) {
      const auto* at = wire::key(arena_, nullptr, "output_config");
      wire::report_unknown(*config, {"effort", "format"}, at, losses_);
      GP_TRY(auto word, wire::text(*config, "effort", at));
      if (!word.empty()) {
        auto effort = parse_effort(word);
        if (!effort) return bad_value(at, "expected low, medium, high, xhigh or max", "effort");
        if (reasoning.effort != Effort::none && reasoning.budget < 0) reasoning.effort = *effort;
        reasoning.asked = true;
        if (reasoning.at == nullptr) reasoning.at = wire::key(arena_, at, "effort");
      }
    }
    return format(config);
  }

  Result<void> format(const Value* config) {
    const auto* format = config != nullptr ? wire::get(*config, "format") : nullptr;
    const auto* at = wire::key(arena_, wire::key(arena_, nullptr, "output_config"), "format");
    if (format == nullptr) {
      format = wire::get(body_, "output_format");
      at = wire::key(arena_, nullptr, "output_format");
    }
    if (format == nullptr) return ok();
    if (!format->is_object()) return wire::wrong_type(at, "an object", *format);
    GP_TRY(auto type, wire::required_text(*format, "type", at));
    if (type != "json_schema") return bad_value(at, "expected json_schema", "type");
    GP_TRY(const auto* schema, wire::object(*format, "schema", at));
    if (schema == nullptr) return wire::missing(at, "schema");
    request_->format.kind = OutputFormat::Kind::json_schema;
    request_->format.schema = *schema;
    request_->format.at = at;
    return ok();
  }

  Result<void> params() {
    auto& p = request_->params;
    GP_TRY(p.max_tokens, wire::param(body_, "max_tokens", Want::integer, nullptr, arena_));
    GP_TRY(p.temperature, wire::param(body_, "temperature", Want::number, nullptr, arena_));
    GP_TRY(p.top_p, wire::param(body_, "top_p", Want::number, nullptr, arena_));
    GP_TRY(p.top_k, wire::param(body_, "top_k", Want::integer, nullptr, arena_));
    GP_TRY(p.stop, wire::param(body_, "stop_sequences", Want::array, nullptr, arena_));
    GP_TRY(p.service_tier, wire::param(body_, "service_tier", Want::string, nullptr, arena_));
    GP_TRY(p.top_cache, wire::param(body_, "cache_control", Want::object, nullptr, arena_));
    GP_TRY(const auto* metadata, wire::object(body_, "metadata", nullptr));
    if (metadata != nullptr) {
      const auto* at = wire::key(arena_, nullptr, "metadata");
      wire::report_unknown(*metadata, {"user_id"}, at, losses_);
      GP_TRY(p.user, wire::param(*metadata, "user_id", Want::string, at, arena_));
    }
    GP_TRY(auto stream, wire::flag(body_, "stream", nullptr));
    request_->stream = stream == 1;
    return ok();
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

}  // namespace gproxy::translate::claude
