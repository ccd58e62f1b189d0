#include "http/uri.h"

#include "base/base64.h"
#include "base/strings.h"

namespace gproxy::http {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool is_alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

Error bad_uri(std::string_view why) {
  return Error{ErrorKind::invalid, "invalid_uri", "invalid URI: " + std::string(why), {}};
}

// Splits host[:port]; false when it is not valid.
bool split_authority(std::string_view text, std::string_view& host, std::string_view& port) {
  size_t end = 0;
  if (!text.empty() && text.front() == '[') {
    end = text.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    bool colon = false;
    for (char c : text.substr(1, end - 1)) {
      if (!is_hex(c) && c != ':' && c != '.') return false;
      colon = colon || c == ':';
    }
    if (!colon) return false;
    ++end;
  } else {
    while (end < text.size() && (is_alpha(text[end]) || is_digit(text[end]) || text[end] == '.' ||
                                 text[end] == '-' || text[end] == '_')) {
      ++end;
    }
    if (end == 0 || end > 255) return false;
  }
  host = text.substr(0, end);
  port = {};
  if (end == text.size()) return true;
  if (text[end] != ':') return false;
  port = text.substr(end + 1);
  if (port.empty() || port.size() > 5) return false;
  for (char c : port) {
    if (!is_digit(c)) return false;
  }
  return parse_int(port).value_or(0) <= 65535;
}

}  // namespace

Target split_target(std::string_view target) {
  const size_t mark = target.find('?');
  if (mark == std::string_view::npos) return {target, {}};
  return {target.substr(0, mark), target.substr(mark + 1)};
}

bool is_valid_authority(std::string_view text) {
  std::string_view host, port;
  return split_authority(text, host, port);
}

bool is_valid_target(std::string_view text) {
  if (text.empty()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c <= ' ' || c >= 0x7f || c == '#' || c == '\\') return false;  // c < 0: not ASCII
    if (c != '%') continue;
    if (text.size() - i < 3 || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) return false;
    if (text[i + 1] == '0' && text[i + 2] == '0') return false;
  }
  return true;
}

Result<Uri> parse_uri(std::string_view text) {
  if (!is_valid_target(text)) return bad_uri("expected visible ASCII without a fragment");
  Uri uri;
  const size_t colon = text.find("://");
  if (colon == std::string_view::npos) return bad_uri("expected a scheme and ://");
  uri.scheme = text.substr(0, colon);
  if (iequals(uri.scheme, "http")) {
    uri.port = 80;
  } else if (iequals(uri.scheme, "https")) {
    uri.port = 443;
  } else {
    return bad_uri("expected the scheme http or https");
  }
  std::string_view rest = text.substr(colon + 3);
  const size_t end = rest.find_first_of("/?");
  uri.authority = rest.substr(0, end);
  if (uri.authority.find('@') != std::string_view::npos)
    return bad_uri("user information is not allowed");
  std::string_view port;
  if (!split_authority(uri.authority, uri.host, port)) return bad_uri("expected host[:port]");
  if (!port.empty()) uri.port = static_cast<uint16_t>(*parse_int(port));
  if (end != std::string_view::npos) {
    const Target target = split_target(rest.substr(end));
    uri.path = target.path;
    uri.query = target.query;
  }
  return uri;
}

std::optional<std::string> decode_segment(std::string_view segment) {
  auto decoded = percent_decode(segment);
  if (!decoded) return std::nullopt;
  for (unsigned char c : *decoded) {
    if (c < ' ' || c == 0x7f || c == '/' || c == '\\') return std::nullopt;
  }
  return decoded;
}

std::vector<std::string_view> path_segments(std::string_view path) {
  if (!path.empty() && path.front() == '/') path.remove_prefix(1);
  if (path.empty()) return {};
  return split(path, '/');
}

std::vector<QueryParameter> parse_query(std::string_view query) {
  std::vector<QueryParameter> parameters;
  size_t at = 0;
  while (at <= query.size()) {
    size_t end = query.find('&', at);
    if (end == std::string_view::npos) end = query.size();
    const std::string_view one = query.substr(at, end - at);
    if (!one.empty()) {
      const size_t equals = one.find('=');
      QueryParameter parameter{one.substr(0, equals), {}, at, one.size()};
      if (equals != std::string_view::npos) parameter.value = one.substr(equals + 1);
      parameters.push_back(parameter);
    }
    at = end + 1;
  }
  return parameters;
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  for (const auto& parameter : parse_query(query)) {
    if (percent_decode(parameter.name, /*plus_is_space=*/true) != name) continue;
    return percent_decode(parameter.value, /*plus_is_space=*/true);
  }
  return std::nullopt;
}

std::string query_without(std::string_view query, std::string_view name) {
  std::string out;
  out.reserve(query.size());
  bool first = true;
  for (auto part : split(query, '&')) {
    const bool drop = !part.empty() && percent_decode(part.substr(0, part.find('=')),
                                                      /*plus_is_space=*/true) == name;
    if (drop) continue;
    if (!first) out += '&';
    first = false;
    out += part;
  }
  return out;
}

}  // namespace gproxy::http
