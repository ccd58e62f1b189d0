// Server-sent events, incrementally and on bytes (WHATWG HTML, section 9.2; wire-formats 1.5): LF,
// CRLF and CR, split anywhere, BOM, several data lines. No copy where an event lies whole in one
// piece.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/result.h"

namespace gproxy::sse {

struct Event {
  std::string_view name;  // the event field, empty if absent
  std::string_view data;  // data lines joined with \n
};

// Feeds bytes, yields events. Views are valid only during the callback. Not thread-safe.
class Reader {
 public:
  explicit Reader(size_t max_event_bytes = size_t{32} << 20) : max_event_bytes_(max_event_bytes) {}

  // Calls on_event(const Event&) -> bool for each complete event; false stops (the rest of `bytes`
  // is dropped). Fails (kind server, code "sse_event_too_large") when one event exceeds the bound.
  template <class F>
  Result<void> feed(std::string_view bytes, F&& on_event) {
    auto thunk = [](void* self, const Event& event) -> bool {
      return (*static_cast<std::remove_reference_t<F>*>(self))(event);
    };
    return feed_raw(bytes, thunk, const_cast<void*>(static_cast<const void*>(&on_event)));
  }
  // End of input: the event that had no final blank line, if there was data.
  template <class F>
  void finish(F&& on_event) {
    auto thunk = [](void* self, const Event& event) -> bool {
      return (*static_cast<std::remove_reference_t<F>*>(self))(event);
    };
    finish_raw(thunk, const_cast<void*>(static_cast<const void*>(&on_event)));
  }
  // True when the bytes fed so far end at an event boundary (nothing pending): the only place where
  // another event may be put in between.
  bool at_boundary() const { return line_.empty() && !has_data_ && name_.empty() && !mid_line_; }
  size_t pending_bytes() const { return line_.size() + data_.size(); }

 private:
  using Thunk = bool (*)(void*, const Event&);
  Result<void> feed_raw(std::string_view bytes, Thunk thunk, void* self);
  void finish_raw(Thunk thunk, void* self);
  bool take_line(std::string_view line, Thunk thunk, void* self, bool& go_on);

  std::string line_;  // an incomplete line
  std::string data_;  // data of the event so far, when it had to be kept
  std::string name_;
  std::string_view data_view_;  // data of a one-line event still in the caller's bytes
  size_t max_event_bytes_;
  int bom_ = 0;  // bytes of a BOM seen at the very start
  bool has_data_ = false;
  bool last_cr_ = false;
  bool mid_line_ = false;
  bool started_ = false;
};

// Appends one event. `data` with line breaks becomes several data lines.
void write(std::string& out, std::string_view name, std::string_view data);

}  // namespace gproxy::sse
