// Chat Completions answers -> neutral events (wire-formats 4.2.1, quirks of 1.1).
#include <deque>

#include "translate/answer_decoder.h"
#include "translate/openai_chat/answer.h"
#include "translate/usage_map.h"

namespace gproxy::translate {

namespace {

struct Word {
  std::string_view word;
  FinishReason reason;
};
// OpenAI's words and those of compatible servers.
constexpr Word kFinish[] = {
    {"stop", FinishReason::stop},
    {"tool_calls", FinishReason::tool_calls},
    {"length", FinishReason::length},
    {"content_filter", FinishReason::filtered},
    {"function_call", FinishReason::tool_calls},
    {"tool_use", FinishReason::tool_calls},
    {"eos", FinishReason::stop},
    {"end_turn", FinishReason::stop},
    {"stop_sequence", FinishReason::stop},
    {"max_tokens", FinishReason::length},
    {"model_length", FinishReason::length},
    {"safety", FinishReason::filtered},
};

FinishReason finish_of(std::string_view word) {
  for (const auto& row : kFinish) {
    if (row.word == word) return row.reason;
  }
  return FinishReason::stop;
}

class ChatDecoder final : public DecoderBase {
 public:
  explicit ChatDecoder(const AnswerContext& context)
      : DecoderBase(Protocol::openai_chat, context) {}

  Result<void> event(std::string_view, const json::Value& doc, Arena& arena,
                     EventSink& sink) override {
    if (!doc.is_object()) {
      return bad_upstream("upstream_invalid_response", "upstream sent an event that is no object");
    }
    GP_CHECK(check_error(doc));
    const auto& choices = doc["choices"];
    const auto& usage_object = doc["usage"];
    // Azure opens with a chunk that has filter results only.
    if (choices.empty() && !usage_object.is_object()) return ok();
    if (!started()) {
      start(sink, doc["id"].str(), doc["model"].str(), doc["created"].int_or(0));
    }
    if (const auto tier = doc["service_tier"].str(); !tier.empty()) tier_ = tier;
    size_t position = 0;
    for (const auto& choice : choices.items()) {
      GP_CHECK(check_finish(choice));
      take_choice(choice, choice["delta"], position++, Whole::no, arena, sink);
    }
    if (usage_object.is_object()) {
      read_chat_usage(usage_object, usage_);
      usage(sink, usage_);
    }
    return check_empty();
  }

  Result<void> done_marker(EventSink& sink) override {
    flush_audio(sink);
    return complete(sink, FinishReason::stop, tier_);
  }

  Result<void> end(EventSink& sink) override {
    if (ended_) return ok();
    flush_audio(sink);
    return complete(sink, FinishReason::none, tier_);
  }

  Result<void> answer(const json::Value& doc, Arena& arena, EventSink& sink) override {
    if (!doc.is_object()) {
      return bad_upstream("upstream_invalid_response", "upstream answered with no object");
    }
    GP_CHECK(check_error(doc));
    if (doc["choices"].empty()) {
      return bad_upstream("upstream_invalid_response", "upstream answered without choices");
    }
    start(sink, doc["id"].str(), doc["model"].str(), doc["created"].int_or(0));
    tier_ = doc["service_tier"].str();
    size_t position = 0;
    for (const auto& choice : doc["choices"].items()) {
      GP_CHECK(check_finish(choice));
      take_choice(choice, choice["message"], position++, Whole::yes, arena, sink);
    }
    if (doc["usage"].is_object()) {
      read_chat_usage(doc["usage"], usage_);
      usage(sink, usage_);
    }
    flush_audio(sink);
    // An answer without any word why it ended, but with content, is complete all the same.
    for (auto& track : tracks_) {
      if (!track.lane->content) finish_track(track, FinishReason::stop, {}, sink);
    }
    return complete(sink, FinishReason::stop, tier_);
  }

 private:
  enum class Whole : bool { no, yes };
  struct CallState {
    int64_t key = 0;
    uint32_t part = 0;
    Call::Kind kind = Call::Kind::function;
    bool started = false;
    bool ended = false;
    std::string id, name, pending;  // until the name is known
    std::string signature;          // Gemini's, from extra_content
  };
  struct Track {
    Lane* lane = nullptr;
    std::deque<CallState> calls;
    bool thinking_text = false;  // the open reasoning part got its text from reasoning_content
    uint32_t text_part = 0;      // the last text part, for annotations
    bool any_text = false;
    // Audio is kept until the end: pieces of base64 do not stand alone.
    std::string audio_id, audio_data, audio_transcript;
    int64_t audio_expires = 0;
  };

  Result<void> check_error(const json::Value& doc) {
    const auto* error = doc.find("error");
    if (error == nullptr || error->is_null() || (error->is_bool() && !error->as_bool()))
      return ok();
    if (error->is_string() && error->str().empty()) return ok();
    const int64_t code = (*error)["code"].int_or(0);
    return upstream_error(Protocol::openai_chat, doc,
                          code >= 400 && code < 600 ? static_cast<int>(code) : 0);
  }

  // Some servers tell of a failure in the word that should say why the answer is complete.
  static Result<void> check_finish(const json::Value& choice) {
    if (choice["finish_reason"].str() != "error") return ok();
    if (choice["error"].is_object()) return upstream_error(Protocol::openai_chat, choice);
    return bad_upstream("upstream_error", "upstream ended the answer with an error");
  }

  Track* track_of(int64_t index) {
    Lane* found = lane(index);
    if (found == nullptr) return nullptr;
    for (auto& track : tracks_) {
      if (track.lane == found) return &track;
    }
    tracks_.emplace_back().lane = found;
    return &tracks_.back();
  }

  void take_choice(const json::Value& choice, const json::Value& delta_or_message, size_t position,
                   Whole whole, Arena& arena, EventSink& sink) {
    if (!choice.is_object()) return;
    Track* track = track_of(choice["index"].int_or(static_cast<int64_t>(position)));
    if (track == nullptr) return;
    const json::Value* message = &delta_or_message;
    // Some servers send a whole message in a stream, or a delta in a whole answer.
    if (!message->is_object()) message = &choice[whole == Whole::yes ? "delta" : "message"];
    if (message->is_object()) {
      take_message(*track, *message, choice["logprobs"]["content"], whole, arena, sink);
    }
    if (const auto word = choice["finish_reason"].str(); !word.empty()) {
      finish_track(*track, finish_of(word), word, sink);
    }
  }

  void take_message(Track& track, const json::Value& message, const json::Value& logprobs,
                    Whole whole, Arena& arena, EventSink& sink) {
    Lane& lane = *track.lane;
    take_reasoning(track, message, whole, sink);
    const auto& content = message["content"];
    if (content.is_string()) {
      take_text(track, content.str(), logprobs, sink);
    } else {
      for (const auto& part : content.items()) {
        if (part["type"].str() == "refusal") {
          text(lane, sink, PartKind::refusal, part["refusal"].str());
        } else if (part["type"].str() == "thinking") {
          for (const auto& piece : part["thinking"].items()) {
            text(lane, sink, PartKind::reasoning, piece["text"].str());
          }
          text(lane, sink, PartKind::reasoning, part["thinking"].str());
        } else {
          take_text(track, part["text"].str(), logprobs, sink);
        }
      }
    }
    text(lane, sink, PartKind::refusal, message["refusal"].str());
    take_annotations(track, message["annotations"], sink);
    take_audio(track, message["audio"]);
    size_t position = 0;
    const auto& calls = message["tool_calls"];
    for (const auto& call : calls.items()) take_call(track, call, position++, calls.size(), sink);
    if (const auto& call = message["function_call"]; call.is_object()) {
      take_function(track, find_call(track, -1, {}, {}, Call::Kind::function), call["name"].str(),
                    call["arguments"], sink);
    }
  }

  void take_text(Track& track, std::string_view data, const json::Value& logprobs,
                 EventSink& sink) {
    if (data.empty()) return;
    text(*track.lane, sink, PartKind::text, data, logprobs);
    track.text_part = track.lane->part;
    track.any_text = true;
  }

  void take_reasoning(Track& track, const json::Value& message, Whole whole, EventSink& sink) {
    Lane& lane = *track.lane;
    const auto& blocks = message["thinking_blocks"];
    bool blocks_have_text = false;
    for (const auto& block : blocks.items()) {
      blocks_have_text = blocks_have_text || !block["thinking"].str().empty();
    }
    auto words = message["reasoning_content"].str();
    if (words.empty()) words = message["reasoning"].str();
    // A whole message has the same text in both; the blocks say where it is cut.
    if (!(whole == Whole::yes && blocks_have_text)) text(lane, sink, PartKind::reasoning, words);
    if (!words.empty()) track.thinking_text = whole == Whole::no;
    for (const auto& block : blocks.items()) {
      if (block["type"].str() == "redacted_thinking") {
        close(lane, sink);
        Event event;
        event.part_kind = PartKind::reasoning;
        event.redacted = true;
        const auto part = begin(lane, sink, event);
        opaque(lane, sink, part, Protocol::claude, block["data"].str());
        part_end(lane, sink, part);
        continue;
      }
      if (!track.thinking_text) text(lane, sink, PartKind::reasoning, block["thinking"].str());
      if (const auto signature = block["signature"].str(); !signature.empty()) {
        open_text(lane, sink, PartKind::reasoning);
        opaque(lane, sink, lane.part, Protocol::claude, signature);
        close(lane, sink);
        track.thinking_text = false;
      }
    }
  }

  void take_annotations(Track& track, const json::Value& annotations, EventSink& sink) {
    for (const auto& annotation : annotations.items()) {
      const auto& said = annotation["url_citation"];
      if (!said.is_object()) continue;
      if (!track.any_text) continue;
      Citation citation;
      citation.origin = Protocol::openai_chat;
      citation.unit = Citation::Unit::code_points;
      citation.url = said["url"].str();
      citation.title = said["title"].str();
      citation.start = text_offset(said["start_index"]);
      citation.end = text_offset(said["end_index"]);
      citation.raw = annotation;
      Event event;
      event.kind = EventKind::cite;
      event.candidate = track.lane->candidate;
      event.part = track.text_part;
      event.citation = &citation;
      sink.on(event);
    }
  }

  void take_audio(Track& track, const json::Value& audio) {
    if (!audio.is_object()) return;
    const auto room = context_.options.max_response_bytes;
    if (track.audio_data.size() + audio["data"].str().size() > room) return;
    if (const auto id = audio["id"].str(); !id.empty()) track.audio_id = id;
    track.audio_data += audio["data"].str();
    track.audio_transcript += audio["transcript"].str();
    track.audio_expires = audio["expires_at"].int_or(track.audio_expires);
  }

  void flush_audio(EventSink& sink) {
    for (auto& track : tracks_) {
      if (track.audio_data.empty() && track.audio_transcript.empty()) continue;
      close(*track.lane, sink);
      Arena arena;
      auto raw = json::Value::object();
      raw.add(arena, "mimeType", json::Value::string("audio/wav"));
      raw.add(arena, "data", json::Value::string(track.audio_data));
      raw.add(arena, "id", json::Value::string(track.audio_id));
      raw.add(arena, "transcript", json::Value::string(track.audio_transcript));
      raw.add(arena, "expires_at", json::Value::integer(arena, track.audio_expires));
      Event event;
      event.part_kind = PartKind::audio;
      event.raw = raw;
      part_end(*track.lane, sink, begin(*track.lane, sink, event));
      track.audio_data.clear();
      track.audio_transcript.clear();
    }
  }

  // The call a delta belongs to. `key` < -1: the delta had no index.
  CallState& find_call(Track& track, int64_t key, std::string_view id, std::string_view name,
                       Call::Kind kind) {
    auto& calls = track.calls;
    for (size_t i = calls.size(); i-- > 0;) {
      auto& call = calls[i];
      if (key >= -1 ? call.key == key : !id.empty() && call.id == id) {
        // One index for several calls, told apart by their ids.
        const bool other = !id.empty() && !name.empty() && !call.id.empty() && call.id != id;
        if (!other) return call;
        break;
      }
    }
    if (key < -1 && id.empty() && !calls.empty()) return calls.back();
    auto& call = calls.emplace_back();
    call.key = key >= -1 ? key : static_cast<int64_t>(calls.size()) - 1;
    call.kind = kind;
    return call;
  }

  void take_call(Track& track, const json::Value& said, size_t position, size_t siblings,
                 EventSink& sink) {
    if (!said.is_object()) return;
    const auto id = said["id"].str();
    const bool custom = said["custom"].is_object() || said["type"].str() == "custom";
    const auto& body = custom ? said["custom"] : said["function"];
    const auto name = body["name"].str();
    int64_t key = -2;
    if (const auto index = said["index"].as_int(); index && *index >= 0) {
      key = *index;
    } else if (id.empty() && siblings > 1) {
      key = static_cast<int64_t>(position);
    }
    CallState& call =
        find_call(track, key, id, name, custom ? Call::Kind::custom : Call::Kind::function);
    if (call.id.empty()) call.id = id;
    if (const auto signature = said["extra_content"]["google"]["thought_signature"].str();
        !signature.empty() && !call.started) {
      call.signature = signature;
    }
    take_function(track, call, name, body[custom ? "input" : "arguments"], sink);
  }

  void take_function(Track& track, CallState& call, std::string_view name,
                     const json::Value& arguments, EventSink& sink) {
    if (call.ended) return;
    Lane& lane = *track.lane;
    if (!call.started && !name.empty()) {
      call.name = name;
      start_call(track, call, sink);
    }
    std::string owned;
    std::string_view piece = arguments.str();
    if (arguments.is_object()) {
      owned = json::write(arguments);
      piece = owned;
    }
    if (piece.empty()) return;
    if (call.started) {
      delta(lane, sink, call.part, PartKind::call, piece);
    } else if (call.pending.size() + piece.size() <= context_.options.max_response_bytes) {
      call.pending += piece;
    }
  }

  void start_call(Track& track, CallState& call, EventSink& sink) {
    Lane& lane = *track.lane;
    close(lane, sink);
    Event event;
    event.part_kind = PartKind::call;
    event.call_kind = call.kind;
    event.id = call.id;
    event.name = call.name;
    if (!call.signature.empty()) {
      event.opaque.proto = Protocol::gemini;
      event.opaque.bytes = call.signature;
    }
    call.part = begin(lane, sink, event);
    call.started = true;
    delta(lane, sink, call.part, PartKind::call, call.pending);
    call.pending.clear();
    call.pending.shrink_to_fit();
  }

  void finish_track(Track& track, FinishReason reason, std::string_view word, EventSink& sink) {
    Lane& lane = *track.lane;
    if (lane.finished) return;
    close(lane, sink);
    for (auto& call : track.calls) {
      if (call.ended) continue;
      if (!call.started) {
        call.name = "unknown";
        start_call(track, call, sink);
      }
      part_end(lane, sink, call.part);
      call.ended = true;
    }
    const bool audio = !track.audio_data.empty() || !track.audio_transcript.empty();
    if (audio) lane.content = true;
    if (lane.calls && reason != FinishReason::length && reason != FinishReason::filtered) {
      reason = FinishReason::tool_calls;
    } else if (reason == FinishReason::tool_calls && !lane.calls) {
      // A call that never came: with nothing to show for it, an agent would loop on the answer.
      reason = lane.content ? FinishReason::stop : FinishReason::bad_call;
    }
    flush_audio(sink);
    Finish finish_word;
    finish_word.reason = reason;
    finish_word.native = word;
    finish(lane, sink, finish_word);
  }

  std::deque<Track> tracks_;
  std::string tier_;
  TokenUsage usage_;
};

}  // namespace

std::unique_ptr<AnswerDecoder> make_chat_decoder(const AnswerContext& context) {
  return std::make_unique<ChatDecoder>(context);
}

}  // namespace gproxy::translate
