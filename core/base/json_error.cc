#include "base/json_error.h"

#include "base/json_where.h"
#include "base/strings.h"

namespace gproxy::json {

Error invalid_json(std::string_view what, std::string_view text, size_t offset, Position* where) {
  const Position position = position_of(text, offset);
  if (where != nullptr) *where = position;
  std::string message = "invalid JSON: ";
  message += what;
  message += " at byte " + std::to_string(offset) + " (line " + std::to_string(position.line) +
             ", column " + std::to_string(position.column) + ")";
  return Error{ErrorKind::invalid, "invalid_json", std::move(message), path_at(text, offset)};
}

Error json_too_deep(size_t max_depth, std::string path) {
  return Error{ErrorKind::invalid, "json_too_deep",
               "the JSON text nests deeper than " + std::to_string(max_depth) + " levels",
               std::move(path)};
}

Error json_too_large(size_t max_bytes) {
  return Error{ErrorKind::too_large,
               "json_too_large",
               "the JSON text exceeds " + std::to_string(max_bytes) + " bytes",
               {}};
}

size_t first_invalid_utf8(std::string_view text) {
  // The longest valid prefix, by halving: this runs for an error message only.
  size_t good = 0, bad = text.size();
  while (bad - good > 4) {
    size_t middle = good + (bad - good) / 2;
    // Step back to the beginning of a sequence, so that the prefix is not cut inside of one.
    while (middle > good && (static_cast<unsigned char>(text[middle]) & 0xc0) == 0x80) --middle;
    if (middle == good) break;
    (is_valid_utf8(text.substr(good, middle - good)) ? good : bad) = middle;
  }
  while (good < bad) {
    size_t next = good + 1;
    while (next < text.size() && (static_cast<unsigned char>(text[next]) & 0xc0) == 0x80) ++next;
    if (!is_valid_utf8(text.substr(good, next - good))) break;
    good = next;
  }
  return good;
}

Position position_of(std::string_view text, size_t offset) {
  Position position{1, 1};
  for (char c : text.substr(0, offset)) {
    if (c == '\n') {
      ++position.line;
      position.column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) {
      ++position.column;  // columns count characters
    }
  }
  return position;
}

}  // namespace gproxy::json
