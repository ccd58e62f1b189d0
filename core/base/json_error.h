// The errors of JSON texts, in one wording for the document parser and the scanner. Private to
// base.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace gproxy::json {

// "invalid JSON: <what> at byte n (line l, column c)"; `where` may be null.
Error invalid_json(std::string_view what, std::string_view text, size_t offset,
                   Position* where = nullptr);
Error json_too_deep(size_t max_depth, std::string path = {});
Error json_too_large(size_t max_bytes);

// The offset of the first byte that is not part of valid UTF-8. REQUIRES: !is_valid_utf8(text).
size_t first_invalid_utf8(std::string_view text);

}  // namespace gproxy::json
