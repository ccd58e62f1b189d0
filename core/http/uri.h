// Request targets, URIs and query strings, on bytes: nothing is normalised or re-encoded that was
// not asked for. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gproxy::http {

// Path and query of a target; query.data() == nullptr when there is no '?'.
struct Target {
  std::string_view path;
  std::string_view query;
};
Target split_target(std::string_view target);

// An absolute http or https URI, as views into its text. No user information, no fragment.
struct Uri {
  std::string_view scheme;     // as written
  std::string_view authority;  // host[:port]
  std::string_view host;       // IPv6 literals with their brackets
  uint16_t port = 0;           // the scheme's default when none is written
  std::string_view path;       // empty or begins with '/'
  std::string_view query;      // data() == nullptr when there is no '?'
};
// Errors: kind invalid, code "invalid_uri"; the message never repeats the URI.
Result<Uri> parse_uri(std::string_view text);

// host[:port] of RFC 9112 3.2 (a name, an IPv4 address or a bracketed IPv6 one), never empty.
bool is_valid_authority(std::string_view text);
// Visible ASCII without '#' and '\' (wider than RFC 3986: clients do send '|' or '{' as they are),
// and each '%' begins an escape that is not %00.
bool is_valid_target(std::string_view text);

// One path segment, decoded. Nothing when an escape is broken or the result holds a control
// character or a '/' or '\' (an encoded separator would move the segment's borders).
std::optional<std::string> decode_segment(std::string_view segment);
// The segments of a path, still encoded: "/v1//x" -> "v1", "", "x". Empty for "/" and "".
std::vector<std::string_view> path_segments(std::string_view path);

// One parameter of a query, still encoded; at/len cover name, '=' and value.
struct QueryParameter {
  std::string_view name;
  std::string_view value;
  size_t at = 0, len = 0;
};
std::vector<QueryParameter> parse_query(std::string_view query);
// The decoded value ('+' is a space) of the first parameter of that decoded name.
std::optional<std::string> query_value(std::string_view query, std::string_view name);
// The query without every parameter of that decoded name; all other bytes stay as they are.
std::string query_without(std::string_view query, std::string_view name);

}  // namespace gproxy::http
