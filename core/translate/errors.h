// Errors between the neutral kind and the four protocols (wire-formats 5): encode writes an Error
// in a client's own shape, decode reads what an upstream said. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "translate/protocol.h"

namespace gproxy::translate {

// Error::code of everything that decode_error() makes: the client then sees the protocol's own code
// for the kind rather than a word of gproxy's.
inline constexpr std::string_view kUpstreamError = "upstream_error";

// The HTTP status `error` has for a client of `protocol` (Claude says 529 where OpenAI says 503).
int error_status(Protocol protocol, const Error& error);

// The body of an HTTP answer in the client's protocol. `request_id` is ours; only Claude shows it.
// `none` gives OpenAI's shape.
std::string encode_error(Protocol protocol, const Error& error, std::string_view request_id);

// What has already gone to the client of a stream that now fails.
struct StreamState {
  bool gemini_array = false;     // a JSON array is being written instead of events
  bool array_has_items = false;  // it has an element
  bool created = false;          // Responses: response.created went out
};
// The bytes that tell the client of a running stream that it failed: an event (or last array
// element) without any success marker (wire-formats 4.1).
std::string encode_stream_error(Protocol protocol, const Error& error, const StreamState& state);

// Reads an upstream's error body, whatever shape it has. Evidence in order: code, type and status
// in the body, then the HTTP status, then patterns of the message. The message is redacted. An auth
// failure keeps its kind: that it is the gateway's own key is for the caller to turn
// (as_gateway_fault).
Error decode_error(Protocol upstream, int http_status, std::string_view body);

// An upstream's refusal of gproxy's credential is not the client's fault: kind server, status 502.
Error as_gateway_fault(Error error);

// Takes URLs and things that look like keys out of a message and shortens it to `max_bytes`.
std::string redact_message(std::string_view message, size_t max_bytes = 500);

}  // namespace gproxy::translate
