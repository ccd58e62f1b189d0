// Translation of whole answers: the public entry. Bytes in, bytes out; pure. What the upstream said
// becomes what the client's protocol says, errors included.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "translate/codec.h"
#include "translate/loss.h"

namespace gproxy::translate {

struct TranslatedAnswer {
  int status = 200;
  std::string body;
  std::string_view content_type = "application/json";
  bool failed = false;  // `body` is an error in the client's protocol
  Error error;          // valid when failed
  LossLog losses;
  TokenUsage usage;  // of a generated answer
};

// A whole (non-stream) answer. A status of 400 and above goes to translate_error. An answer that
// makes no sense, or that failed inside a 200, becomes a 502 (or the status its error stands for).
// With context.stream the client gets the events of a synthetic stream.
TranslatedAnswer translate_response(const RequestContext& request, int status,
                                    std::string_view body, const Options& options, IdSource& ids);

// An upstream's error body of any shape in the client's protocol.
TranslatedAnswer translate_error(const RequestContext& request, int status, std::string_view body);
// Our own or a decoded error as the client's whole body (Gemini's array framing included).
TranslatedAnswer error_answer(const RequestContext& request, Error error);

// All bytes of an upstream's stream at once. With context.stream the result is the client's stream
// (ending in its error event when the upstream broke off), else one collected answer.
TranslatedAnswer translate_stream(const RequestContext& request, int status, std::string_view bytes,
                                  const Options& options, IdSource& ids);

// A token count (wire-formats 6.1).
TranslatedAnswer translate_count_response(const RequestContext& request, int status,
                                          std::string_view body);
// The client's body for a count made here.
std::string write_count(Protocol client, int64_t tokens);

}  // namespace gproxy::translate
