#include "translate/answer_decoder.h"

#include "translate/claude/answer.h"
#include "translate/gemini/answer.h"
#include "translate/openai_chat/answer.h"
#include "translate/openai_responses/answer.h"

namespace gproxy::translate {

FinishReason implied_finish(bool calls) {
  return calls ? FinishReason::tool_calls : FinishReason::stop;
}

void DecoderBase::start(EventSink& sink, std::string_view id, std::string_view model,
                        int64_t created, const TokenUsage* usage) {
  if (started_) return;
  started_ = true;
  Event event;
  event.kind = EventKind::start;
  event.id = id;
  event.name = model;
  event.created = created;
  event.usage = usage;
  sink.on(event);
}

DecoderBase::Lane* DecoderBase::lane(int64_t candidate) {
  for (auto& lane : lanes_) {
    if (lane.candidate == candidate) return &lane;
  }
  if (candidate < 0 || candidate >= kMaxCandidates) return nullptr;
  lanes_.emplace_back().candidate = static_cast<int32_t>(candidate);
  return &lanes_.back();
}

uint32_t DecoderBase::begin(Lane& lane, EventSink& sink, Event event) {
  event.kind = EventKind::part_start;
  event.candidate = lane.candidate;
  event.part = next_part_++;
  lane.last_part = event.part;
  lane.any_part = true;
  switch (event.part_kind) {
    case PartKind::call:
      lane.calls = true;
      [[fallthrough]];
    case PartKind::image:
    case PartKind::audio:
    case PartKind::video:
    case PartKind::document:
    case PartKind::raw:
    case PartKind::server:
      lane.content = true;
      content_ = true;
      break;
    default:
      break;  // text counts when it has any
  }
  sink.on(event);
  return event.part;
}

void DecoderBase::delta(Lane& lane, EventSink& sink, uint32_t part, PartKind kind,
                        std::string_view data, const json::Value& logprobs) {
  if (data.empty()) return;
  if (kind != PartKind::reasoning) {
    lane.content = true;
    content_ = true;
  }
  Event event;
  event.kind = EventKind::delta;
  event.part_kind = kind;
  event.candidate = lane.candidate;
  event.part = part;
  event.data = data;
  event.raw = logprobs;
  sink.on(event);
}

void DecoderBase::part_end(Lane& lane, EventSink& sink, uint32_t part) {
  Event event;
  event.kind = EventKind::part_end;
  event.candidate = lane.candidate;
  event.part = part;
  sink.on(event);
}

void DecoderBase::opaque(Lane& lane, EventSink& sink, uint32_t part, Protocol proto,
                         std::string_view bytes) {
  Event event;
  event.kind = EventKind::opaque;
  event.candidate = lane.candidate;
  event.part = part;
  event.opaque.proto = proto;
  event.opaque.bytes = bytes;
  event.opaque.family = context_.request.family;
  sink.on(event);
}

void DecoderBase::open_text(Lane& lane, EventSink& sink, PartKind kind) {
  if (lane.open && lane.kind == kind) return;
  close(lane, sink);
  Event event;
  event.part_kind = kind;
  lane.part = begin(lane, sink, event);
  lane.kind = kind;
  lane.open = true;
}

void DecoderBase::text(Lane& lane, EventSink& sink, PartKind kind, std::string_view data,
                       const json::Value& logprobs) {
  if (data.empty()) return;
  open_text(lane, sink, kind);
  delta(lane, sink, lane.part, kind, data, logprobs);
}

void DecoderBase::close(Lane& lane, EventSink& sink) {
  if (!lane.open) return;
  lane.open = false;
  part_end(lane, sink, lane.part);
}

void DecoderBase::finish(Lane& lane, EventSink& sink, Finish finish) {
  if (lane.finished) return;
  lane.finished = true;
  lane.bad = finish.reason == FinishReason::bad_call || finish.reason == FinishReason::error;
  if (lane.bad) bad_word_ = finish.native;
  finish.origin = origin_;
  Event event;
  event.kind = EventKind::finish;
  event.candidate = lane.candidate;
  event.finish = &finish;
  sink.on(event);
}

void DecoderBase::usage(EventSink& sink, const TokenUsage& usage) {
  Event event;
  event.kind = EventKind::usage;
  event.usage = &usage;
  sink.on(event);
}

Result<void> DecoderBase::check_empty() const {
  for (const auto& lane : lanes_) {
    if (!lane.finished || !lane.bad || lane.content) return ok();
  }
  if (lanes_.empty()) return ok();
  std::string message = "upstream ended without an answer";
  if (!bad_word_.empty()) message += ": " + bad_word_.substr(0, 64);
  return bad_upstream("upstream_bad_answer", std::move(message));
}

Result<void> DecoderBase::complete(EventSink& sink, FinishReason fallback, std::string_view tier) {
  if (ended_) return ok();
  if (lanes_.empty()) return interrupted();
  for (auto& lane : lanes_) {
    if (!lane.finished) {
      if (fallback == FinishReason::none) return interrupted();
      // A marker without a word about why: an answer that said nothing at all is none.
      if (!lane.content && lanes_.size() == 1) return interrupted();
      close(lane, sink);
      Finish word;
      word.reason = lane.calls ? FinishReason::tool_calls : fallback;
      finish(lane, sink, word);
    }
  }
  GP_CHECK(check_empty());
  ended_ = true;
  Event event;
  event.kind = EventKind::eof;
  event.clean = true;
  event.name = tier;
  sink.on(event);
  return ok();
}

Result<void> DecoderBase::end(EventSink& sink) {
  return complete(sink, FinishReason::none);
}

std::unique_ptr<AnswerDecoder> make_answer_decoder(Protocol upstream,
                                                   const AnswerContext& context) {
  switch (upstream) {
    case Protocol::claude:
      return make_claude_decoder(context);
    case Protocol::openai_response:
      return make_responses_decoder(context);
    case Protocol::gemini:
      return make_gemini_decoder(context);
    default:
      return make_chat_decoder(context);
  }
}

std::unique_ptr<AnswerEncoder> make_answer_encoder(Protocol client, AnswerForm form,
                                                   const AnswerContext& context) {
  switch (client) {
    case Protocol::claude:
      return make_claude_encoder(form, context);
    case Protocol::openai_response:
      return make_responses_encoder(form, context);
    case Protocol::gemini:
      return make_gemini_encoder(form, context);
    default:
      return make_chat_encoder(form, context);
  }
}

}  // namespace gproxy::translate
