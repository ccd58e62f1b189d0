#include "upstream/response_head.h"

#include "base/strings.h"

namespace gproxy::upstream {
namespace {

std::string_view strip_line_end(std::string_view line) {
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  return line;
}

std::string_view strip_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

// "HTTP/1.1 200 OK", "HTTP/2 200"
ResponseHead::Progress ResponseHead::begin(std::string_view line) {
  clear();
  const size_t space = line.find(' ');
  if (space == std::string_view::npos || space < 6 || !is_digit(line[5])) {
    return Progress::malformed;
  }
  major_ = line[5] - '0';
  const std::string_view code = line.substr(space + 1, 3);
  if (code.size() != 3 || !is_digit(code[0]) || !is_digit(code[1]) || !is_digit(code[2])) {
    return Progress::malformed;
  }
  status_ = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
  return status_ >= 100 ? Progress::more : Progress::malformed;
}

ResponseHead::Progress ResponseHead::add(std::string_view line, size_t max_bytes,
                                         size_t max_fields) {
  if (line.starts_with("HTTP/")) return begin(strip_line_end(line));
  const bool folded = !line.empty() && (line.front() == ' ' || line.front() == '\t');
  line = strip_line_end(line);
  if (line.empty()) {
    if (status_ == 0) return Progress::malformed;
    return status_ < 200 && status_ != 101 ? Progress::interim : Progress::complete;
  }
  if (text_.size() + line.size() > max_bytes || fields_.size() >= max_fields) {
    return Progress::too_large;
  }
  if (folded) {
    // Obsolete folding: one blank stands for the line break (RFC 9112 5.2).
    if (fields_.empty()) return Progress::malformed;
    Field& last = fields_.back();
    if (last.value_at + last.value_length != text_.size()) return Progress::malformed;
    const std::string_view rest = strip_blanks(line);
    if (!http::is_field_value(rest)) return Progress::malformed;
    text_ += ' ';
    text_ += rest;
    last.value_length = text_.size() - last.value_at;
    return Progress::more;
  }
  const size_t colon = line.find(':');
  // A field that could not be passed on as it is, is left out: no client may see what it smuggles.
  if (colon == std::string_view::npos || !http::is_token(line.substr(0, colon))) {
    return Progress::more;
  }
  const std::string_view value = strip_blanks(line.substr(colon + 1));
  if (!http::is_field_value(value)) return Progress::more;
  Field field{text_.size(), colon, text_.size() + colon, value.size()};
  text_ += line.substr(0, colon);
  text_ += value;
  fields_.push_back(field);
  return Progress::more;
}

std::span<const http::HeaderView> ResponseHead::fields(Coding coding) {
  views_.clear();
  views_.reserve(fields_.size());
  bool chunked = false;
  bool names_fields = false;
  for (const Field& field : fields_) {
    if (iequals(name(field), "transfer-encoding")) chunked = true;
    if (iequals(name(field), "connection") && !iequals(value(field), "keep-alive") &&
        !iequals(value(field), "close")) {
      names_fields = true;
    }
  }
  for (const Field& field : fields_) {
    if (coding == Coding::removed && iequals(name(field), "content-encoding")) continue;
    // Chunks overrule a length (RFC 9112 6.3), which then is somebody's lie.
    if ((coding == Coding::removed || chunked) && iequals(name(field), "content-length")) continue;
    if (names_fields && named_by_connection(name(field))) continue;
    views_.push_back({name(field), value(field)});
  }
  return views_;
}

// What Connection names is between the upstream and us (RFC 9110 7.6.1).
bool ResponseHead::named_by_connection(std::string_view word) const {
  for (const Field& field : fields_) {
    if (!iequals(name(field), "connection")) continue;
    for (const auto option : split(value(field), ',')) {
      if (iequals(strip_blanks(option), word)) return true;
    }
  }
  return false;
}

bool ResponseHead::is_encoded() const {
  for (const Field& field : fields_) {
    if (iequals(name(field), "content-encoding") && !value(field).empty() &&
        !iequals(value(field), "identity")) {
      return true;
    }
  }
  return false;
}

void ResponseHead::clear() {
  text_.clear();
  fields_.clear();
  views_.clear();
  status_ = 0;
  major_ = 1;
}

}  // namespace gproxy::upstream
