// Reads an answer's native bytes as they pass, streamed or whole, and never copies them: token
// usage, the model that answered, whether the answer ended properly or carries an error, and where
// events end. Incremental, bounded, no document. One per answer, on its loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "translate/json_tap.h"
#include "translate/protocol.h"

namespace gproxy::translate {

// Token counts of one answer in gproxy's own reading, the same for all protocols: `input` is
// without what was read from or written to a cache, `output` includes reasoning. -1 = not said.
struct Usage {
  int64_t input = -1;
  int64_t output = -1;
  int64_t cache_read = -1;
  int64_t cache_write = -1;
  int64_t cache_write_1h = -1;  // inside cache_write: kept for an hour, which costs more
  int64_t reasoning = -1;
  bool any() const { return input >= 0 || output >= 0; }
};

// More than this is no count of one answer's tokens, whoever says it; sums stay far from overflow.
inline constexpr int64_t kMaxTokens = 1'000'000'000;

enum class Framing : uint8_t {
  sse,   // events; their data lines are JSON
  json,  // one JSON text, or an array of them that grows
};

class UsageScan {
 public:
  // A point of the bytes being fed that the caller may want to edit at.
  enum class Mark : uint8_t {
    model,      // right behind the opening quote of the model's name
    event_end,  // right behind the blank line that ends an event (sse)
  };

  UsageScan(Protocol protocol, Framing framing);

  // Model marks are wanted (they cost a little per event).
  void mark_models() { marks_ = true; }

  // Reads on. `on_mark(Mark, size_t offset)` is called in order, offsets within `bytes`.
  template <class F>
  void feed(std::string_view bytes, F&& on_mark) {
    size_t at = 0;
    Mark mark;
    while (advance(bytes, at, mark)) on_mark(mark, at);
  }
  void feed(std::string_view bytes) {
    feed(bytes, [](Mark, size_t) {});
  }

  Usage usage() const;
  // About how many tokens the answer's text made so far, by the bytes of it that passed: for
  // answers whose upstream never told. Four bytes to a token.
  int64_t output_estimate() const { return static_cast<int64_t>((text_bytes_ + 3) / 4); }
  // As the upstream spelt it (cut at 128 bytes), empty if it did not say.
  const std::string& model() const { return model_; }

  // Responses only: the answer's id, once it has been read as a whole; empty if there is none yet,
  // or it is too long to be one.
  const std::string& response_id() const { return response_id_; }

  // The protocol's own success marker was seen ([DONE] or a finish reason, message_stop,
  // response.completed, finishReason).
  bool finished() const { return finished_; }
  // An error object or event was seen.
  bool failed() const { return failed_; }
  // Something other than an error was seen (sse: an event whose data can be an object, or [DONE]).
  bool content() const { return content_; }
  // Responses only: response.created went by, so an error is told as response.failed.
  bool created() const { return created_; }
  // sse: the bytes so far end between two events: the only place for another one.
  bool at_boundary() const { return line_ == Line::start && !in_event_; }
  // Of the event that just ended (valid in on_mark(event_end)): a chat chunk with an empty choices
  // array and a usage object, which only include_usage asks for.
  bool was_usage_chunk() const { return usage_chunk_; }
  // json: an object or array has come as a whole, judged by its brackets alone.
  bool whole() const { return (first_byte_ == '{' || first_byte_ == '[') && tap_.at_rest(); }
  // sse: the event that is coming, or one before it, has data that can be an object or [DONE].
  bool plausible() const { return content_ || (head_len_ > 0 && is_data_start(head_[0])); }
  // json: whether an array is being streamed and has an element already.
  bool in_array() const { return first_byte_ == '['; }
  // Of that array: the bytes end between two elements; and behind the bracket or a comma.
  bool between_elements() const { return tap_.at_top(); }
  bool awaits_element() const { return tap_.awaits_value(); }

 private:
  static constexpr bool is_data_start(char c) { return c == '{' || c == '['; }

  enum class Line : uint8_t { start, field, data_space, data, other };

  bool advance(std::string_view bytes, size_t& at, Mark& mark);
  bool advance_sse(std::string_view bytes, size_t& at, Mark& mark);
  // An event that lies whole in `bytes` and says nothing of interest: passed over at once. Most do.
  bool pass_quiet_event(std::string_view bytes, size_t& at, Mark& mark);
  bool is_quiet(std::string_view event) const;
  // Adds the text in the members that carry an answer's.
  void count_text(std::string_view bytes);
  // Feeds bytes[at, end) to the tap; true at a mark.
  bool tap(std::string_view bytes, size_t& at, size_t end, Mark& mark);
  void take_leaf();
  void take_type(std::string_view type);
  void end_event();

  JsonTap tap_;
  std::string model_;
  std::string response_id_;
  int64_t counts_[8];
  uint64_t text_bytes_ = 0;
  size_t counted_to_ = 0;  // of the bytes being fed
  Protocol protocol_;
  Framing framing_;
  Line line_ = Line::start;
  uint8_t field_len_ = 0;
  uint8_t head_len_ = 0;
  char field_[6];
  char head_[6];          // first bytes of the event's data, for [DONE]
  size_t quiet_end_ = 0;  // of a quiet event whose model was marked; within the bytes being fed
  char first_byte_ = 0;
  bool marks_ = false;
  bool last_cr_ = false;
  bool in_event_ = false;
  bool in_text_ = false;  // count_text(): the bytes so far end inside of a text
  bool finished_ = false;
  bool failed_ = false;
  bool content_ = false;
  bool created_ = false;
  bool event_failed_ = false;
  bool choices_empty_ = false;
  bool has_usage_ = false;
  bool usage_chunk_ = false;
};

}  // namespace gproxy::translate
