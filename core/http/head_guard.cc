#include "http/head_guard.h"

#include <string>

#include "base/strings.h"
#include "http/uri.h"

namespace gproxy::http {
namespace {

constexpr std::string_view kMethods[] = {"POST",   "GET",     "HEAD", "PUT",
                                         "DELETE", "OPTIONS", "PATCH"};
constexpr size_t kMaxMethodBytes = 32;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_ows(char c) {
  return c == ' ' || c == '\t';
}

std::string_view trim_ows(std::string_view text) {
  while (!text.empty() && is_ows(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_ows(text.back())) text.remove_suffix(1);
  return text;
}

// Calls fn for each element of a comma list; false when fn was.
template <class F>
bool each_element(std::string_view list, F&& fn) {
  while (true) {
    const size_t comma = list.find(',');
    if (!fn(trim_ows(list.substr(0, comma)))) return false;
    if (comma == std::string_view::npos) return true;
    list.remove_prefix(comma + 1);
  }
}

Result<void> read_method(std::string_view method) {
  for (auto known : kMethods) {
    if (method == known) return {};
  }
  if (!is_token(method)) return malformed("the method is not a token");
  if (method.size() > kMaxMethodBytes) return malformed("the method is too long");
  return Error{
      ErrorKind::unsupported, "unsupported_method", "the request method is not supported", {}, 501};
}

Result<void> read_version(std::string_view text, RequestHead& head) {
  if (text == "HTTP/1.1") {
    head.version = Version::http11;
  } else if (text == "HTTP/1.0") {
    head.version = Version::http10;
  } else if (text.size() == 8 && text.substr(0, 5) == "HTTP/" && is_digit(text[5]) &&
             text[6] == '.' && is_digit(text[7])) {
    return Error{ErrorKind::unsupported,
                 "unsupported_http_version",
                 "expected HTTP/1.1 or HTTP/1.0",
                 {},
                 505};
  } else {
    return malformed("the request line does not end with an HTTP version");
  }
  return {};
}

// RFC 9112 3.2: origin-form, absolute-form, and asterisk-form with OPTIONS. Authority-form belongs
// to CONNECT, which is refused before.
Result<void> read_target(std::string_view target, RequestHead& head) {
  head.target = target;
  if (target == "*") {
    if (head.method != "OPTIONS") return malformed("the target * is for OPTIONS alone");
    head.path = target;
    return {};
  }
  if (!is_valid_target(target))
    return malformed("the request target holds a character that must be encoded");
  if (target.front() == '/') {
    const Target parts = split_target(target);
    head.path = parts.path;
    head.query = parts.query;
    return {};
  }
  auto uri = parse_uri(target);
  if (!uri.ok()) return malformed("the request target is neither a path nor an http URI");
  head.authority = uri->authority;
  head.path = uri->path.empty() ? std::string_view("/") : uri->path;
  head.query = uri->query;
  return {};
}

Result<void> read_request_line(std::string_view line, size_t max_target_bytes, RequestHead& head) {
  const size_t first = line.find(' ');
  if (first == std::string_view::npos) return malformed("the request line has no target");
  const size_t second = line.find(' ', first + 1);
  if (second == std::string_view::npos) return malformed("the request line has no HTTP version");
  head.method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, second - first - 1);
  GP_CHECK(read_version(line.substr(second + 1), head));
  GP_CHECK(read_method(head.method));
  if (target.size() > max_target_bytes) {
    return Error{ErrorKind::invalid,
                 "target_too_long",
                 "the request target exceeds " + std::to_string(max_target_bytes) + " bytes",
                 {},
                 414};
  }
  return read_target(target, head);
}

// What the fields that matter for framing and routing said.
struct Framing {
  bool host = false, close = false, keep_alive = false, connection_upgrade = false, upgrade = false;
  bool transfer_encoding = false;
};

Result<void> read_content_length(std::string_view value, RequestHead& head) {
  // RFC 9110 8.6 would let equal copies pass; nobody needs them, and they are how lengths get to
  // differ.
  if (head.content_length) return malformed("content-length is given more than once");
  if (value.empty()) return malformed("content-length is empty");
  uint64_t length = 0;
  for (char c : value) {
    if (!is_digit(c)) return malformed("content-length is not a decimal number");
    const auto digit = static_cast<uint64_t>(c - '0');
    if (length > (UINT64_MAX - digit) / 10) return malformed("content-length is out of range");
    length = length * 10 + digit;
  }
  head.content_length = length;
  return {};
}

Result<void> read_transfer_encoding(std::string_view value, Framing& framing, RequestHead& head) {
  if (framing.transfer_encoding) return malformed("transfer-encoding is given more than once");
  framing.transfer_encoding = true;
  if (iequals(value, "chunked")) {
    head.chunked = true;
    return {};
  }
  // RFC 9112 6.1 and 6.3: a coding we do not know in front of a final chunked is 501; anything that
  // does not end with chunked, or has it twice, leaves the length unknown.
  size_t chunked = 0, others = 0;
  bool last_is_chunked = false, tokens = true;
  each_element(value, [&](std::string_view coding) {
    last_is_chunked = iequals(coding, "chunked");
    (last_is_chunked ? chunked : others) += 1;
    tokens = tokens && is_token(coding) && !iequals(coding, "identity");
    return true;
  });
  if (tokens && last_is_chunked && chunked == 1 && others > 0) {
    return Error{ErrorKind::unsupported,
                 "unsupported_transfer_coding",
                 "chunked is the only transfer coding supported",
                 {},
                 501};
  }
  return malformed("transfer-encoding must be chunked");
}

Result<void> read_connection(std::string_view value, Framing& framing) {
  bool good = true;
  each_element(value, [&](std::string_view option) {
    if (option.empty()) return true;
    if (iequals(option, "close")) framing.close = true;
    if (iequals(option, "keep-alive")) framing.keep_alive = true;
    if (iequals(option, "upgrade")) framing.connection_upgrade = true;
    // To name one of these hop-by-hop asks the next server for another framing than ours.
    good = good && is_token(option) && !iequals(option, "content-length") &&
           !iequals(option, "transfer-encoding") && !iequals(option, "host");
    return good;
  });
  if (!good) return malformed("connection names a field it must not name");
  return {};
}

// Servers that hand fields to programs as variables turn '-' into '_': a field spelt with '_'
// becomes the real one there.
bool shadows_framing(std::string_view name) {
  if (name.find('_') == std::string_view::npos || name.size() > 17) return false;
  char dashed[17];
  for (size_t i = 0; i < name.size(); ++i) dashed[i] = name[i] == '_' ? '-' : name[i];
  const std::string_view plain(dashed, name.size());
  return iequals(plain, "content-length") || iequals(plain, "transfer-encoding");
}

Result<void> read_host(std::string_view value, Framing& framing, RequestHead& head) {
  if (framing.host) return malformed("host is given more than once");
  framing.host = true;
  if (!is_valid_authority(value)) return malformed("host is not a host name with an optional port");
  if (!head.authority.empty() && !iequals(head.authority, value)) {
    return malformed("host is not the host of the request target");
  }
  head.authority = value;
  return {};
}

Result<void> note_field(const HeaderView& field, Framing& framing, RequestHead& head) {
  const std::string_view name = field.name, value = field.value;
  switch (name.size()) {
    case 4:
      if (iequals(name, "host")) return read_host(value, framing, head);
      break;
    case 6:
      if (iequals(name, "expect")) {
        if (!iequals(value, "100-continue")) {
          return Error{ErrorKind::invalid,
                       "expectation_failed",
                       "the only expectation supported is 100-continue",
                       {},
                       417};
        }
        head.expect_continue = true;
      }
      break;
    case 7:
      if (iequals(name, "upgrade")) framing.upgrade = true;
      break;
    case 10:
      if (iequals(name, "connection")) return read_connection(value, framing);
      break;
    case 14:
      if (iequals(name, "content-length")) return read_content_length(value, head);
      break;
    case 17:
      if (iequals(name, "transfer-encoding")) return read_transfer_encoding(value, framing, head);
      break;
    default:
      break;
  }
  if (shadows_framing(name))
    return malformed("a field name imitates content-length or transfer-encoding");
  return {};
}

Result<void> settle(const Framing& framing, RequestHead& head) {
  const bool modern = head.version == Version::http11;
  if (modern && !framing.host) return malformed("host is missing");
  if (framing.transfer_encoding && head.content_length) {
    return malformed("content-length and transfer-encoding are both given");
  }
  if (framing.transfer_encoding && !modern)
    return malformed("transfer-encoding is not part of HTTP/1.0");
  head.keep_alive = !framing.close && (modern || framing.keep_alive);
  // RFC 9110 10.1.1: an HTTP/1.0 client does not understand "100 Continue".
  head.expect_continue = head.expect_continue && modern;
  head.upgrade = modern && framing.upgrade && framing.connection_upgrade;
  return {};
}

}  // namespace

Error malformed(std::string_view why) {
  return Error{
      ErrorKind::invalid, "malformed_request", "malformed HTTP request: " + std::string(why), {}};
}

Result<HeaderView> read_field(std::string_view line) {
  if (!line.empty() && is_ows(line.front())) return malformed("a field continues on a second line");
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return malformed("a field has no colon");
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trim_ows(line.substr(colon + 1));
  if (!is_token(name)) return malformed("a field name is not a token");
  if (!is_field_value(value)) return malformed("a field value holds a control character");
  return HeaderView{name, value};
}

RequestLine read_known_line(std::string_view text) {
  const std::string_view line = text.substr(0, text.find('\r'));
  const size_t first = line.find(' ');
  if (first == std::string_view::npos || !is_token(line.substr(0, first))) return {};
  std::string_view target = line.substr(first + 1);
  target = target.substr(0, target.find(' '));
  if (const size_t scheme = target.find("://"); scheme < target.find('/')) {
    const size_t path = target.find('/', scheme + 3);
    target = path == std::string_view::npos ? std::string_view() : target.substr(path);
  }
  if (!target.starts_with('/') || !is_valid_target(target)) return {};
  const Target parts = split_target(target);
  return {line.substr(0, first), parts.path, parts.query};
}

Result<void> read_head(std::string_view text, size_t fields, size_t max_target_bytes, Arena& arena,
                       RequestHead& head) {
  const auto list = arena.array<HeaderView>(fields);
  if (list.size() != fields)
    return Error{ErrorKind::overloaded, "out_of_memory", "no memory for the request head", {}};
  size_t at = text.find("\r\n");
  GP_CHECK(read_request_line(text.substr(0, at), max_target_bytes, head));
  Framing framing;
  for (size_t i = 0; i < fields; ++i) {
    const size_t from = at + 2;
    at = text.find('\n', from) - 1;
    GP_TRY(list[i], read_field(text.substr(from, at - from)));
    GP_CHECK(note_field(list[i], framing, head));
  }
  head.headers = list;
  return settle(framing, head);
}

}  // namespace gproxy::http
