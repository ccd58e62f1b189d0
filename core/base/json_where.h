// Which member of a JSON text a byte belongs to, for error messages: the text may be broken from
// there on. Pure; called on failure only.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gproxy::json {

// "messages[1].role": the path of the value that begins, or should begin, at `offset` or holds it.
// Empty at the root, and when the byte is too far in (4 MiB) to be looked for. At most 64 levels
// and 256 bytes.
std::string path_at(std::string_view text, size_t offset);

}  // namespace gproxy::json
