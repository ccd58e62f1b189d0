// Gemini answers -> neutral events (wire-formats 4.2.4). A chunk of a stream and a whole answer
// have one shape: the whole answer is a stream of one chunk.
#include <algorithm>
#include <deque>
#include <memory>

#include "base/strings.h"
#include "translate/answer_common.h"
#include "translate/answer_decoder.h"
#include "translate/gemini/answer.h"
#include "translate/gemini/partial_args.h"
#include "translate/usage_map.h"

namespace gproxy::translate {

namespace {

// proto3 JSON: both spellings of a member.
const json::Value& pick(const json::Value& object, std::string_view camel, std::string_view snake) {
  const auto* value = object.find(camel);
  return value != nullptr ? *value : object[snake];
}

// A list, or a single element where a list is expected.
std::span<const json::Value> list_of(const json::Value& value) {
  if (value.is_array()) return value.items();
  if (value.is_null()) return {};
  return {&value, 1};
}

FinishReason finish_of(std::string_view word) {
  struct Row {
    std::string_view word;
    FinishReason reason;
  };
  static constexpr Row kRows[] = {
      {"STOP", FinishReason::stop},
      {"MAX_TOKENS", FinishReason::length},
      {"SAFETY", FinishReason::filtered},
      {"RECITATION", FinishReason::filtered},
      {"BLOCKLIST", FinishReason::filtered},
      {"PROHIBITED_CONTENT", FinishReason::filtered},
      {"SPII", FinishReason::filtered},
      {"NO_IMAGE", FinishReason::filtered},
      {"CONTINUATION", FinishReason::pause},
      {"MALFORMED_FUNCTION_CALL", FinishReason::bad_call},
      {"UNEXPECTED_TOOL_CALL", FinishReason::bad_call},
      {"TOO_MANY_TOOL_CALLS", FinishReason::bad_call},
  };
  for (const auto& row : kRows) {
    if (iequals(row.word, word)) return row.reason;
  }
  if (word.size() > 6 && iequals(word.substr(0, 6), "IMAGE_")) return FinishReason::filtered;
  return FinishReason::none;  // LANGUAGE, OTHER, and what is new
}

class GeminiDecoder final : public DecoderBase {
 public:
  explicit GeminiDecoder(const AnswerContext& context)
      : DecoderBase(Protocol::gemini, context), losses_(context.losses) {}

  Result<void> event(std::string_view, const json::Value& doc, Arena& arena,
                     EventSink& sink) override {
    if (!doc.is_object()) {
      return bad_upstream("upstream_invalid_response", "upstream sent an event that is no object");
    }
    if (const auto& error = doc["error"]; error.is_object() || error.is_string()) {
      const auto code = error["code"].int_or(0);
      return upstream_error(Protocol::gemini, doc,
                            code >= 400 && code < 600 ? static_cast<int>(code) : 0);
    }
    const auto& candidates = doc["candidates"];
    const auto& feedback = pick(doc, "promptFeedback", "prompt_feedback");
    const auto& usage_object = pick(doc, "usageMetadata", "usage_metadata");
    if (candidates.is_null() && !feedback.is_object() && !usage_object.is_object()) return ok();
    if (usage_object.is_object()) read_gemini_usage(usage_object, usage_);
    if (!started()) {
      start(sink, pick(doc, "responseId", "response_id").str(),
            pick(doc, "modelVersion", "model_version").str(), 0, usage_.known ? &usage_ : nullptr);
    }
    int64_t position = 0;
    for (const auto& candidate : list_of(candidates)) {
      take_candidate(candidate, candidate["index"].int_or(position++), arena, sink);
    }
    if (const auto why = pick(feedback, "blockReason", "block_reason").str();
        !why.empty() && !iequals(why, "BLOCK_REASON_UNSPECIFIED")) {
      Finish word;
      word.reason = FinishReason::filtered;
      word.native = why;
      word.explanation = pick(feedback, "blockReasonMessage", "block_reason_message").str(why);
      Track& track = track_of(*lane(0));
      close_calls(track, sink);
      close(*track.lane, sink);
      finish(*track.lane, sink, word);
    }
    if (usage_object.is_object()) usage(sink, usage_);
    return check_empty();
  }

  Result<void> end(EventSink& sink) override {
    if (ended_) return ok();
    return complete(sink, FinishReason::none);
  }

  Result<void> answer(const json::Value& doc, Arena& arena, EventSink& sink) override {
    for (const auto& chunk : list_of(doc)) {
      GP_CHECK(event({}, chunk, arena, sink));
    }
    if (!started()) {
      return bad_upstream("upstream_invalid_response", "upstream answered without candidates");
    }
    for (auto& track : tracks_) {
      close_calls(track, sink);
      close(*track.lane, sink);
    }
    // The answer is whole: a missing word about its end is no sign of a cut.
    return complete(sink, FinishReason::stop);
  }

 private:
  struct Track {
    Lane* lane = nullptr;
    uint32_t first_text = 0;
    bool any_text = false;
    std::deque<uint32_t> texts;            // text parts in order, the newest kMaxTexts
    std::unique_ptr<PartialArgs> partial;  // of a call that will continue
    uint32_t partial_part = 0;
    bool thought_unsigned = false;  // the open thought has no signature of its own
  };
  static constexpr size_t kMaxTexts = 64;

  Track& track_of(Lane& lane) {
    for (auto& track : tracks_) {
      if (track.lane == &lane) return track;
    }
    tracks_.emplace_back().lane = &lane;
    return tracks_.back();
  }

  void take_candidate(const json::Value& said, int64_t index, Arena& arena, EventSink& sink) {
    Lane* found = lane(index);
    if (found == nullptr || !said.is_object()) return;
    Lane& lane = *found;
    Track& track = track_of(lane);
    logprobs_ = json::Value();
    if (const auto& result = pick(said, "logprobsResult", "logprobs_result"); result.is_object()) {
      logprobs_ = openai_logprobs(result, arena);
    }
    for (const auto& part : list_of(said["content"]["parts"])) take_part(track, part, sink);
    if (const auto& grounding = pick(said, "groundingMetadata", "grounding_metadata");
        grounding.is_object()) {
      take_grounding(track, grounding, sink);
    }
    const auto word = pick(said, "finishReason", "finish_reason").str();
    if (word.empty() || iequals(word, "FINISH_REASON_UNSPECIFIED")) return;
    close_calls(track, sink);
    close(lane, sink);
    Finish finish_word;
    finish_word.reason = finish_of(word);
    finish_word.native = word;
    finish_word.explanation = pick(said, "finishMessage", "finish_message").str();
    const auto reason = finish_word.reason;
    if (lane.calls && reason != FinishReason::length && reason != FinishReason::filtered) {
      finish_word.reason = FinishReason::tool_calls;
    } else if (reason == FinishReason::none) {
      finish_word.reason = lane.content ? FinishReason::stop : FinishReason::error;
    }
    finish(lane, sink, finish_word);
  }

  void take_part(Track& track, const json::Value& part, EventSink& sink) {
    if (!part.is_object()) return;
    Lane& lane = *track.lane;
    const auto signature = pick(part, "thoughtSignature", "thought_signature").str();
    if (const auto* words = part.find("text"); words != nullptr && words->is_string()) {
      return take_text(track, words->str(), part["thought"].as_bool(), signature, sink);
    }
    if (const auto& call = pick(part, "functionCall", "function_call"); call.is_object()) {
      return take_call(track, call, signature, sink);
    }
    Event event;
    const auto& code = pick(part, "executableCode", "executable_code");
    const auto& result = pick(part, "codeExecutionResult", "code_execution_result");
    const auto& inline_data = pick(part, "inlineData", "inline_data");
    if (code.is_object()) {
      close(lane, sink);
      event.part_kind = PartKind::code;
      event.name = code["language"].str();
      whole_part(lane, event, code["code"].str(), sink);
    } else if (result.is_object()) {
      close(lane, sink);
      event.part_kind = PartKind::code_result;
      event.name = result["outcome"].str();
      whole_part(lane, event, result["output"].str(), sink);
    } else if (inline_data.is_object()) {
      close(lane, sink);
      const auto mime = pick(inline_data, "mimeType", "mime_type").str();
      event.part_kind = mime.starts_with("audio/")   ? PartKind::audio
                        : mime.starts_with("image/") ? PartKind::image
                                                     : PartKind::raw;
      event.raw = event.part_kind == PartKind::raw ? part : inline_data;
      event.name = "inlineData";
      part_end(lane, sink, begin(lane, sink, event));
    } else if (!part.empty() && !(part.size() == 1 && part.has("thought")) && signature.empty()) {
      if (context_.request.client != Protocol::gemini) {
        // No place for it elsewhere: it must not part the text around it.
        return losses_.lose(AnswerLoss::unknown, Protocol::gemini);
      }
      close(lane, sink);
      event.part_kind = PartKind::raw;
      event.name = part.members()[0].key;
      event.raw = part;
      part_end(lane, sink, begin(lane, sink, event));
    } else if (!signature.empty()) {
      take_text(track, {}, part["thought"].as_bool(), signature, sink);
    }
  }

  void whole_part(Lane& lane, const Event& event, std::string_view data, EventSink& sink) {
    const auto part = begin(lane, sink, event);
    delta(lane, sink, part, event.part_kind, data);
    part_end(lane, sink, part);
  }

  void take_text(Track& track, std::string_view words, bool thought, std::string_view signature,
                 EventSink& sink) {
    Lane& lane = *track.lane;
    const PartKind kind = thought ? PartKind::reasoning : PartKind::text;
    if (words.empty()) {
      // Nothing but a signature belongs to the part before.
      if (signature.empty()) return;
      if (!lane.any_part) open_text(lane, sink, kind);
      return opaque(lane, sink, lane.last_part, Protocol::gemini, signature);
    }
    if (!thought && !signature.empty() && lane.open && lane.kind == PartKind::reasoning &&
        track.thought_unsigned && context_.request.client != Protocol::gemini) {
      // Elsewhere the state stands with the thought that it seals.
      opaque(lane, sink, lane.part, Protocol::gemini, signature);
      signature = {};
    }
    open_text(lane, sink, kind);
    track.thought_unsigned = thought && signature.empty();
    if (!thought && (track.texts.empty() || track.texts.back() != lane.part)) {
      if (track.texts.size() >= kMaxTexts) track.texts.pop_front();
      track.texts.push_back(lane.part);
    }
    if (!signature.empty()) opaque(lane, sink, lane.part, Protocol::gemini, signature);
    delta(lane, sink, lane.part, kind, words, thought ? json::Value() : logprobs_);
    if (!thought) logprobs_ = json::Value();
  }

  void take_call(Track& track, const json::Value& said, std::string_view signature,
                 EventSink& sink) {
    Lane& lane = *track.lane;
    const auto& pieces = pick(said, "partialArgs", "partial_args");
    const bool more = pick(said, "willContinue", "will_continue").as_bool();
    const auto name = said["name"].str();
    const bool continues = track.partial != nullptr && name.empty();
    if (!continues) {
      if (!pieces.is_array() && !more && name.empty() && said["args"].empty()) return;
      close_calls(track, sink);
      close(lane, sink);
      Event event;
      event.part_kind = PartKind::call;
      event.id = said["id"].str();
      event.name = name;
      if (!signature.empty()) {
        event.opaque.proto = Protocol::gemini;
        event.opaque.family = context_.request.family;
        event.opaque.bytes = signature;
      }
      const auto part = begin(lane, sink, event);
      if (!pieces.is_array() && !more) {
        delta(lane, sink, part, PartKind::call,
              said["args"].is_object() ? json::write(said["args"]) : std::string("{}"));
        return part_end(lane, sink, part);
      }
      track.partial = std::make_unique<PartialArgs>();
      track.partial_part = part;
    }
    for (const auto& piece : pieces.items()) track.partial->add(piece);
    if (!more) close_calls(track, sink);
  }

  void close_calls(Track& track, EventSink& sink) {
    if (track.partial == nullptr) return;
    delta(*track.lane, sink, track.partial_part, PartKind::call, track.partial->text());
    part_end(*track.lane, sink, track.partial_part);
    track.partial.reset();
  }

  // groundingChunks are the sources, groundingSupports the spans that lean on them, in bytes.
  void take_grounding(Track& track, const json::Value& grounding, EventSink& sink) {
    if (track.texts.empty()) return;
    const auto& chunks = pick(grounding, "groundingChunks", "grounding_chunks");
    for (const auto& support : pick(grounding, "groundingSupports", "grounding_supports").items()) {
      const auto& segment = support["segment"];
      const auto part = static_cast<size_t>(
          std::max<int64_t>(0, pick(segment, "partIndex", "part_index").int_or(0)));
      for (const auto& index :
           pick(support, "groundingChunkIndices", "grounding_chunk_indices").items()) {
        const auto at = index.int_or(-1);
        if (at < 0 || static_cast<size_t>(at) >= chunks.size()) continue;
        const auto& web = chunks[static_cast<size_t>(at)]["web"];
        Citation citation;
        citation.origin = Protocol::gemini;
        citation.unit = Citation::Unit::utf8_bytes;
        citation.url = web["uri"].str();
        citation.title = web["title"].str();
        citation.cited_text = segment["text"].str();
        citation.start =
            std::max<int64_t>(0, text_offset(pick(segment, "startIndex", "start_index")));
        citation.end = text_offset(pick(segment, "endIndex", "end_index"));
        Event event;
        event.kind = EventKind::cite;
        event.candidate = track.lane->candidate;
        event.part = track.texts[part < track.texts.size() ? part : track.texts.size() - 1];
        event.citation = &citation;
        sink.on(event);
      }
    }
  }

  // {chosenCandidates:[{token,logProbability}],topCandidates:[{candidates:[…]}]} in OpenAI's shape.
  static json::Value openai_logprobs(const json::Value& result, Arena& arena) {
    auto list = json::Value::array();
    const auto& chosen = pick(result, "chosenCandidates", "chosen_candidates");
    const auto& top = pick(result, "topCandidates", "top_candidates");
    size_t at = 0;
    for (const auto& token : chosen.items()) {
      auto item = one_token(token, arena);
      auto others = json::Value::array();
      if (at < top.size()) {
        for (const auto& other : top[at]["candidates"].items()) {
          others.push(arena, one_token(other, arena));
        }
      }
      ++at;
      item.add(arena, "top_logprobs", others);
      list.push(arena, item);
    }
    return list;
  }
  static json::Value one_token(const json::Value& said, Arena& arena) {
    auto item = json::Value::object();
    item.add(arena, "token", json::Value::string(said["token"].str()));
    const auto& probability = pick(said, "logProbability", "log_probability");
    item.add(arena, "logprob",
             probability.is_number() ? probability : json::Value::integer(arena, 0));
    auto bytes = json::Value::array();
    for (const char c : said["token"].str()) {
      bytes.push(arena, json::Value::integer(arena, static_cast<unsigned char>(c)));
    }
    item.add(arena, "bytes", bytes);
    return item;
  }

  std::deque<Track> tracks_;
  json::Value logprobs_;
  TokenUsage usage_;
  AnswerLosses losses_;
};

}  // namespace

std::unique_ptr<AnswerDecoder> make_gemini_decoder(const AnswerContext& context) {
  return std::make_unique<GeminiDecoder>(context);
}

}  // namespace gproxy::translate
