// The frame of a Responses answer: its events with their numbers, and its items with their ids and
// places, which the terminal event repeats. What the items say is the encoder's (stream_encode.cc).
// One answer, on its loop.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "translate/openai_responses/response_encode.h"
#include "translate/stream_codec.h"

namespace gproxy::translate::responses {

class AnswerFrame : public AnswerEncoder {
 public:
  void fail(const Error& error) override;

 protected:
  AnswerFrame(AnswerForm form, const AnswerContext& context)
      : context_(context), document_(form == AnswerForm::document) {}

  // response.created and response.in_progress.
  void begin_answer(const Event& event);
  // The terminal event, or the whole answer.
  void end_answer(Snapshot snapshot);
  // Marks what is open as incomplete, for an answer that fails.
  virtual void write_incomplete_items() = 0;
  Snapshot snapshot(std::string_view status) const;

  // An event about the open item; `fields` begins with a comma or is empty.
  void item_event(std::string_view type, std::string_view fields = {});
  // The same with a text: `place`, then `member` (`,"delta":`), the text quoted, `rest`.
  void text_event(std::string_view type, std::string_view place, std::string_view member,
                  std::string_view text, std::string_view rest = {});

  // A new item at the next place. Events of it begin with added() and end with done().
  void new_item(std::string_view id_prefix);
  void added(std::string_view item);
  void done_item(std::string item);
  // Only for the terminal event.
  void keep(std::string item);
  size_t items_bytes() const { return items_bytes_; }

  AnswerContext context_;
  bool document_;
  std::string id_, model_;
  int64_t created_at_ = 0;
  std::string item_id_;  // of the open item, or the last one

 private:
  void begin_event(std::string_view type);
  void end_event() { *out_ += "}\n\n"; }
  void put_item_id();
  std::string output() const;

  uint64_t sequence_number_ = 0;
  bool created_ = false;
  std::vector<std::string> items_;  // finished ones, by output_index
  size_t items_bytes_ = 0;
  size_t item_index_ = 0;
};

}  // namespace gproxy::translate::responses
