#include "http/writer.h"

#include <algorithm>
#include <charconv>

#include "base/strings.h"

namespace gproxy::http {
namespace {

bool has_no_body(int status) {
  return status < 200 || status == 204 || status == 304;
}

// Framing and connection fields are the writer's own.
bool is_ours(std::string_view name) {
  return iequals(name, "content-length") || is_hop_by_hop(name);
}

void append_number(std::string& out, uint64_t value) {
  char text[24];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  out.append(text, static_cast<size_t>(end - text));
}

}  // namespace

std::string_view reason(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 424:
      return "Failed Dependency";
    case 425:
      return "Too Early";
    case 426:
      return "Upgrade Required";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 529:
      return "Overloaded";
    default:
      return "Unknown";
  }
}

Result<void> ResponseWriter::begin(int status, std::span<const HeaderView> headers,
                                   std::optional<uint64_t> content_length, std::string& out) {
  GP_ASSERT(!begun_ && status >= 100 && status <= 999);
  size_t bytes = 128;
  for (const HeaderView& header : headers) {
    if (!is_token(header.name) || !is_field_value(header.value)) {
      Error error{
          ErrorKind::server, "invalid_response_header", "a response header is not valid HTTP", {}};
      // The name may be shown only when it is one.
      if (is_token(header.name)) error.param = std::string_view(header.name);
      return error;
    }
    bytes += header.name.len + header.value.len + 4;
  }
  if (status < 100 || status > 999) return internal_error("a response status has three digits");
  begun_ = true;
  const bool bare = has_no_body(status);
  if (bare || request_.is_head) {
    framing_ = Framing::none;
  } else if (content_length) {
    framing_ = Framing::length;
    left_ = *content_length;
  } else {
    framing_ = request_.version == Version::http11 ? Framing::chunked : Framing::close;
  }
  if (framing_ == Framing::close) keep_alive_ = false;

  out.reserve(out.size() + bytes);
  out += "HTTP/1.1 ";
  append_number(out, static_cast<uint64_t>(status));
  out += ' ';
  out += reason(status);
  out += "\r\n";
  for (const HeaderView& header : headers) {
    if (is_ours(header.name)) continue;
    out += std::string_view(header.name);
    out += ": ";
    out += std::string_view(header.value);
    out += "\r\n";
  }
  // RFC 9110 8.6: no content-length with 1xx and 204; with HEAD and 304 it tells what GET would
  // give.
  if (content_length && status >= 200 && status != 204) {
    out += "content-length: ";
    append_number(out, *content_length);
    out += "\r\n";
  }
  if (framing_ == Framing::chunked) out += "transfer-encoding: chunked\r\n";
  if (!keep_alive_) {
    out += "connection: close\r\n";
  } else if (request_.version == Version::http10) {
    out += "connection: keep-alive\r\n";
  }
  out += "\r\n";
  return {};
}

size_t ResponseWriter::Pieces::bytes() const {
  size_t total = 0;
  for (auto view : span()) total += view.size();
  return total;
}

ResponseWriter::Pieces ResponseWriter::piece(std::string_view bytes) {
  GP_ASSERT(begun_ && !ended_);
  Pieces pieces;
  switch (framing_) {
    case Framing::none:
      return pieces;
    case Framing::length: {
      const auto n = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size()));
      left_ -= n;
      // The rest would be read as the next response: it is cut off, and nothing may follow this
      // one.
      if (n < bytes.size()) keep_alive_ = false;
      if (n > 0) pieces.views[pieces.count++] = bytes.substr(0, n);
      return pieces;
    }
    case Framing::close:
      if (!bytes.empty()) pieces.views[pieces.count++] = bytes;
      return pieces;
    case Framing::chunked: {
      if (bytes.empty()) return pieces;  // a chunk of size 0 would end the body
      auto [end, error] =
          std::to_chars(prefix_.data(), prefix_.data() + prefix_.size() - 2, bytes.size(), 16);
      *end++ = '\r';
      *end++ = '\n';
      pieces.views = {std::string_view(prefix_.data(), static_cast<size_t>(end - prefix_.data())),
                      bytes, "\r\n"};
      pieces.count = 3;
      return pieces;
    }
  }
  return pieces;
}

std::string_view ResponseWriter::end() {
  GP_ASSERT(begun_);
  if (ended_) return {};
  ended_ = true;
  // A body shorter than promised: only closing tells the client.
  if (framing_ == Framing::length && left_ > 0) keep_alive_ = false;
  return framing_ == Framing::chunked ? std::string_view("0\r\n\r\n") : std::string_view();
}

}  // namespace gproxy::http
