#include "gateway/local_reply.h"

#include "base/json.h"
#include "translate/errors.h"

namespace gproxy::gateway {
namespace {

constexpr std::string_view kJson = "application/json";

std::string plain_body(const Error& error) {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.field("error", error.code);
  w.key("detail");
  error.message.empty() ? w.null() : w.string(error.message);
  w.end_object();
  return out;
}

Error make(ErrorKind kind, std::string_view code, std::string message, int status = 0) {
  Error error{kind, code, std::move(message)};
  error.status = status;
  return error;
}

std::string quoted(std::string_view text) {
  // What a client sent is shown short and without anything that could break a log line.
  std::string out = "\"";
  for (const char c : text.substr(0, 64)) out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
  return out + (text.size() > 64 ? "…\"" : "\"");
}

}  // namespace

LocalReply make_local_reply(RouteKind kind, translate::Protocol protocol, const Error& error,
                            std::string_view request_id) {
  LocalReply reply;
  reply.code = error.code;
  reply.retry_after_s = (error.retry_after_ms + 999) / 1000;
  switch (kind) {
    case RouteKind::admin:
    case RouteKind::oauth_start:
    case RouteKind::oauth_callback:
    case RouteKind::usage:
      reply.status = error.http();
      reply.body = plain_body(error);
      reply.content_type = kJson;
      return reply;
    case RouteKind::llm:
    case RouteKind::unknown_operation:
      break;
    default:
      if (protocol == translate::Protocol::none) {
        reply.status = error.http();
        return reply;
      }
      break;
  }
  reply.status = translate::error_status(protocol, error);
  reply.body = translate::encode_error(protocol, error, request_id);
  reply.content_type = kJson;
  return reply;
}

Error unauthorized() {
  return make(ErrorKind::auth, "invalid_api_key", "missing or unknown API key");
}
Error unknown_path(std::string_view method, std::string_view path) {
  return make(ErrorKind::not_found, "unknown_operation",
              "gproxy does not serve " + std::string(method.substr(0, 16)) + " " + quoted(path));
}
Error unsupported_operation(std::string_view provider) {
  return make(ErrorKind::unsupported, "unsupported_operation",
              "provider " + quoted(provider) + " does not support this operation", 501);
}
Error method_not_allowed(std::string_view method) {
  return make(ErrorKind::invalid, "method_not_allowed",
              "method " + quoted(method) + " is not allowed here", 405);
}
Error provider_not_found(std::string_view name) {
  return make(ErrorKind::not_found, "provider_not_found", "there is no provider " + quoted(name));
}
Error provider_disabled(std::string_view name) {
  return make(ErrorKind::not_found, "provider_disabled",
              "provider " + quoted(name) + " is disabled");
}
Error provider_not_allowed(std::string_view name) {
  return make(ErrorKind::permission, "provider_not_allowed",
              "this key may not use provider " + quoted(name));
}
Error model_not_allowed(std::string_view model) {
  return make(ErrorKind::permission, "model_not_allowed",
              "this key may not use model " + quoted(model))
      .with_param("model");
}
Error provider_unavailable(std::string_view name) {
  return make(ErrorKind::server, "provider_config_invalid",
              "provider " + quoted(name) + " is not usable as configured", 500);
}
Error no_active_credentials(std::string_view provider, int64_t retry_after_ms) {
  auto error = make(ErrorKind::overloaded, "no_active_credentials",
                    "provider " + quoted(provider) + " has no credential that may be used now");
  error.retry_after_ms = retry_after_ms;
  return error;
}
Error missing_provider_prefix() {
  return make(ErrorKind::invalid, "missing_provider_prefix",
              "model must be written as provider/model on this path")
      .with_param("model");
}
Error bad_gemini_action() {
  return make(ErrorKind::not_found, "unknown_gemini_action",
              "expected model:generateContent, :streamGenerateContent or :countTokens");
}
Error unsupported_content_encoding() {
  return make(ErrorKind::invalid, "unsupported_content_encoding",
              "request bodies must not be compressed", 415);
}
Error overloaded_error(std::string_view why, int64_t retry_after_ms) {
  auto error = make(ErrorKind::overloaded, "overloaded", std::string(why));
  error.retry_after_ms = retry_after_ms;
  return error;
}
Error stream_interrupted() {
  return make(ErrorKind::server, "stream_interrupted", "upstream stream ended unexpectedly", 502);
}
Error shutting_down() {
  auto error = make(ErrorKind::overloaded, "shutting_down", "the gateway is shutting down");
  error.retry_after_ms = 1000;
  return error;
}

}  // namespace gproxy::gateway
