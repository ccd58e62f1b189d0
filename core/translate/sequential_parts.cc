#include "translate/sequential_parts.h"

namespace gproxy::translate {

SequentialParts::Track& SequentialParts::track_of(int32_t candidate) {
  for (auto& track : tracks_) {
    if (track.candidate == candidate) return track;
  }
  tracks_.emplace_back().candidate = candidate;
  return tracks_.back();
}

void SequentialParts::make_live(Track& track, uint32_t part, PartKind kind) {
  track.has_live = true;
  track.live = part;
  track.live_kind = kind;
  track.end.reset();
}

void SequentialParts::end_live(Track& track) {
  track.has_live = false;
  Event event;
  event.kind = EventKind::part_end;
  event.candidate = track.candidate;
  event.part = track.live;
  inner_.on(event);
}

void SequentialParts::begin(Track& track, const Event& event) {
  // A live call whose arguments are complete cannot grow: the next part may begin.
  if (track.has_live && track.waiting.empty() && track.live_kind == PartKind::call &&
      track.end.complete()) {
    end_live(track);
  }
  if (!track.has_live) {
    make_live(track, event.part, event.part_kind);
    inner_.on(event);
    return;
  }
  Waiting part;
  part.kind = event.part_kind;
  part.call_kind = event.call_kind;
  part.redacted = event.redacted;
  part.joins_previous = event.joins_previous;
  part.part = event.part;
  part.id = event.id;
  part.name = event.name;
  part.name_space = event.name_space;
  part.signature = event.opaque.bytes;
  part.signature_proto = event.opaque.proto;
  if (!event.raw.is_null()) part.raw = json::write(event.raw);
  held_ += sizeof(Waiting) + part.raw.size() + part.signature.size();
  track.waiting.push_back(std::move(part));
}

void SequentialParts::replay(Track& track, Waiting& part) {
  Arena arena(1024);
  Event event;
  event.kind = EventKind::part_start;
  event.candidate = track.candidate;
  event.part = part.part;
  event.part_kind = part.kind;
  event.call_kind = part.call_kind;
  event.redacted = part.redacted;
  event.joins_previous = part.joins_previous;
  event.id = part.id;
  event.name = part.name;
  event.name_space = part.name_space;
  event.opaque.proto = part.signature_proto;
  event.opaque.bytes = part.signature;
  if (!part.raw.empty()) {
    if (auto raw = json::parse(part.raw, arena)) event.raw = *raw;
  }
  inner_.on(event);
  make_live(track, part.part, part.kind);
  if (!part.text.empty()) {
    Event delta;
    delta.kind = EventKind::delta;
    delta.candidate = track.candidate;
    delta.part = part.part;
    delta.part_kind = part.kind;
    delta.data = part.text;
    inner_.on(delta);
    if (part.kind == PartKind::call) track.end.feed(part.text);
  }
  if (part.opaque_proto != Protocol::none) {
    Event opaque;
    opaque.kind = EventKind::opaque;
    opaque.candidate = track.candidate;
    opaque.part = part.part;
    opaque.opaque.proto = part.opaque_proto;
    opaque.opaque.bytes = part.opaque;
    inner_.on(opaque);
  }
  for (const auto& text : part.citations) {
    auto raw = json::parse(text, arena);
    if (!raw) continue;
    Citation citation;
    citation.origin = Protocol::claude;
    citation.unit = Citation::Unit::whole_part;
    citation.raw = *raw;
    citation.url = (*raw)["url"].str();
    citation.title = (*raw)["title"].str();
    citation.cited_text = (*raw)["cited_text"].str();
    Event cite;
    cite.kind = EventKind::cite;
    cite.candidate = track.candidate;
    cite.part = part.part;
    cite.citation = &citation;
    inner_.on(cite);
  }
}

void SequentialParts::advance(Track& track, bool all) {
  while (!track.waiting.empty()) {
    if (track.has_live) {
      const bool complete = track.live_kind == PartKind::call && track.end.complete();
      if (!all && !complete) return;
      end_live(track);
    }
    Waiting part = std::move(track.waiting.front());
    track.waiting.pop_front();
    const size_t bytes = sizeof(Waiting) + part.raw.size() + part.signature.size() +
                         part.text.size() + part.opaque.size();
    held_ -= bytes < held_ ? bytes : held_;
    replay(track, part);
    if (part.ended) end_live(track);
  }
  if (all && track.has_live) end_live(track);
}

void SequentialParts::on(const Event& event) {
  switch (event.kind) {
    case EventKind::part_start:
      begin(track_of(event.candidate), event);
      return;
    case EventKind::delta:
    case EventKind::opaque:
    case EventKind::cite:
    case EventKind::part_end:
      break;
    case EventKind::finish:
      advance(track_of(event.candidate), /*all=*/true);
      inner_.on(event);
      return;
    case EventKind::eof:
      for (auto& track : tracks_) advance(track, /*all=*/true);
      inner_.on(event);
      return;
    default:
      inner_.on(event);
      return;
  }
  Track& track = track_of(event.candidate);
  if (track.has_live && track.live == event.part) {
    if (event.kind == EventKind::part_end) {
      end_live(track);
      advance(track, /*all=*/false);
      return;
    }
    inner_.on(event);
    if (event.kind == EventKind::delta && track.live_kind == PartKind::call) {
      track.end.feed(event.data);
      if (!track.waiting.empty() && track.end.complete()) advance(track, /*all=*/false);
    }
    return;
  }
  for (auto& part : track.waiting) {
    if (part.part != event.part) continue;
    if (event.kind == EventKind::delta) {
      part.text += event.data;
      held_ += event.data.size();
    } else if (event.kind == EventKind::opaque) {
      part.opaque += event.opaque.bytes;
      part.opaque_proto = event.opaque.proto;
      held_ += event.opaque.bytes.size();
    } else if (event.kind == EventKind::part_end) {
      part.ended = true;
    } else if (event.citation->origin == Protocol::claude) {
      part.citations.push_back(json::write(event.citation->raw));
    }
    return;
  }
  // The part is over already: only what can stand alone still counts.
  if (event.kind == EventKind::opaque || event.kind == EventKind::cite) inner_.on(event);
}

}  // namespace gproxy::translate
