// One request's head as the parser saw it: views into the exchange's arena, checked already. Lives
// as long as that arena; on the loop of its connection.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "http/headers.h"

namespace gproxy::http {

enum class Version : uint8_t { http10, http11 };

struct RequestHead {
  std::string_view method;     // one of GET HEAD POST PUT DELETE OPTIONS PATCH
  std::string_view target;     // the request target as sent
  std::string_view path;       // percent-encoded; begins with '/', or is "*" (OPTIONS alone)
  std::string_view query;      // after the first '?', without it; data() == nullptr: no '?'
  std::string_view authority;  // host[:port] from Host (in absolute-form both agree); empty in 1.0
  Version version = Version::http11;
  std::span<const HeaderView> headers;  // in order, values without surrounding white space
  bool keep_alive = true;               // the client allows another request
  bool expect_continue = false;         // wants "100 Continue" before it sends the body
  bool chunked = false;
  bool upgrade = false;  // asked for another protocol; we may ignore that (RFC 9110 7.8)
  std::optional<uint64_t> content_length;

  bool has_body() const { return chunked || content_length.value_or(0) > 0; }
  std::string_view header(std::string_view name) const { return find(headers, name); }
};

// What of a request line is known although its head was refused: enough to answer in the form that
// the client reads. Views into the message's arena; empty = not known.
struct RequestLine {
  std::string_view method;
  std::string_view path;   // as in RequestHead
  std::string_view query;  // cut off where the target was too long
};

}  // namespace gproxy::http
