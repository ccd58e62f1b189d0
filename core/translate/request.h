// Translation of requests: the public entry. Pure: the same input gives the same bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "base/result.h"
#include "translate/codec.h"

namespace gproxy::translate {

// What to send upstream, and what to remember.
struct TranslatedRequest {
  std::string body;
  Operation operation = Operation::generate;  // upstream's (stream_generate where it streams)
  std::string path;   // upstream's standard path: "/v1/messages", "/v1beta/models/m:countTokens"
  std::string query;  // "alt=sse" or empty
  std::string anthropic_version;  // Claude upstreams, else empty
  RequestContext context;
  LossLog losses;
  // Count requests to an upstream without a count route: no body, `estimate` is the answer.
  bool local_count = false;
  int64_t estimate = 0;  // local estimate of the input tokens
};

// Translates a client's request body. `operation` is the client's: generate, stream_generate or
// count_tokens (a `stream` member of the body turns generate into stream_generate). Equal protocols
// are translated too where asked (bridging), but the gateway forwards those bytes untouched.
// `upstream_stream`: how the upstream is asked; -1 as the client asked.
// Errors carry the JSON path in the client's body as param.
Result<TranslatedRequest> translate_request(Protocol client, Protocol upstream, Operation operation,
                                            std::string_view body, const RequestMeta& meta,
                                            const Profile& profile, const Options& options,
                                            Arena& arena, int upstream_stream = -1);

// The client's request alone, for answers that are not preceded by a translation in this process
// (`gproxy translate --request FILE`): fills the context as translate_request would.
Result<RequestContext> read_request_context(Protocol client, Protocol upstream, Operation operation,
                                            std::string_view body, const RequestMeta& meta,
                                            const Profile& profile, const Options& options,
                                            Arena& arena);

// A count request in the neutral model, for counting here; lives in the arena.
Result<const Request*> decode_count_request(Protocol client, std::string_view body,
                                            const RequestMeta& meta, const Options& options,
                                            Arena& arena);

// Upstream's standard path for an operation.
std::string upstream_path(Protocol protocol, Operation operation, std::string_view model,
                          const Profile& profile);

// Local estimate of a request's input tokens (wire-formats 6.1).
int64_t estimate_tokens(const Request& request);
// The same of a body that nobody reads as JSON, in little time however long it is: four bytes to a
// token, an image's worth for each long run of base64. Of usage rows whose upstream never told.
int64_t estimate_body_tokens(std::string_view body);

}  // namespace gproxy::translate
