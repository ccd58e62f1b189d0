// What a module asks the host to send: gp_upstream, checked once and turned into what the transfer
// reads. Views into the exchange's arena, the client's body or the module's static storage. One
// loop.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/arena.h"
#include "base/result.h"
#include "http/headers.h"

struct gp_upstream;

namespace gproxy::modhost {

struct Prepared {
  std::string_view method;
  std::string_view url;  // http or https, no fragment, no user information, no control characters
  std::string_view secret_query;  // appended by the transfer; never logged
  std::span<const http::HeaderView> headers;
  std::span<const std::string_view>
      body;  // pieces: the client's body with the splices, or a new one
  size_t body_bytes = 0;
  bool has_body = false;
  bool stream = false;       // a 2xx answer is a stream: pass it on as it comes
  bool buffer = false;       // collect a 2xx answer and call body()
  bool usage_added = false;  // the usage chunk was asked for by us: keep it from the client
  bool http1 = false;        // do not use HTTP/2
  int64_t connect_ms = 0, first_byte_ms = 0, idle_ms = 0, total_ms = 0;  // 0 = the host's own
};

// Bounds on what a module may hand over beyond those that the ABI states (URL, headers, splices); a
// breach is the module's fault.
struct PreparedLimits {
  size_t max_body_bytes = size_t{64} << 20;
};

struct ClientSide {
  std::string_view method;  // where the module leaves the method empty
  std::string_view body;    // what splices speak about
};

// No byte of the client's body is copied. Errors have code "module_error", status 502, and a
// message that names the broken rule.
Result<Prepared> check_upstream(const gp_upstream& upstream, const ClientSide& client, Arena& arena,
                                const PreparedLimits& limits = {});

// http or https with a host, without user information, fragment, white space or control characters.
// The error's message says which rule is broken.
Result<void> check_url(std::string_view url);

}  // namespace gproxy::modhost
