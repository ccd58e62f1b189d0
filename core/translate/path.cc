#include <charconv>

#include "translate/codec.h"
#include "translate/model.h"

namespace gproxy::translate {

namespace {

void append(const Path* path, std::string& out) {
  if (path == nullptr) return;
  append(path->parent, out);
  if (path->index >= 0) {
    char digits[12];
    auto end = std::to_chars(digits, digits + sizeof digits, path->index).ptr;
    out += '[';
    out.append(digits, end);
    out += ']';
  } else if (!path->key.empty()) {
    if (!out.empty()) out += '.';
    out += path->key;
  }
}

}  // namespace

std::string path_text(const Path* path, std::string_view suffix) {
  std::string out;
  append(path, out);
  if (!suffix.empty()) {
    if (!out.empty() && suffix.front() != '[') out += '.';
    out += suffix;
  }
  return out;
}

Error unsupported(const Path* at, std::string message, std::string_view suffix) {
  return Error{ErrorKind::unsupported, "unsupported_parameter", std::move(message),
               path_text(at, suffix)};
}

Error bad_value(const Path* at, std::string message, std::string_view suffix) {
  return Error{ErrorKind::invalid, "invalid_value", std::move(message), path_text(at, suffix)};
}

}  // namespace gproxy::translate
