// Watches a chunked body beside llhttp: the exact grammar of RFC 9112 section 7.1 without the
// spaces and line ends that servers read differently, and the bounds of a body. Decodes nothing: it
// says how many bytes belong to the message. One per message, owned by the parser.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gproxy::http {

class ChunkGuard {
 public:
  struct Bounds {
    uint64_t body = 0;
    size_t extensions = 0, trailer_bytes = 0, trailers = 0;
  };
  void begin(const Bounds& bounds);
  // `good` is how many of `bytes` belong to this message: all, unless it ends among them or an
  // error stands behind them.
  Result<void> feed(std::string_view bytes, size_t& good);
  bool done() const { return state_ == State::done; }

 private:
  enum class State : uint8_t {
    size_start,
    size,
    size_lf,
    extension_name,  // at least one character
    extension_name_rest,
    extension_value,  // the first character
    extension_token,
    extension_quoted,
    extension_after,  // behind a quoted value
    data,
    data_cr,
    data_lf,
    trailer,
    trailer_lf,
    done,
  };

  Result<void> control(char c);
  Result<void> end_of_size_line();
  Result<void> end_of_trailer();

  State state_ = State::size_start;
  Bounds bounds_;
  uint64_t size_ = 0;  // of the chunk; then what is left of its data
  uint64_t body_ = 0;  // decoded so far
  unsigned digits_ = 0;
  size_t extension_bytes_ = 0;
  size_t trailer_bytes_ = 0;
  size_t trailers_ = 0;
  std::string line_;  // a trailer line
};

}  // namespace gproxy::http
