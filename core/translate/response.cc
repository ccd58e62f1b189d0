#include "translate/response.h"

#include "translate/answer_common.h"
#include "translate/errors.h"
#include "translate/stream.h"

namespace gproxy::translate {

namespace {

// Whether the client reads the answer in pieces.
bool wants_stream(const RequestContext& request) {
  return request.stream || request.operation == Operation::stream_generate;
}

// Runs the translator over bytes that are all there. `framed`: an SSE stream or a JSON array, as
// opposed to one whole answer.
TranslatedAnswer run(const RequestContext& request, std::string_view bytes, const Options& options,
                     IdSource& ids) {
  const bool stream = wants_stream(request);
  StreamTranslator translator(request, options, ids,
                              stream ? AnswerForm::stream : AnswerForm::document);
  TranslatedAnswer answer;
  Result<void> result = translator.feed(bytes, answer.body);
  if (result.ok()) result = translator.finish(answer.body);
  answer.losses = translator.losses();
  answer.usage = translator.usage();
  if (!result.ok()) {
    if (!stream || answer.body.empty()) {
      LossLog losses = std::move(answer.losses);
      answer = error_answer(request, std::move(result).error());
      answer.losses = std::move(losses);
      return answer;
    }
    translator.fail(result.error(), answer.body);
    answer.failed = true;
    answer.error = std::move(result).error();
  }
  if (stream) answer.content_type = StreamTranslator::content_type(request.client, request.framing);
  return answer;
}

}  // namespace

TranslatedAnswer error_answer(const RequestContext& request, Error error) {
  TranslatedAnswer answer;
  answer.failed = true;
  answer.status = error_status(request.client, error);
  answer.body = encode_error(request.client, error, {});
  // Gemini's clients without alt=sse read an array, whatever is in it.
  if (request.client == Protocol::gemini && request.framing == GeminiFraming::array &&
      wants_stream(request)) {
    answer.body = "[" + answer.body + "]";
  }
  answer.error = std::move(error);
  return answer;
}

TranslatedAnswer translate_error(const RequestContext& request, int status, std::string_view body) {
  Error error = decode_error(request.upstream, status, body);
  if (error.kind == ErrorKind::auth) error = as_gateway_fault(std::move(error));
  if (error.message.empty()) error.message = "the upstream answered " + std::to_string(status);
  return error_answer(request, std::move(error));
}

TranslatedAnswer translate_response(const RequestContext& request, int status,
                                    std::string_view body, const Options& options, IdSource& ids) {
  if (status >= 400) return translate_error(request, status, body);
  return run(request, body, options, ids);
}

TranslatedAnswer translate_stream(const RequestContext& request, int status, std::string_view bytes,
                                  const Options& options, IdSource& ids) {
  if (status >= 400) return translate_error(request, status, bytes);
  return run(request, bytes, options, ids);
}

std::string write_count(Protocol client, int64_t tokens) {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  switch (client) {
    case Protocol::claude:
      w.field("input_tokens", tokens);
      break;
    case Protocol::gemini:
      w.field("totalTokens", tokens);
      w.key("promptTokensDetails");
      w.begin_array();
      w.begin_object();
      w.field("modality", "TEXT");
      w.field("tokenCount", tokens);
      w.end_object();
      w.end_array();
      break;
    default:
      w.field("object", "response.input_tokens");
      w.field("input_tokens", tokens);
  }
  w.end_object();
  return out;
}

TranslatedAnswer translate_count_response(const RequestContext& request, int status,
                                          std::string_view body) {
  if (status >= 400) return translate_error(request, status, body);
  Arena arena;
  const auto doc = json::parse(body, arena);
  if (!doc || !doc->is_object()) {
    return error_answer(request, bad_upstream("upstream_invalid_response",
                                              "upstream answered a count with no JSON object"));
  }
  if (doc->has("error") && !(*doc)["error"].is_null()) {
    return error_answer(request, upstream_error(request.upstream, *doc));
  }
  const auto* count = doc->find("totalTokens");
  if (count == nullptr) count = doc->find("total_tokens");
  if (count == nullptr) count = doc->find("input_tokens");
  const auto tokens = count == nullptr ? std::optional<int64_t>() : count->as_int();
  if (!tokens || *tokens < 0) {
    // proto3 JSON leaves a zero out.
    const bool zero =
        doc->empty() || doc->has("promptTokensDetails") || doc->has("cachedContentTokenCount");
    if (request.upstream == Protocol::gemini && count == nullptr && zero) {
      TranslatedAnswer answer;
      answer.body = write_count(request.client, 0);
      return answer;
    }
    return error_answer(request, bad_upstream("upstream_invalid_response",
                                              "upstream answered a count without a number"));
  }
  TranslatedAnswer answer;
  answer.body = write_count(request.client, *tokens);
  return answer;
}

}  // namespace gproxy::translate
