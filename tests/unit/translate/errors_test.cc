#include "translate/errors.h"

#include <doctest/doctest.h>

#include <string>

#include "base/strings.h"

namespace gproxy::translate {
namespace {

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

Error an_error(ErrorKind kind, std::string_view code = kUpstreamError) {
  return Error{kind, code, "it broke"};
}

}  // namespace

TEST_CASE("our own complaints name the field in the message, once; an upstream's words stay") {
  const Error ours{ErrorKind::invalid, "invalid_type", "expected an object", "tools[0]"};
  const Error told{ErrorKind::invalid, "missing_required_parameter", "missing required field model",
                   "model"};
  const Error theirs{ErrorKind::invalid, kUpstreamError, "bad tool", "tools[0]"};
  for (const auto protocol :
       {Protocol::openai_chat, Protocol::openai_response, Protocol::claude, Protocol::gemini}) {
    CHECK(has(encode_error(protocol, ours, ""), "\"message\":\"tools[0]: expected an object\""));
    CHECK(has(encode_error(protocol, told, ""), "\"message\":\"missing required field model\""));
    CHECK(has(encode_error(protocol, theirs, ""), "\"message\":\"bad tool\""));
  }
}

TEST_CASE("each protocol has its own status and type for a kind") {
  struct Row {
    ErrorKind kind;
    int openai, claude, gemini;
    std::string_view openai_type, claude_type, gemini_status;
  };
  constexpr Row rows[] = {
      {ErrorKind::invalid, 400, 400, 400, "invalid_request_error", "invalid_request_error",
       "INVALID_ARGUMENT"},
      {ErrorKind::auth, 401, 401, 401, "invalid_request_error", "authentication_error",
       "UNAUTHENTICATED"},
      {ErrorKind::billing, 429, 402, 429, "insufficient_quota", "billing_error",
       "RESOURCE_EXHAUSTED"},
      {ErrorKind::permission, 403, 403, 403, "invalid_request_error", "permission_error",
       "PERMISSION_DENIED"},
      {ErrorKind::not_found, 404, 404, 404, "invalid_request_error", "not_found_error",
       "NOT_FOUND"},
      {ErrorKind::conflict, 409, 409, 409, "invalid_request_error", "conflict_error", "ABORTED"},
      {ErrorKind::too_large, 413, 413, 400, "invalid_request_error", "request_too_large",
       "INVALID_ARGUMENT"},
      {ErrorKind::rate, 429, 429, 429, "rate_limit_error", "rate_limit_error",
       "RESOURCE_EXHAUSTED"},
      {ErrorKind::timeout, 504, 504, 504, "server_error", "timeout_error", "DEADLINE_EXCEEDED"},
      {ErrorKind::overloaded, 503, 529, 503, "server_error", "overloaded_error", "UNAVAILABLE"},
      {ErrorKind::server, 500, 500, 500, "server_error", "api_error", "INTERNAL"},
  };
  for (const auto& row : rows) {
    const auto error = an_error(row.kind);
    CHECK(error_status(Protocol::openai_chat, error) == row.openai);
    CHECK(error_status(Protocol::claude, error) == row.claude);
    CHECK(error_status(Protocol::gemini, error) == row.gemini);
    CHECK(has(encode_error(Protocol::openai, error, ""),
              "\"type\":\"" + std::string(row.openai_type)));
    CHECK(has(encode_error(Protocol::claude, error, ""),
              "\"type\":\"" + std::string(row.claude_type)));
    CHECK(has(encode_error(Protocol::gemini, error, ""),
              "\"status\":\"" + std::string(row.gemini_status)));
  }
}

TEST_CASE("gproxy's own code stands in the protocol's code field") {
  const auto error = an_error(ErrorKind::overloaded, "no_active_credentials");
  CHECK(
      encode_error(Protocol::openai_chat, error, "") ==
      R"({"error":{"message":"it broke","type":"server_error","param":null,"code":"no_active_credentials"}})");
  CHECK(
      encode_error(Protocol::claude, error, "req-1") ==
      R"({"type":"error","error":{"type":"overloaded_error","message":"it broke","details":{"error_code":"no_active_credentials"}},"request_id":"req-1"})");
  CHECK(has(encode_error(Protocol::gemini, error, ""), R"("reason":"no_active_credentials")"));
}

TEST_CASE("an error of the upstream shows the protocol's own code") {
  CHECK(has(encode_error(Protocol::openai_chat, an_error(ErrorKind::rate), ""),
            R"("code":"rate_limit_exceeded")"));
  CHECK(
      has(encode_error(Protocol::openai_chat, an_error(ErrorKind::invalid), ""), R"("code":null)"));
}

TEST_CASE("an unsupported operation is 501 everywhere") {
  const auto error = an_error(ErrorKind::unsupported, "unsupported_operation").with_status(501);
  for (const auto p : {Protocol::openai, Protocol::claude, Protocol::gemini})
    CHECK(error_status(p, error) == 501);
  CHECK(has(encode_error(Protocol::gemini, error, ""), "UNIMPLEMENTED"));
}

TEST_CASE("context errors tell claude clients in the words they compact on") {
  CHECK(has(encode_error(Protocol::claude, an_error(ErrorKind::context), ""),
            "prompt is too long: it broke"));
}

TEST_CASE("retry hints reach gemini clients as RetryInfo") {
  auto error = an_error(ErrorKind::rate);
  error.retry_after_ms = 1500;
  CHECK(has(encode_error(Protocol::gemini, error, ""), R"("retryDelay":"1.500s")"));
}

TEST_CASE("a failing stream is told without a success marker") {
  const auto error = an_error(ErrorKind::server, "stream_interrupted");
  CHECK(encode_stream_error(Protocol::openai_chat, error, {}) ==
        "data: {\"error\":{\"message\":\"it "
        "broke\",\"type\":\"server_error\",\"param\":null,\"code\":\"stream_interrupted\"}}\n\n");
  CHECK(encode_stream_error(Protocol::claude, error, {})
            .starts_with("event: error\ndata: {\"type\":\"error\""));
  CHECK(encode_stream_error(Protocol::openai_response, error, {}).starts_with("event: error\n"));
  CHECK(encode_stream_error(Protocol::openai_response, error, {.created = true})
            .starts_with("event: response.failed\n"));
  CHECK(encode_stream_error(Protocol::gemini, error, {})
            .starts_with("data: {\"error\":{\"code\":500"));
  CHECK(encode_stream_error(Protocol::gemini, error, {.gemini_array = true})
            .starts_with("[{\"error\""));
  const auto last =
      encode_stream_error(Protocol::gemini, error, {.gemini_array = true, .array_has_items = true});
  CHECK(last.starts_with(",\n{\"error\""));
  CHECK(last.ends_with("}]"));
}

TEST_CASE("upstream errors are read by code, then status, then words") {
  struct Row {
    Protocol protocol;
    int status;
    std::string_view body;
    ErrorKind kind;
  };
  const Row rows[] = {
      {Protocol::openai_chat, 400,
       R"({"error":{"message":"m","type":"invalid_request_error","code":"context_length_exceeded"}})",
       ErrorKind::context},
      {Protocol::openai_chat, 400,
       R"({"error":{"message":"This model's maximum context length is 1"}})", ErrorKind::context},
      {Protocol::openai_chat, 429,
       R"({"error":{"type":"insufficient_quota","code":"insufficient_quota"}})",
       ErrorKind::billing},
      {Protocol::openai_chat, 401,
       R"({"error":{"type":"invalid_request_error","code":"invalid_api_key"}})", ErrorKind::auth},
      {Protocol::openai_chat, 404, R"({"error":{"type":"invalid_request_error"}})",
       ErrorKind::not_found},
      {Protocol::openai_chat, 403, R"({"error":"unsupported_country_region_territory"})",
       ErrorKind::permission},
      {Protocol::claude, 529,
       R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})",
       ErrorKind::overloaded},
      {Protocol::claude, 400,
       R"({"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 3 > 2"}})",
       ErrorKind::context},
      {Protocol::claude, 400,
       R"({"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low"}})",
       ErrorKind::billing},
      {Protocol::gemini, 400,
       R"([{"error":{"code":400,"message":"API key not valid","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}])",
       ErrorKind::auth},
      {Protocol::gemini, 400,
       R"x({"error":{"code":400,"message":"The input token count (9) exceeds the maximum number of tokens allowed (8)","status":"INVALID_ARGUMENT"}})x",
       ErrorKind::context},
      {Protocol::gemini, 429,
       R"({"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"37s"}]}})",
       ErrorKind::rate},
      {Protocol::openai_chat, 503, "<html><body>Bad  gateway</body></html>", ErrorKind::overloaded},
      {Protocol::openai_chat, 500, "", ErrorKind::server},
  };
  for (const auto& row : rows) {
    CAPTURE(row.body);
    CHECK(kind_name(decode_error(row.protocol, row.status, row.body).kind) == kind_name(row.kind));
  }
  CHECK(decode_error(Protocol::gemini, 429, rows[11].body).retry_after_ms == 37000);
  CHECK(decode_error(Protocol::openai_chat, 503, rows[12].body).message == "Bad gateway");
  CHECK(decode_error(Protocol::openai_chat, 500, "").message == "the upstream answered 500");
}

TEST_CASE("messages lose URLs and keys") {
  CHECK(
      redact_message("Incorrect API key provided: sk-abcdefghijkl. See https://x.y/z?key=1 now") ==
      "Incorrect API key provided: [key] See [url] now");
  CHECK(redact_message("Authorization: Bearer abc.def") == "Authorization: Bearer [key]");
  CHECK(redact_message("task-based risk-free") == "task-based risk-free");
  CHECK(redact_message("\xC3\xA4\xC3\xA4", 3) == "\xC3\xA4");
}

TEST_CASE("a refusal of the gateway's key never reaches the client as its own") {
  const auto error = as_gateway_fault(
      decode_error(Protocol::openai_chat, 401, R"({"error":{"code":"invalid_api_key"}})"));
  CHECK(error_status(Protocol::openai_chat, error) == 502);
  CHECK(error.kind == ErrorKind::server);
}

TEST_CASE("a plain text error in another encoding becomes valid UTF-8") {
  const auto error = decode_error(Protocol::openai_chat, 502, "caf\xe9 \xf0\x9f\x98 closed");
  CHECK(is_valid_utf8(error.message));
  CHECK(error.message.find("closed") != std::string::npos);
}

}  // namespace gproxy::translate
