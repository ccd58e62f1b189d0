// The common half of the answer decoders: part numbers, what is open, what each candidate has
// produced, and when an answer counts as finished. Internal to translate.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "translate/answer_common.h"
#include "translate/stream_codec.h"

namespace gproxy::translate {

class DecoderBase : public AnswerDecoder {
 public:
  Result<void> end(EventSink& sink) override;
  Result<void> done_marker(EventSink&) override { return ok(); }

 protected:
  static constexpr int64_t kMaxCandidates = 128;
  // What the decoder remembers of one candidate.
  struct Lane {
    int32_t candidate = 0;
    uint32_t part = 0;  // the open text-like part, while `open`
    PartKind kind = PartKind::text;
    bool open = false;
    bool content = false;  // something visible came
    bool calls = false;
    bool finished = false;
    bool bad = false;  // finished with bad_call or error
    uint32_t last_part = 0;
    bool any_part = false;
  };

  DecoderBase(Protocol origin, const AnswerContext& context) : context_(context), origin_(origin) {}

  bool started() const { return started_; }
  void start(EventSink& sink, std::string_view id, std::string_view model, int64_t created,
             const TokenUsage* usage = nullptr);
  // Candidates beyond the bound share the last lane's number and are ignored (null).
  Lane* lane(int64_t candidate);

  // Opens a part and returns its number.
  uint32_t begin(Lane& lane, EventSink& sink, Event event);
  void delta(Lane& lane, EventSink& sink, uint32_t part, PartKind kind, std::string_view data,
             const json::Value& logprobs = {});
  void part_end(Lane& lane, EventSink& sink, uint32_t part);
  void opaque(Lane& lane, EventSink& sink, uint32_t part, Protocol proto, std::string_view bytes);

  // Appends to the open part of that kind, or closes what is open and opens one.
  void text(Lane& lane, EventSink& sink, PartKind kind, std::string_view data,
            const json::Value& logprobs = {});
  void open_text(Lane& lane, EventSink& sink, PartKind kind);
  void close(Lane& lane, EventSink& sink);
  void finish(Lane& lane, EventSink& sink, Finish finish);
  void usage(EventSink& sink, const TokenUsage& usage);

  // Fails when every candidate has finished without an answer: an empty success would make agents
  // loop. Called at the end of each event, so that such an answer is told before anything is sent.
  Result<void> check_empty() const;

  // The source is done. Candidates without a finish get `fallback` (none: they are unfinished and
  // the answer is interrupted). `tier` is the service tier.
  Result<void> complete(EventSink& sink, FinishReason fallback, std::string_view tier = {});

  AnswerContext context_;
  Protocol origin_;

 private:
  uint32_t next_part_ = 0;
  std::deque<Lane> lanes_;  // stable addresses
  std::string bad_word_;    // the source's word for a bad finish
  bool started_ = false;
};

// The finish word of a candidate that ended without one.
FinishReason implied_finish(bool calls);

}  // namespace gproxy::translate
