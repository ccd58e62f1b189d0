// Puts parts one after another for protocols whose parts cannot overlap (Claude, Gemini). The first
// open part is live and passes through; parts that begin meanwhile are kept until it ends
// (wire-formats 4.3.3). Nothing is dropped or reordered. Internal to translate; one per answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/arena.h"
#include "translate/array_reader.h"
#include "translate/stream_codec.h"

namespace gproxy::translate {

class SequentialParts final : public EventSink {
 public:
  explicit SequentialParts(EventSink& inner) : inner_(inner) {}
  void on(const Event& event) override;
  size_t held_bytes() const { return held_; }

 private:
  // A part that waits: its start, all that came for it, and whether it has ended.
  struct Waiting {
    PartKind kind = PartKind::text;
    Call::Kind call_kind = Call::Kind::function;
    bool redacted = false;
    bool joins_previous = false;
    bool ended = false;
    uint32_t part = 0;
    std::string id, name, name_space, text, signature, opaque, raw;
    Protocol signature_proto = Protocol::none, opaque_proto = Protocol::none;
    std::vector<std::string> citations;  // Claude's own objects, as JSON
  };
  struct Track {
    int32_t candidate = 0;
    uint32_t live = 0;
    PartKind live_kind = PartKind::text;
    bool has_live = false;
    ValueEnd end;  // of a live call's arguments
    std::deque<Waiting> waiting;
  };

  Track& track_of(int32_t candidate);
  void begin(Track& track, const Event& event);
  void make_live(Track& track, uint32_t part, PartKind kind);
  void end_live(Track& track);
  // Lets waiting parts through; `all`: to the last one, whatever is open.
  void advance(Track& track, bool all);
  void replay(Track& track, Waiting& part);

  EventSink& inner_;
  std::deque<Track> tracks_;
  size_t held_ = 0;
};

}  // namespace gproxy::translate
