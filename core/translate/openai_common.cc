#include "translate/openai_common.h"

#include "base/base64.h"
#include "base/digest.h"
#include "base/strings.h"
#include "translate/effort.h"
#include "translate/media.h"
#include "translate/schema.h"

namespace gproxy::translate::openai {

using json::Value;
using wire::Want;

namespace {

constexpr size_t kMaxUser = 64;
constexpr int64_t kMinResponsesTokens = 16;

struct ParamKey {
  std::string_view key;
  Want want;
  Param Params::*member;
};
constexpr ParamKey kParams[] = {
    {"temperature", Want::number, &Params::temperature},
    {"top_p", Want::number, &Params::top_p},
    {"user", Want::string, &Params::user},
    {"safety_identifier", Want::string, &Params::safety_identifier},
    {"metadata", Want::object, &Params::metadata},
    {"service_tier", Want::string, &Params::service_tier},
    {"store", Want::boolean, &Params::store},
    {"prompt_cache_key", Want::string, &Params::prompt_cache_key},
    {"prompt_cache_retention", Want::any, &Params::prompt_cache_retention},
    {"prompt_cache_options", Want::any, &Params::prompt_cache_options},
    {"top_logprobs", Want::integer, &Params::top_logprobs},
    {"moderation", Want::any, &Params::moderation},
};

bool from_openai(Protocol protocol) {
  return is_openai(protocol);
}

}  // namespace

Result<void> decode_params(const Value& body, Request& request, DecodeContext& context) {
  for (const auto& entry : kParams) {
    GP_TRY(request.params.*entry.member,
           wire::param(body, entry.key, entry.want, nullptr, context.arena));
  }
  GP_TRY(request.parallel, wire::flag(body, "parallel_tool_calls", nullptr));
  if (request.parallel >= 0) {
    request.parallel_at = wire::key(context.arena, nullptr, "parallel_tool_calls");
  }
  return ok();
}

void encode_params(const Request& request, Flavour flavour, Value& body, EncodeContext& context) {
  auto& arena = context.arena;
  auto& losses = context.losses;
  const auto& p = request.params;
  const auto& profile = context.profile;
  bool chat = flavour == Flavour::chat;
  bool same_family = from_openai(request.origin);

  if (p.max_tokens) {
    auto value = p.max_tokens.value;
    std::string_view name = !chat                              ? "max_output_tokens"
                            : profile.oa_max_completion_tokens ? "max_completion_tokens"
                                                               : "max_tokens";
    if (!chat && value.int_or(kMinResponsesTokens) < kMinResponsesTokens) {
      losses.changed(p.max_tokens.at, "raised to the upstream's minimum of 16");
      value = Value::integer(arena, kMinResponsesTokens);
    }
    body.add(arena, name, value);
  }
  bool sampling = profile.oa_sampling || request.reasoning.effort == Effort::none;
  for (const auto& [param, name] :
       {std::pair{&p.temperature, "temperature"}, std::pair{&p.top_p, "top_p"}}) {
    if (!*param) continue;
    if (sampling) {
      body.add(arena, name, param->value);
    } else {
      losses.dropped(param->at, "the model takes no sampling parameters");
    }
  }
  wire::drop(p.top_k, losses, "no such parameter upstream");
  if (p.user) {
    auto user = p.user.value.str();
    auto sent = short_user(user, arena);
    if (sent != user) losses.changed(p.user.at, "hashed: longer than 64 characters");
    body.add(arena, "user", Value::string(sent));
  }
  if (p.safety_identifier) body.add(arena, "safety_identifier", p.safety_identifier.value);
  if (p.metadata) body.add(arena, "metadata", p.metadata.value);
  if (p.service_tier) {
    auto tier = p.service_tier.value.str();
    std::string_view sent = tier;
    if (request.origin == Protocol::claude) {
      sent = tier == "standard_only" ? "default" : tier == "auto" ? "auto" : "";
    } else if (request.origin == Protocol::gemini) {
      auto lower = to_lower(tier);
      sent = lower == "standard"   ? "default"
             : lower == "flex"     ? "flex"
             : lower == "priority" ? "priority"
                                   : "";
    }
    if (sent.empty()) {
      losses.dropped(p.service_tier.at, "no such tier upstream");
    } else {
      body.add(arena, "service_tier", Value::string(sent));
    }
  }
  for (const auto& [param, name] : {std::pair{&p.prompt_cache_key, "prompt_cache_key"},
                                    std::pair{&p.prompt_cache_retention, "prompt_cache_retention"},
                                    std::pair{&p.prompt_cache_options, "prompt_cache_options"},
                                    std::pair{&p.moderation, "moderation"}}) {
    if (*param && same_family) body.add(arena, name, param->value);
  }
  wire::drop(p.safety_settings, losses, "no such parameter upstream");
  wire::drop(p.labels, losses, "no such parameter upstream");
  wire::drop(p.image_config, losses, "no such parameter upstream");
  wire::drop(p.media_resolution, losses, "no such parameter upstream");
  wire::drop(p.top_cache, losses, "no cache marker upstream");
}

Result<OutputFormat> decode_format(const Value& object, const Value& schema_holder, const Path* at,
                                   DecodeContext& context) {
  OutputFormat format;
  format.at = at;
  GP_TRY(auto type, wire::required_text(object, "type", at));
  if (type == "text") {
    format.kind = OutputFormat::Kind::text;
  } else if (type == "json_object") {
    format.kind = OutputFormat::Kind::json_object;
  } else if (type == "json_schema") {
    format.kind = OutputFormat::Kind::json_schema;
    if (!schema_holder.is_object()) return wire::missing(at, "json_schema");
    GP_TRY(format.name, wire::text(schema_holder, "name", at));
    GP_TRY(format.description, wire::text(schema_holder, "description", at));
    GP_TRY(format.strict, wire::flag(schema_holder, "strict", at));
    GP_TRY(const auto* schema, wire::object(schema_holder, "schema", at));
    if (schema != nullptr) format.schema = *schema;
  } else {
    context.losses.dropped(at, "unknown response format");
  }
  return format;
}

void encode_schema_format(const Request& request, Value& out, EncodeContext& context) {
  auto& arena = context.arena;
  const auto& format = request.format;
  out.add(arena, "name",
          Value::string(format.name.empty() ? std::string_view("response") : format.name));
  if (!format.description.empty()) {
    out.add(arena, "description", Value::string(format.description));
  }
  auto schema = format.schema_is_openapi ? from_openapi(format.schema, arena) : format.schema;
  if (schema.is_null()) schema = as_object_schema(schema, arena);
  int8_t strict = format.strict;
  if (!from_openai(request.origin)) {
    // Claude's structured output is always strict; OpenAI rejects strict for open schemas.
    strict = request.origin == Protocol::claude && strict_ready(schema) ? 1 : 0;
  }
  out.add(arena, "schema", schema);
  if (strict >= 0) out.add(arena, "strict", Value::boolean(strict == 1));
}

Result<void> decode_effort(const Value& word, const Path* at, Request& request) {
  if (!word.is_string()) return wire::wrong_type(at, "a string", word);
  auto effort = parse_effort(word.str());
  if (!effort) {
    return bad_value(at, "expected none, minimal, low, medium, high, xhigh or max");
  }
  request.reasoning.effort = *effort;
  request.reasoning.asked = true;
  request.reasoning.at = at;
  return ok();
}

Result<Part> decode_image_url(std::string_view url, std::string_view detail, const Path* at,
                              Arena& arena) {
  Part part;
  part.kind = PartKind::image;
  part.at = at;
  part.media = wire::make<Media>(arena);
  part.media->detail = detail;
  if (auto data = parse_data_url(url, arena)) {
    part.media->mime = data->mime;
    part.media->data = data->base64;
    part.kind = part_kind_of(data->mime);
    if (part.kind == PartKind::document && !is_pdf(data->mime) && !is_text(data->mime)) {
      part.kind = PartKind::image;  // an image_url of an unknown type stays an image
    }
    return part;
  }
  if (!is_http_url(url) && url.find("://") == std::string_view::npos) {
    return bad_value(at, "expected an http(s) URL or a data URL");
  }
  part.media->source = Media::Source::url;
  part.media->data = url;
  part.media->mime = mime_of_name(url);
  return part;
}

Result<Part> decode_file(const Value& file, const Path* at, DecodeContext& context) {
  auto& arena = context.arena;
  Part part;
  part.kind = PartKind::document;
  part.at = at;
  part.media = wire::make<Media>(arena);
  GP_TRY(auto data, wire::text(file, "file_data", at));
  GP_TRY(auto url, wire::text(file, "file_url", at));
  GP_TRY(auto id, wire::text(file, "file_id", at));
  GP_TRY(part.media->name, wire::text(file, "filename", at));
  if (!data.empty()) {
    if (auto parsed = parse_data_url(data, arena)) {
      part.media->mime = parsed->mime;
      part.media->data = parsed->base64;
    } else {
      part.media->mime = mime_of_name(part.media->name);
      if (part.media->mime.empty()) part.media->mime = "application/pdf";
      part.media->data = normal_base64(data, arena);
    }
    part.kind = part_kind_of(part.media->mime);
  } else if (!url.empty()) {
    if (auto parsed = parse_data_url(url, arena)) {
      part.media->mime = parsed->mime;
      part.media->data = parsed->base64;
      part.kind = part_kind_of(part.media->mime);
    } else {
      part.media->source = Media::Source::url;
      part.media->data = url;
      part.media->mime = mime_of_name(url);
      if (!part.media->mime.empty()) part.kind = part_kind_of(part.media->mime);
    }
  } else if (!id.empty()) {
    part.media->source = Media::Source::file_id;
    part.media->data = id;
  } else {
    return wire::missing(at, "file_data");
  }
  return part;
}

Value decode_cache(const Value& object, Arena& arena) {
  if (const auto* marker = wire::get(object, "cache_control"); marker != nullptr) {
    if (marker->is_object()) return *marker;
  }
  const auto* point = wire::get(object, "prompt_cache_breakpoint");
  if (point == nullptr || !point->is_object()) return Value();
  auto marker = Value::object();
  marker.add(arena, "type", Value::string("ephemeral"));
  return marker;
}

void encode_cache(const Value& marker, const Path* at, Value& out, EncodeContext& context) {
  if (marker.is_null()) return;
  if (!context.profile.oa_explicit_cache) {
    context.losses.dropped(at, "the model takes no cache markers", "cache_control");
    return;
  }
  auto point = Value::object();
  point.add(context.arena, "mode", Value::string("explicit"));
  out.add(context.arena, "prompt_cache_breakpoint", point);
}

Result<FileForm> file_form(const Part& part, FileUrls urls, EncodeContext& context) {
  auto& arena = context.arena;
  const auto& media = *part.media;
  FileForm form;
  if (auto text = text_of_document(media, arena)) {
    form.text = document_text(media.name, *text, arena);
    if (media.source == Media::Source::base64) {
      context.losses.changed(part.at, "text file became text");
    } else {
      context.losses.changed(part.at, "document became text");
    }
    return form;
  }
  switch (media.source) {
    case Media::Source::base64: {
      form.kind = FileForm::Kind::data_url;
      form.value = make_data_url(media.mime, media.data, arena);
      form.filename = media.name;
      if (form.filename.empty()) {
        form.filename = is_pdf(media.mime) ? "document.pdf" : "document";
        context.losses.filled(part.at, "file name", "filename");
      }
      return form;
    }
    case Media::Source::url:
      if (urls == FileUrls::no) {
        return unsupported(part.at, "the upstream takes documents inline only, not by URL");
      }
      form.kind = FileForm::Kind::url;
      form.value = media.data;
      return form;
    default:
      return unsupported(part.at, "a file id is bound to the provider that issued it");
  }
}

Value flat_location(const Value& location, Arena& arena) {
  if (!location.is_object()) return Value();
  const auto& inner = location["approximate"];
  const auto& source = inner.is_object() ? inner : location;
  auto flat = Value::object();
  flat.add(arena, "type", Value::string("approximate"));
  for (auto key : {"city", "country", "region", "timezone"}) {
    if (const auto* value = wire::get(source, key)) flat.add(arena, key, *value);
  }
  return flat;
}

bool strict_allowed(const Tool& tool, Protocol origin) {
  if (tool.strict != 1) return false;
  return from_openai(origin) || strict_ready(tool.schema);
}

Value json_schema_of(const Tool& tool, Arena& arena) {
  if (tool.schema_is_openapi) return from_openapi(tool.schema, arena);
  return tool.schema;
}

std::string_view short_user(std::string_view user, Arena& arena) {
  size_t points = 0;
  for (char c : user) points += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  if (points <= kMaxUser) return user;
  return arena.copy(hex_encode(digest_view(sha256(user))));
}

std::string_view with_error_prefix(std::string_view text, bool error, Arena& arena) {
  if (!error || iequals(text.substr(0, 5), "error")) return text;
  return arena.concat({"Error: ", text});
}

}  // namespace gproxy::translate::openai
