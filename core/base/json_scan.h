// One validating pass over a JSON text without building anything: our own scanner (run-time
// dispatch to AVX2 on x86-64, portable elsewhere), because the bytes must be forwarded untouched
// and a DOM of a 1 MiB request costs more than relaying it. Validates grammar, UTF-8, escapes and
// depth; records where the asked-for members stand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace gproxy::json {

// Where a value stands in the text. For strings, at/len include the quotes.
struct Span {
  size_t at = 0;
  size_t len = 0;
  Kind kind = Kind::null;
  bool found = false;
  bool escaped = false;      // a string whose text has escapes
  bool key_escaped = false;  // its key was spelt with escapes
};

struct ScanResult {
  Kind root = Kind::null;
  size_t root_at = 0, root_len = 0;  // the text without surrounding white space
};

// Validates `text` and fills `out[i]` for each top-level member named `keys[i]` (decoded names: an
// escaped spelling is found). A duplicate of such a key is an error (code "duplicate_field", param
// = the key). Errors as json::parse. REQUIRES: keys.size() == out.size() <= 32.
Result<ScanResult> scan_object(std::string_view text, std::span<const std::string_view> keys,
                               std::span<Span> out, const Limits& limits = {});

// Validates only (any root kind).
Result<ScanResult> validate(std::string_view text, const Limits& limits = {});

// Finds a value by path without validating what is not on the way; the last of duplicates. Path
// segments are decoded keys or, for arrays, decimal indices. `text` must be valid JSON.
Span find(std::string_view text, std::span<const std::string_view> path);
// First occurrence helper for usage scanning: find(text, {"usage", "input_tokens"}).
Span find(std::string_view text, std::initializer_list<std::string_view> path);

// The decoded text of a string span (copy only when escaped).
std::string decode_string(std::string_view text, const Span& span);
// The number of an integer span, or otherwise.
int64_t span_int(std::string_view text, const Span& span, int64_t otherwise = 0);

}  // namespace gproxy::json
