#include "gateway/auth.h"

#include <algorithm>
#include <string>

#include "base/base64.h"
#include "base/strings.h"

namespace gproxy::gateway {
namespace {

// The next `name=value` of a query; moves `at` behind its '&'.
std::string_view next_pair(std::string_view query, size_t& at) {
  const size_t end = std::min(query.find('&', at), query.size());
  const auto pair = query.substr(at, end - at);
  at = end + 1;
  return pair;
}

bool is_key_pair(std::string_view pair) {
  return pair == "key" || pair.starts_with("key=");
}

std::string_view bearer(std::string_view value) {
  constexpr std::string_view kScheme = "bearer ";
  value = trim(value);
  if (value.size() <= kScheme.size() || !iequals(value.substr(0, kScheme.size()), kScheme))
    return {};
  return trim(value.substr(kScheme.size()));
}

}  // namespace

RequestHeader classify_header(std::string_view name) {
  using enum RequestHeader;
  const auto is = [&](std::string_view word) { return iequals(name, word); };
  switch (name.size()) {
    case 2:
      return is("te") ? hop_by_hop : other;
    case 4:
      return is("host") ? host : other;
    case 6:
      return is("cookie") ? cookie : is("expect") ? expect : other;
    case 7:
      return is("trailer") || is("upgrade") ? hop_by_hop : other;
    case 9:
      return is("x-api-key") ? x_api_key : other;
    case 10:
      return is("connection") || is("keep-alive") ? hop_by_hop : other;
    case 12:
      return is("content-type") ? content_type : is("x-request-id") ? x_request_id : other;
    case 13:
      return is("authorization") ? authorization : other;
    case 14:
      return is("content-length") ? content_length : is("x-goog-api-key") ? x_goog_api_key : other;
    case 15:
      return is("accept-encoding") ? accept_encoding : other;
    case 16:
      return is("content-encoding")   ? content_encoding
             : is("proxy-connection") ? hop_by_hop
                                      : other;
    case 17:
      return is("transfer-encoding")   ? hop_by_hop
             : is("anthropic-version") ? anthropic_version
             : is("x-gproxy-lossless") ? gproxy_option
                                       : other;
    case 18:
      return is("proxy-authenticate") ? hop_by_hop : other;
    case 19:
      return is("proxy-authorization") ? proxy_authorization : other;
    default:
      return other;
  }
}

PresentedKey find_key(std::span<const http::HeaderView> headers, std::string_view query,
                      Arena& arena) {
  std::string_view x_api_key, x_goog;
  for (const auto& header : headers) {
    switch (classify_header(header.name)) {
      case RequestHeader::authorization:
        if (const auto key = bearer(header.value); !key.empty()) return {key, KeySource::bearer};
        break;
      case RequestHeader::x_api_key:
        if (x_api_key.empty()) x_api_key = trim(header.value);
        break;
      case RequestHeader::x_goog_api_key:
        if (x_goog.empty()) x_goog = trim(header.value);
        break;
      default:
        break;
    }
  }
  if (!x_api_key.empty()) return {x_api_key, KeySource::x_api_key};
  if (!x_goog.empty()) return {x_goog, KeySource::x_goog_api_key};
  for (size_t at = 0; at < query.size();) {
    const auto pair = next_pair(query, at);
    if (!pair.starts_with("key=")) continue;
    const auto decoded = percent_decode(pair.substr(4), /*plus_is_space=*/true);
    if (!decoded) continue;
    if (const auto key = trim(*decoded); !key.empty()) return {arena.copy(key), KeySource::query};
  }
  return {};
}

std::string_view without_key(std::string_view query, Arena& arena) {
  bool found = false;
  for (size_t at = 0; at < query.size();) found |= is_key_pair(next_pair(query, at));
  if (!found) return query;
  std::string out;
  for (size_t at = 0; at < query.size();) {
    const auto pair = next_pair(query, at);
    if (is_key_pair(pair)) continue;
    if (!out.empty()) out += '&';
    out += pair;
  }
  return arena.copy(out);
}

std::span<const http::HeaderView> without_private(std::span<const http::HeaderView> headers,
                                                  Arena& arena) {
  auto out = arena.array<http::HeaderView>(headers.size());
  size_t n = 0;
  // What Connection names is hop-by-hop too (RFC 9110 7.6.1).
  std::string_view connection;
  for (const auto& header : headers) {
    if (iequals(header.name, "connection")) connection = header.value;
  }
  const auto named_by_connection = [&](std::string_view name) {
    for (const auto word : split(connection, ',')) {
      if (iequals(trim(word), name)) return true;
    }
    return false;
  };
  const bool check =
      !connection.empty() && !iequals(connection, "keep-alive") && !iequals(connection, "close");
  for (const auto& header : headers) {
    if (n == out.size()) break;
    switch (classify_header(header.name)) {
      case RequestHeader::authorization:
      case RequestHeader::x_api_key:
      case RequestHeader::x_goog_api_key:
      case RequestHeader::proxy_authorization:
      case RequestHeader::cookie:
      case RequestHeader::hop_by_hop:
      case RequestHeader::host:
      case RequestHeader::content_length:
      case RequestHeader::expect:
      case RequestHeader::accept_encoding:
      case RequestHeader::gproxy_option:
        continue;
      default:
        break;
    }
    if (check && named_by_connection(header.name)) continue;
    out[n++] = header;
  }
  return out.first(n);
}

bool is_dropped_response_header(std::string_view name) {
  const auto is = [&](std::string_view word) { return iequals(name, word); };
  switch (name.size()) {
    case 2:
      return is("te");
    case 7:
      return is("trailer") || is("upgrade") || is("alt-svc");
    case 10:
      return is("connection") || is("keep-alive") || is("set-cookie");
    case 14:
      return is("content-length");
    case 16:
      return is("proxy-connection");
    case 17:
      return is("transfer-encoding");
    case 18:
      return is("proxy-authenticate");
    case 19:
      return is("proxy-authorization");
    case 25:
      return is("strict-transport-security");
    default:
      return false;
  }
}

}  // namespace gproxy::gateway
