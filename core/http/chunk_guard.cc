#include "http/chunk_guard.h"

#include <algorithm>

#include "base/strings.h"
#include "http/head_guard.h"

namespace gproxy::http {
namespace {

constexpr unsigned kMaxSizeDigits = 15;  // 60 bits: no overflow whoever reads it

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool token_char(char c) {
  return is_token(std::string_view(&c, 1));
}

// RFC 9110 6.5.1: what frames, routes, authenticates or describes the body cannot come after it.
bool forbidden_trailer(std::string_view name) {
  static constexpr std::string_view kNames[] = {"content-length",
                                                "transfer-encoding",
                                                "host",
                                                "connection",
                                                "content-encoding",
                                                "content-type",
                                                "content-range",
                                                "trailer",
                                                "te",
                                                "authorization",
                                                "cookie",
                                                "expect",
                                                "upgrade",
                                                "x-api-key",
                                                "range",
                                                "cache-control",
                                                "max-forwards",
                                                "proxy-authorization",
                                                "keep-alive",
                                                "x-goog-api-key"};
  for (auto forbidden : kNames) {
    if (iequals(name, forbidden)) return true;
  }
  return false;
}

Error trailers_too_large() {
  return Error{
      ErrorKind::invalid, "headers_too_large", "the trailer fields exceed the limit", {}, 431};
}

}  // namespace

void ChunkGuard::begin(const Bounds& bounds) {
  *this = ChunkGuard();
  bounds_ = bounds;
}

Result<void> ChunkGuard::feed(std::string_view bytes, size_t& good) {
  good = 0;
  while (good < bytes.size() && state_ != State::done) {
    if (state_ == State::data) {
      const auto n = static_cast<size_t>(std::min<uint64_t>(size_, bytes.size() - good));
      size_ -= n;
      good += n;
      if (size_ == 0) state_ = State::data_cr;
      continue;
    }
    GP_CHECK(control(bytes[good]));
    ++good;
  }
  return {};
}

Result<void> ChunkGuard::control(char c) {
  const auto extension_char = [&]() -> Result<void> {
    if (++extension_bytes_ > bounds_.extensions)
      return malformed("the chunk extensions are too long");
    return {};
  };
  switch (state_) {
    case State::size_start:
    case State::size: {
      const int digit = hex_value(c);
      if (digit >= 0) {
        if (++digits_ > kMaxSizeDigits) return malformed("a chunk size is out of range");
        size_ = size_ << 4 | static_cast<uint64_t>(digit);
        state_ = State::size;
        return {};
      }
      if (state_ == State::size_start) return malformed("a chunk has no size");
      if (c == '\r') {
        state_ = State::size_lf;
      } else if (c == ';') {
        state_ = State::extension_name;
      } else {
        return malformed("a chunk size is not a hexadecimal number");
      }
      return {};
    }
    case State::size_lf:
      if (c != '\n') return malformed("a chunk size line does not end with CRLF");
      return end_of_size_line();
    case State::extension_name:
      GP_CHECK(extension_char());
      if (!token_char(c)) return malformed("a chunk extension has no name");
      state_ = State::extension_name_rest;
      return {};
    case State::extension_name_rest:
    case State::extension_token:
    case State::extension_after:
      GP_CHECK(extension_char());
      if (c == '\r') {
        state_ = State::size_lf;
      } else if (c == ';' && state_ != State::extension_token) {
        // "a=b;c" would be legal too, but llhttp 8 does not read it, nor escapes in quoted values.
        // Nobody sends either, and both readings must agree.
        state_ = State::extension_name;
      } else if (c == '=' && state_ == State::extension_name_rest) {
        state_ = State::extension_value;
      } else if (!token_char(c) || state_ == State::extension_after) {
        return malformed("a chunk extension is not a token");
      }
      return {};
    case State::extension_value:
      GP_CHECK(extension_char());
      if (c == '"') {
        state_ = State::extension_quoted;
      } else if (token_char(c)) {
        state_ = State::extension_token;
      } else {
        return malformed("a chunk extension has no value");
      }
      return {};
    case State::extension_quoted:
      GP_CHECK(extension_char());
      if (!is_field_value({&c, 1})) return malformed("a chunk extension holds a control character");
      if (c == '\\') return malformed("a chunk extension holds an escape");
      if (c == '"') {
        state_ = State::extension_after;
      }
      return {};
    case State::data_cr:
      if (c != '\r') return malformed("a chunk is longer than its size");
      state_ = State::data_lf;
      return {};
    case State::data_lf:
      if (c != '\n') return malformed("a chunk does not end with CRLF");
      state_ = State::size_start;
      size_ = 0;
      digits_ = 0;
      return {};
    case State::trailer:
      if (++trailer_bytes_ > bounds_.trailer_bytes) return trailers_too_large();
      if (c == '\r') {
        state_ = State::trailer_lf;
      } else if (c == '\n') {
        return malformed("a trailer field ends with a bare LF");
      } else {
        line_ += c;
      }
      return {};
    case State::trailer_lf:
      if (c != '\n') return malformed("a trailer field holds a bare CR");
      return end_of_trailer();
    case State::data:
    case State::done:
      return {};
  }
  return {};
}

Result<void> ChunkGuard::end_of_size_line() {
  if (size_ == 0) {
    state_ = State::trailer;
    return {};
  }
  if (size_ > bounds_.body - body_) {
    return Error{ErrorKind::too_large,
                 "request_too_large",
                 "the request body exceeds " + std::to_string(bounds_.body) + " bytes",
                 {}};
  }
  body_ += size_;
  state_ = State::data;
  return {};
}

Result<void> ChunkGuard::end_of_trailer() {
  if (line_.empty()) {
    state_ = State::done;
    return {};
  }
  if (++trailers_ > bounds_.trailers) return trailers_too_large();
  GP_TRY(const HeaderView field, read_field(line_));
  if (forbidden_trailer(field.name)) return malformed("a trailer field is not allowed there");
  line_.clear();
  state_ = State::trailer;
  return {};
}

}  // namespace gproxy::http
