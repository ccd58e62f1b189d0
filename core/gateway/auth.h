// Where clients put their key, and what of a request never leaves gproxy. Pure.
#pragma once

#include <span>
#include <string_view>

#include "base/arena.h"
#include "gateway/router.h"
#include "http/headers.h"

namespace gproxy::gateway {

struct PresentedKey {
  std::string_view key;  // view into the request, or into the arena (query)
  KeySource source = KeySource::none;
};

// The first non-empty of: Authorization: Bearer, x-api-key, x-goog-api-key, query `key`. No
// fall-through when that one turns out wrong.
PresentedKey find_key(std::span<const http::HeaderView> headers, std::string_view query,
                      Arena& arena);

// The query without `key` parameters; everything else byte for byte.
std::string_view without_key(std::string_view query, Arena& arena);

// The headers a module may see: without authentication, cookies, hop-by-hop fields and those that
// are about this connection only.
std::span<const http::HeaderView> without_private(std::span<const http::HeaderView> headers,
                                                  Arena& arena);

// What must not go down from an upstream's answer.
bool is_dropped_response_header(std::string_view name);

// The header's name as one of few that matter, without comparing it to each.
enum class RequestHeader : uint8_t {
  other,
  authorization,
  x_api_key,
  x_goog_api_key,
  proxy_authorization,
  cookie,
  hop_by_hop,
  host,
  content_length,
  content_type,
  content_encoding,
  expect,
  accept_encoding,
  anthropic_version,
  x_request_id,
  gproxy_option,  // said to the gateway, not to the upstream
};
RequestHeader classify_header(std::string_view name);

}  // namespace gproxy::gateway
