#include "translate/array_reader.h"

namespace gproxy::translate {

namespace {

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

Error broken(std::string_view what) {
  Error error;
  error.kind = ErrorKind::server;
  error.code = "upstream_invalid_response";
  error.message = std::string(what);
  error.status = 502;
  return error;
}

}  // namespace

Result<bool> ArrayReader::next(std::string_view bytes, size_t& at, std::string_view& element) {
  while (at < bytes.size() && state_ != State::element) {
    const char c = bytes[at];
    if (is_space(c) || (state_ == State::between && c == ',')) {
      ++at;
    } else if (state_ == State::start && c == '[') {
      state_ = State::between;
      ++at;
    } else if (state_ == State::between && c == ']') {
      state_ = State::closed;
      ++at;
    } else if (state_ == State::between && c == '{') {
      state_ = State::element;
      depth_ = 0;
    } else if (state_ == State::closed) {
      at = bytes.size();  // what follows the array is nobody's
    } else {
      return broken("upstream sent text where an array of objects was expected");
    }
  }
  if (state_ != State::element) return false;

  const size_t begin = at;
  bool done = false;
  for (; at < bytes.size() && !done; ++at) {
    const char c = bytes[at];
    if (in_string_) {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        in_string_ = false;
      }
      continue;
    }
    if (c == '"') {
      in_string_ = true;
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if (c == '}' || c == ']') {
      done = --depth_ == 0;
    }
  }
  const std::string_view piece = bytes.substr(begin, at - begin);
  if (kept_.size() + piece.size() > max_element_bytes_) {
    return broken("upstream event exceeds the size limit");
  }
  if (!done) {
    kept_.append(piece);
    return false;
  }
  state_ = State::between;
  if (kept_.empty()) {
    element = piece;
  } else {
    kept_.append(piece);
    element = kept_;
  }
  return true;
}

void ValueEnd::feed(std::string_view text) {
  for (const char c : text) {
    if (complete_) return;
    if (in_string_) {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        in_string_ = false;
      }
      continue;
    }
    if (is_space(c)) continue;
    started_ = true;
    if (c == '"') {
      in_string_ = true;
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if ((c == '}' || c == ']') && depth_ > 0) {
      complete_ = --depth_ == 0;
    }
  }
}

}  // namespace gproxy::translate
