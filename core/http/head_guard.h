// The strict reading of a whole request head: the request line, every field, and what they say
// about the framing (RFC 9112 sections 2 to 7). Stands in front of llhttp, which accepts more than
// one reading of some requests. Pure; used by parser.cc and chunk_guard.cc.
#pragma once

#include <string_view>

#include "base/arena.h"
#include "base/result.h"
#include "http/message.h"

namespace gproxy::http {

// Splits "name: value" and checks both; no line end in `line`.
Result<HeaderView> read_field(std::string_view line);

// The request line that `text` begins with, which may be cut off or break rules elsewhere: only what
// is safe to route by. Never an error.
RequestLine read_known_line(std::string_view text);

// Reads `text`, the request line through the empty line, each line ending with CRLF; `fields` is
// the number of lines between. Views of `head` point into `text`, its header list into `arena`.
Result<void> read_head(std::string_view text, size_t fields, size_t max_target_bytes, Arena& arena,
                       RequestHead& head);

// The error of a request that breaks the rules of HTTP: 400.
Error malformed(std::string_view why);

}  // namespace gproxy::http
