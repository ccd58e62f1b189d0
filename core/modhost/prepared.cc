#include "modhost/prepared.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "modhost/abi_text.h"
#include "modhost/header_check.h"

namespace gproxy::modhost {
namespace {

constexpr int64_t kMaxTimeoutMs = 24LL * 3600 * 1000;

Error broken(std::string rule) {
  return Error{ErrorKind::server, "module_error", std::move(rule), {}, 502};
}

// Visible ASCII without the characters that RFC 3986 leaves out and that some reader would read its
// own way: quotes, angle brackets, backslash, caret, backtick, braces, bar.
constexpr std::array<bool, 256> url_bytes() {
  std::array<bool, 256> table{};
  for (size_t c = 0x21; c < 0x7f; ++c) table[c] = true;
  for (char c : std::string_view("\"<>\\^`{|}")) table[static_cast<unsigned char>(c)] = false;
  return table;
}
constexpr auto kUrlBytes = url_bytes();

bool is_url_byte(char c) {
  return kUrlBytes[static_cast<unsigned char>(c)];
}

bool is_host_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_';
}

Result<void> check_authority(std::string_view authority) {
  if (authority.find('@') != authority.npos) return broken("the url has user information in it");
  std::string_view port;
  if (authority.starts_with('[')) {
    auto close = authority.find(']');
    if (close == authority.npos) return broken("the url's host is not closed");
    auto literal = authority.substr(1, close - 1);
    bool digits = std::all_of(literal.begin(), literal.end(), [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') ||
             c == ':' || c == '.';
    });
    if (literal.empty() || !digits) return broken("the url's host is no IPv6 address");
    port = authority.substr(close + 1);
    if (!port.empty() && port[0] != ':') return broken("the url's host is malformed");
  } else {
    auto colon = authority.find(':');
    auto host = authority.substr(0, colon);
    if (host.empty() || !std::all_of(host.begin(), host.end(), is_host_byte))
      return broken("the url's host is malformed");
    if (colon != authority.npos) port = authority.substr(colon);
  }
  if (!port.empty()) {
    auto number = parse_uint(port.substr(1));
    if (!number || *number == 0 || *number > 65535)
      return broken("the url's port is not 1 to 65535");
  }
  return ok();
}

Result<std::string_view> check_method(gp_str text, std::string_view otherwise) {
  if (!is_sound(text)) return broken("the method has a length and no bytes");
  auto method = text.len == 0 ? otherwise : view(text);
  if (method.size() > 32 || !http::is_token(method)) return broken("the method is not a token");
  if (method == "CONNECT" || method == "TRACE")
    return broken(fmt::format("the method {} is not allowed", method));
  return method;
}

Result<void> check_secret_query(gp_str text, size_t url_bytes) {
  if (!is_sound(text)) return broken("secret_query has a length and no bytes");
  if (text.len > GP_MAX_URL || url_bytes + text.len > GP_MAX_URL)
    return broken("url and secret_query are longer than 8192 bytes together");
  for (char c : view(text)) {
    if (!is_url_byte(c) || c == '#') return broken("secret_query has a byte that must be encoded");
  }
  return ok();
}

// The client's body cut at the splices, with their insertions between the pieces.
Result<void> cut(const gp_upstream& upstream, std::string_view body, Arena& arena, Prepared& out) {
  if (upstream.splice_count > GP_MAX_SPLICES)
    return broken(fmt::format("more than {} splices", GP_MAX_SPLICES));
  if (upstream.splices == nullptr) return broken("splices have a count and no list");
  auto pieces = arena.array<std::string_view>(2 * upstream.splice_count + 1);
  if (pieces.empty())
    return Error{ErrorKind::overloaded,
                 "memory_limit",
                 "the request needs more memory than it may have",
                 {}};
  size_t count = 0, at = 0, total = 0;
  auto add = [&](std::string_view piece) {
    if (piece.empty()) return;
    pieces[count++] = piece;
    total += piece.size();
  };
  for (size_t i = 0; i < upstream.splice_count; ++i) {
    const auto& splice = upstream.splices[i];
    if (splice.at > body.size() || splice.remove > body.size() - splice.at) {
      return broken(fmt::format("splice {} reaches past the body's end", i));
    }
    if (splice.at < at)
      return broken(fmt::format("splice {} overlaps the one before it or stands before it", i));
    if (!is_sound(splice.insert))
      return broken(fmt::format("splice {} has a length and no bytes", i));
    // Bounded as it grows, so that no sum can overflow.
    if (splice.insert.len > SIZE_MAX / 4 / (upstream.splice_count + 1))
      return broken(fmt::format("splice {} inserts too much", i));
    add(body.substr(at, splice.at - at));
    add(view(splice.insert));
    at = splice.at + splice.remove;
  }
  add(body.substr(at));
  out.body = pieces.first(count);
  out.body_bytes = total;
  return ok();
}

Result<void> fill_body(const gp_upstream& upstream, std::string_view client_body, Arena& arena,
                       const PreparedLimits& limits, Prepared& out) {
  bool own = upstream.body.ptr != nullptr;
  if (!is_sound(upstream.body)) return broken("body has a length and no bytes");
  if (own && upstream.splice_count > 0) return broken("body and splices are both set");
  if ((upstream.flags & GP_UPSTREAM_NO_BODY) != 0) {
    if ((own && upstream.body.len > 0) || upstream.splice_count > 0)
      return broken("NO_BODY is set beside a body or splices");
    return ok();
  }
  if (!own && upstream.splice_count > 0) {
    out.has_body = true;
    GP_CHECK(cut(upstream, client_body, arena, out));
  } else {
    auto whole = own ? view(upstream.body) : client_body;
    out.has_body = own || !client_body.empty();
    out.body_bytes = whole.size();
    if (!whole.empty()) {
      auto pieces = arena.array<std::string_view>(1);
      if (pieces.empty())
        return Error{ErrorKind::overloaded,
                     "memory_limit",
                     "the request needs more memory than it may have",
                     {}};
      pieces[0] = whole;
      out.body = pieces;
    }
  }
  if (out.body_bytes > limits.max_body_bytes) {
    return broken(fmt::format("the body to send has {} bytes, at most {} are allowed",
                              out.body_bytes, limits.max_body_bytes));
  }
  return ok();
}

}  // namespace

Result<void> check_url(std::string_view url) {
  if (url.empty()) return broken("there is no url");
  if (url.size() > GP_MAX_URL)
    return broken(fmt::format("the url is longer than {} bytes", GP_MAX_URL));
  for (char c : url) {
    if (!is_url_byte(c)) return broken("the url has a byte that must be encoded");
    if (c == '#') return broken("the url has a fragment");
  }
  size_t scheme = url.size() >= 8 && iequals(url.substr(0, 8), "https://")  ? 8
                  : url.size() >= 7 && iequals(url.substr(0, 7), "http://") ? 7
                                                                            : 0;
  if (scheme == 0) return broken("the url is neither http:// nor https://");
  auto rest = url.substr(scheme);
  return check_authority(rest.substr(0, rest.find_first_of("/?")));
}

Result<Prepared> check_upstream(const gp_upstream& upstream, const ClientSide& client, Arena& arena,
                                const PreparedLimits& limits) {
  if (upstream.size < GP_FIRST_SIZE(gp_upstream, total_ms)) {
    return broken(fmt::format("gp_upstream has {} bytes, at least {} are needed", upstream.size,
                              GP_FIRST_SIZE(gp_upstream, total_ms)));
  }
  Prepared out;
  GP_TRY(out.method, check_method(upstream.method, client.method));
  if (!is_sound(upstream.url)) return broken("the url has a length and no bytes");
  out.url = view(upstream.url);
  GP_CHECK(check_url(out.url));
  GP_CHECK(check_secret_query(upstream.secret_query, out.url.size()));
  out.secret_query = view(upstream.secret_query);
  GP_TRY(out.headers, check_headers(upstream.headers, upstream.header_count, Direction::up, arena));
  out.stream = (upstream.flags & GP_UPSTREAM_STREAM) != 0;
  out.buffer = (upstream.flags & GP_UPSTREAM_BUFFER) != 0;
  out.usage_added = (upstream.flags & GP_UPSTREAM_USAGE_ADDED) != 0;
  out.http1 = (upstream.flags & GP_UPSTREAM_HTTP1) != 0;
  if (out.stream && out.buffer) return broken("STREAM and BUFFER are both set");
  for (auto [from, to] : {std::pair{upstream.connect_ms, &out.connect_ms},
                          {upstream.first_byte_ms, &out.first_byte_ms},
                          {upstream.idle_ms, &out.idle_ms},
                          {upstream.total_ms, &out.total_ms}}) {
    if (from < 0) return broken("a timeout is negative");
    *to = std::min(from, kMaxTimeoutMs);
  }
  GP_CHECK(fill_body(upstream, client.body, arena, limits, out));
  return out;
}

}  // namespace gproxy::modhost
