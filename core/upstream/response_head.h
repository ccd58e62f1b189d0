// Collects the header lines of one response as libcurl hands them over, into one piece of memory
// that is lent out again when the head was delivered. Pure; lives on one loop.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "http/headers.h"

namespace gproxy::upstream {

class ResponseHead {
 public:
  enum class Progress : uint8_t {
    more,      // the head goes on
    interim,   // a 1xx head ended: another one follows
    complete,  // the final head ended
    too_large,
    malformed,
  };

  // One line, with its line end. A status line begins a new head.
  Progress add(std::string_view line, size_t max_bytes, size_t max_fields);

  int status() const { return status_; }
  int major_version() const { return major_; }
  // Views into this object; valid until the next add() or clear(). Left out are the fields that
  // Connection names, and a length beside chunks; with `removed` content-encoding and length, too.
  enum class Coding : uint8_t { as_sent, removed };
  std::span<const http::HeaderView> fields(Coding coding);
  bool is_encoded() const;  // content-encoding names something besides identity
  void clear();

 private:
  struct Field {
    size_t name_at, name_length, value_at, value_length;
  };
  std::string_view name(const Field& f) const { return {&text_[f.name_at], f.name_length}; }
  std::string_view value(const Field& f) const { return {&text_[f.value_at], f.value_length}; }
  Progress begin(std::string_view status_line);
  bool named_by_connection(std::string_view word) const;

  std::string text_;
  std::vector<Field> fields_;
  http::HeaderList views_;
  int status_ = 0;
  int major_ = 1;
};

}  // namespace gproxy::upstream
