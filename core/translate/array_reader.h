// Splits a streamed JSON array into its elements as they arrive (Gemini's stream without alt=sse),
// on bytes, aware of strings and escapes, without waiting for the closing bracket. Used by
// StreamTranslator; one per stream, not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gproxy::translate {

class ArrayReader {
 public:
  explicit ArrayReader(size_t max_element_bytes) : max_element_bytes_(max_element_bytes) {}

  // Calls on_element(std::string_view) -> bool for each complete element; false stops (the rest of
  // `bytes` is dropped). Views are valid during the callback only. Fails (kind server) when an
  // element exceeds the bound or the text is not an array of objects.
  template <class F>
  Result<void> feed(std::string_view bytes, F&& on_element) {
    size_t at = 0;
    while (at < bytes.size()) {
      std::string_view element;
      GP_TRY(const bool ready, next(bytes, at, element));
      if (!ready) break;
      const bool go_on = on_element(element);
      kept_.clear();
      if (!go_on) break;
    }
    return ok();
  }

  bool closed() const { return state_ == State::closed; }
  size_t pending_bytes() const { return kept_.size(); }

 private:
  enum class State : uint8_t { start, between, element, closed };
  // Advances `at`; true when `element` is complete (a view into `bytes` or into kept_).
  Result<bool> next(std::string_view bytes, size_t& at, std::string_view& element);

  std::string kept_;  // the beginning of an element that came in an earlier piece
  size_t max_element_bytes_;
  uint32_t depth_ = 0;
  State state_ = State::start;
  bool in_string_ = false;
  bool escaped_ = false;
};

// Follows one JSON value that arrives in pieces and knows when it is complete: braces, strings and
// escapes only, no validation. A scalar is complete when the source says so, never by itself.
class ValueEnd {
 public:
  void feed(std::string_view text);
  bool complete() const { return complete_; }
  bool started() const { return started_; }  // something other than white space came
  void reset() { *this = ValueEnd(); }

 private:
  uint32_t depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  bool complete_ = false;
  bool started_ = false;
};

}  // namespace gproxy::translate
