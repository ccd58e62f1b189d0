#include "translate/request.h"

#include "base/base64.h"
#include "base/json_scan.h"
#include "translate/claude/request.h"
#include "translate/gemini/request.h"
#include "translate/openai_chat/request.h"
#include "translate/openai_responses/request.h"
#include "translate/repair.h"
#include "translate/sanitize.h"
#include "translate/wire.h"

namespace gproxy::translate {

namespace {

using json::Value;

Result<Request*> decode(Protocol client, const Value& body, DecodeContext& context) {
  switch (client) {
    case Protocol::openai_chat:
      return openai_chat::decode_request(body, context);
    case Protocol::openai_response:
      return openai_responses::decode_request(body, context);
    case Protocol::claude:
      return claude::decode_request(body, context);
    case Protocol::gemini:
      return gemini::decode_request(body, context);
    default:
      return internal_error("no request codec for this protocol");
  }
}

Result<Value> encode(Protocol upstream, Request& request, EncodeContext& context) {
  switch (upstream) {
    case Protocol::openai_chat:
      return openai_chat::encode_request(request, context);
    case Protocol::openai_response:
      return openai_responses::encode_request(request, context);
    case Protocol::claude:
      return claude::encode_request(request, context);
    case Protocol::gemini:
      return gemini::encode_request(request, context);
    default:
      return internal_error("no request codec for this protocol");
  }
}

Result<Value> parse_body(std::string_view body, const Options& options, Arena& arena) {
  GP_TRY(auto value, json::parse(body, arena, options.limits));
  if (!value.is_object()) {
    return Error{ErrorKind::invalid, "invalid_json", "the body must be a JSON object", "$"};
  }
  return value;
}

// What the answer needs to know of the client's request.
void fill_context(const Request& request, Operation operation, const RequestMeta& meta,
                  const Profile& profile, RequestContext& context) {
  context.requested_model = std::string(meta.model.empty() ? request.model : meta.model);
  context.upstream_model =
      meta.upstream_model.empty() ? context.requested_model : std::string(meta.upstream_model);
  context.family = profile.family;
  context.operation = operation;
  context.stream = operation == Operation::stream_generate;
  context.candidates = static_cast<int32_t>(
      std::min<int64_t>(std::max<int64_t>(request.params.candidates.value.int_or(1), 1), 128));
  auto kind = request.format.kind;
  context.json_mode =
      kind == OutputFormat::Kind::json_object || kind == OutputFormat::Kind::json_schema;
  for (const auto& tool : request.tools) {
    if (tool.kind == Tool::Kind::function || tool.kind == Tool::Kind::custom) {
      context.has_functions = true;
    }
  }
  context.estimated_input_tokens = estimate_tokens(request);
}

// What shows when the arena's bound was reached somewhere.
Result<void> check_memory(const Arena& arena) {
  if (!arena.exhausted()) return ok();
  return Error{ErrorKind::too_large, "request_too_large",
               "the request needs more memory than allowed"};
}

Operation client_operation(Operation asked, const Request& request) {
  if (asked == Operation::generate && request.stream) return Operation::stream_generate;
  return asked;
}

Operation upstream_operation(Operation client, int upstream_stream) {
  if (client == Operation::count_tokens) return client;
  if (upstream_stream < 0) return client;
  return upstream_stream != 0 ? Operation::stream_generate : Operation::generate;
}

Result<std::string> pick_model(const Request& request, const RequestMeta& meta) {
  if (!meta.upstream_model.empty()) return std::string(meta.upstream_model);
  if (!meta.model.empty()) return std::string(meta.model);
  if (request.model.empty()) return wire::missing(nullptr, "model");
  return std::string(request.model);
}

// Equal protocols: the bytes as they came, with the model's name put in place.
Result<std::string> same_protocol_body(Protocol protocol, Operation operation,
                                       std::string_view body, const RequestMeta& meta,
                                       const Options& options) {
  auto model = meta.upstream_model.empty() ? meta.model : meta.upstream_model;
  if (protocol == Protocol::gemini) {
    GP_TRY(auto scanned, json::validate(body, options.limits));
    if (scanned.root != json::Kind::object) {
      return Error{ErrorKind::invalid, "invalid_json", "the body must be a JSON object", "$"};
    }
    // The path names the model; only a wrapped count names it once more.
    std::string out(body);
    if (operation != Operation::count_tokens || model.empty()) return out;
    const auto span = json::find(body, {"generateContentRequest", "model"});
    if (!span.found || span.kind != json::Kind::string) return out;
    std::string quoted;
    const bool collection = model.find('/') != std::string_view::npos;
    json::write_string((collection ? "" : "models/") + std::string(model), quoted);
    out.replace(span.at, span.len, quoted);
    return out;
  }
  constexpr std::string_view kKeys[] = {"model"};
  json::Span spans[1];
  GP_TRY(auto scanned, json::scan_object(body, kKeys, spans, options.limits));
  if (scanned.root != json::Kind::object) {
    return Error{ErrorKind::invalid, "invalid_json", "the body must be a JSON object", "$"};
  }
  std::string out(body);
  if (!model.empty() && spans[0].found) {
    std::string quoted;
    json::write_string(model, quoted);
    if (out.compare(spans[0].at, spans[0].len, quoted) != 0) {
      out.replace(spans[0].at, spans[0].len, quoted);
    }
  }
  return out;
}

}  // namespace

std::string upstream_path(Protocol protocol, Operation operation, std::string_view model,
                          const Profile& profile) {
  bool counting = operation == Operation::count_tokens;
  switch (protocol) {
    case Protocol::openai_chat:
      return counting ? "" : "/v1/chat/completions";
    case Protocol::openai_response:
      return counting ? "/v1/responses/input_tokens" : "/v1/responses";
    case Protocol::claude:
      return counting ? "/v1/messages/count_tokens" : "/v1/messages";
    case Protocol::gemini: {
      std::string path = "/" + profile.gm_api + "/";
      if (model.find('/') == std::string_view::npos) path += "models/";
      path += percent_encode(model, "/");
      path += counting                                  ? ":countTokens"
              : operation == Operation::stream_generate ? ":streamGenerateContent"
                                                        : ":generateContent";
      return path;
    }
    default:
      return {};
  }
}

Result<TranslatedRequest> translate_request(Protocol client, Protocol upstream, Operation operation,
                                            std::string_view body, const RequestMeta& meta,
                                            const Profile& profile, const Options& options,
                                            Arena& arena, int upstream_stream) {
  TranslatedRequest out;
  out.context.client = client;
  out.context.upstream = upstream;
  GP_TRY(auto parsed, parse_body(body, options, arena));
  GP_CHECK(check_memory(arena));

  DecodeContext decoding{arena, options, meta, out.context, out.losses, operation};
  auto decoded = decode(client, parsed, decoding);
  if (!decoded) return std::move(decoded).error();
  Request& request = **decoded;
  GP_CHECK(check_memory(arena));
  GP_TRY(auto model, pick_model(request, meta));
  auto client_op = client_operation(operation, request);
  fill_context(request, client_op, meta, profile, out.context);
  out.operation = upstream_operation(client_op, upstream_stream);
  out.estimate = out.context.estimated_input_tokens;

  if (client == upstream) {
    out.losses = LossLog();
    GP_TRY(out.body, same_protocol_body(client, operation, body, meta, options));
  } else if (out.operation == Operation::count_tokens && upstream == Protocol::openai_chat) {
    out.local_count = true;
    out.losses = LossLog();
  } else {
    auto custom = upstream == Protocol::openai_response ||
                          (upstream == Protocol::openai_chat && profile.oa_custom_tools)
                      ? CustomTools::keep
                      : CustomTools::as_function;
    sanitize_names(request, upstream, custom, out.context, arena, out.losses);
    filter_parts(request, upstream, profile, arena, out.losses);
    repair(request, upstream, profile, arena, out.losses);
    EncodeContext encoding{arena,      options,       profile,          out.context,
                           out.losses, out.operation, arena.copy(model)};
    GP_TRY(auto encoded, encode(upstream, request, encoding));
    GP_CHECK(check_memory(arena));
    out.body.reserve(body.size() + body.size() / 8 + 256);
    json::write_to(encoded, out.body);
    if (options.lossless) {
      if (const auto* loss = out.losses.blocking()) {
        std::string message = "lossless translation is not possible: ";
        message += loss->path.empty() ? "the request" : loss->path;
        message += " would be ";
        message += name(loss->action);
        message += " (";
        message += loss->reason;
        message += ")";
        return Error{ErrorKind::unsupported, "lossy_translation", std::move(message), loss->path};
      }
    }
  }
  out.path = upstream_path(upstream, out.operation, model, profile);
  if (upstream == Protocol::gemini && out.operation == Operation::stream_generate) {
    out.query = "alt=sse";
  }
  if (upstream == Protocol::claude) out.anthropic_version = profile.cl_version;
  return out;
}

Result<RequestContext> read_request_context(Protocol client, Protocol upstream, Operation operation,
                                            std::string_view body, const RequestMeta& meta,
                                            const Profile& profile, const Options& options,
                                            Arena& arena) {
  RequestContext context;
  context.client = client;
  context.upstream = upstream;
  GP_TRY(auto parsed, parse_body(body, options, arena));
  LossLog losses;
  DecodeContext decoding{arena, options, meta, context, losses, operation};
  auto decoded = decode(client, parsed, decoding);
  if (!decoded) return std::move(decoded).error();
  Request& request = **decoded;
  fill_context(request, client_operation(operation, request), meta, profile, context);
  if (client != upstream) {
    auto custom = upstream == Protocol::openai_response ||
                          (upstream == Protocol::openai_chat && profile.oa_custom_tools)
                      ? CustomTools::keep
                      : CustomTools::as_function;
    sanitize_names(request, upstream, custom, context, arena, losses);
  }
  GP_CHECK(check_memory(arena));
  return context;
}

Result<const Request*> decode_count_request(Protocol client, std::string_view body,
                                            const RequestMeta& meta, const Options& options,
                                            Arena& arena) {
  RequestContext context;
  context.client = context.upstream = client;
  GP_TRY(auto parsed, parse_body(body, options, arena));
  LossLog losses;
  DecodeContext decoding{arena, options, meta, context, losses, Operation::count_tokens};
  auto decoded = decode(client, parsed, decoding);
  if (!decoded) return std::move(decoded).error();
  GP_CHECK(check_memory(arena));
  return static_cast<const Request*>(*decoded);
}

}  // namespace gproxy::translate
