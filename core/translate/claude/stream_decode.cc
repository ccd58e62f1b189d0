// Claude Messages answers -> neutral events (wire-formats 4.2.3).
#include <vector>

#include "translate/answer_common.h"
#include "translate/answer_decoder.h"
#include "translate/claude/answer.h"
#include "translate/usage_map.h"

namespace gproxy::translate {

namespace {

FinishReason finish_of(std::string_view word) {
  if (word == "end_turn") return FinishReason::stop;
  if (word == "tool_use") return FinishReason::tool_calls;
  if (word == "max_tokens") return FinishReason::length;
  if (word == "model_context_window_exceeded") return FinishReason::context;
  if (word == "stop_sequence") return FinishReason::stop_sequence;
  if (word == "refusal") return FinishReason::filtered;
  if (word == "pause_turn") return FinishReason::pause;
  return FinishReason::stop;
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  for (const auto candidate : words) {
    if (candidate == word) return true;
  }
  return false;
}

// Blocks of tools that ran at the source: calls, results and what they left in a container.
bool is_server_block(std::string_view type) {
  return type.ends_with("_tool_use") || type.ends_with("_tool_result") ||
         type == "container_upload";
}

class ClaudeDecoder final : public DecoderBase {
 public:
  explicit ClaudeDecoder(const AnswerContext& context)
      : DecoderBase(Protocol::claude, context), losses_(context.losses) {}

  Result<void> event(std::string_view name, const json::Value& doc, Arena&,
                     EventSink& sink) override {
    if (!doc.is_object()) {
      return bad_upstream("upstream_invalid_response", "upstream sent an event that is no object");
    }
    // Where the event field and the data differ, the data is right.
    const auto type = doc["type"].str(name);
    if (type == "content_block_delta") {
      take_delta(doc["index"].int_or(0), doc["delta"], sink);
    } else if (type == "content_block_start") {
      take_start(doc["index"].int_or(0), doc["content_block"], sink);
    } else if (type == "content_block_stop") {
      take_stop(doc["index"].int_or(0), sink);
    } else if (type == "message_start") {
      take_message(doc["message"], sink);
    } else if (type == "message_delta") {
      if (doc["usage"].is_object()) {
        read_claude_usage(doc["usage"], parts_, usage_);
        usage(sink, usage_);
      }
      take_finish(doc["delta"], sink);
    } else if (type == "message_stop") {
      close_all(sink);
      return complete(sink, FinishReason::stop);
    } else if (type == "error" || (type.empty() && doc.has("error"))) {
      return upstream_error(Protocol::claude, doc);
    }
    return ok();  // ping, and what a newer version may add
  }

  Result<void> end(EventSink& sink) override {
    if (!ended_) close_all(sink);
    return complete(sink, FinishReason::none);
  }

  Result<void> answer(const json::Value& doc, Arena&, EventSink& sink) override {
    if (!doc.is_object()) {
      return bad_upstream("upstream_invalid_response", "upstream answered with no object");
    }
    if (doc["type"].str() == "error" || doc.has("error")) {
      return upstream_error(Protocol::claude, doc);
    }
    if (!doc["content"].is_array()) {
      return bad_upstream("upstream_invalid_response", "upstream answered without content");
    }
    take_message(doc, sink);
    int64_t index = 0;
    for (const auto& block : doc["content"].items()) {
      take_start(index, block, sink);
      take_stop(index++, sink);
    }
    take_finish(doc, sink);
    if (Lane* lane = this->lane(0); !lane->finished) {
      Finish finish_word;
      finish_word.reason = implied_finish(lane->calls);
      finish(*lane, sink, finish_word);
    }
    return complete(sink, FinishReason::stop);
  }

 private:
  struct Block {
    int64_t index = 0;
    uint32_t part = 0;
    PartKind kind = PartKind::text;
    bool deltas = false;
    std::string input;  // given whole at the start
  };

  void take_message(const json::Value& message, EventSink& sink) {
    lane(0);
    if (message["usage"].is_object()) read_claude_usage(message["usage"], parts_, usage_);
    start(sink, message["id"].str(), message["model"].str(), 0, usage_.known ? &usage_ : nullptr);
    if (usage_.known) usage(sink, usage_);
  }

  Block* find(int64_t index) {
    for (auto& block : blocks_) {
      if (block.index == index) return &block;
    }
    return nullptr;
  }

  Block& open(int64_t index, Event event, EventSink& sink) {
    if (!started()) start(sink, {}, {}, 0);
    Lane& lane = *this->lane(0);
    event.joins_previous = event.part_kind == PartKind::text && previous_text_;
    previous_text_ = event.part_kind == PartKind::text;
    Block block;
    block.index = index;
    block.kind = event.part_kind;
    block.part = begin(lane, sink, event);
    blocks_.push_back(std::move(block));
    return blocks_.back();
  }

  void take_start(int64_t index, const json::Value& said, EventSink& sink) {
    if (find(index) != nullptr) take_stop(index, sink);
    const auto type = said["type"].str();
    Lane& lane = *this->lane(0);
    Event event;
    if (type == "text") {
      event.part_kind = PartKind::text;
      const auto& block = open(index, event, sink);
      delta(lane, sink, block.part, PartKind::text, said["text"].str());
      for (const auto& citation : said["citations"].items()) cite(block.part, citation, sink);
    } else if (type == "thinking") {
      event.part_kind = PartKind::reasoning;
      const auto& block = open(index, event, sink);
      delta(lane, sink, block.part, PartKind::reasoning, said["thinking"].str());
      if (const auto signature = said["signature"].str(); !signature.empty()) {
        opaque(lane, sink, block.part, Protocol::claude, signature);
      }
    } else if (type == "redacted_thinking") {
      event.part_kind = PartKind::reasoning;
      event.redacted = true;
      const auto& block = open(index, event, sink);
      opaque(lane, sink, block.part, Protocol::claude, said["data"].str());
    } else if (type == "tool_use") {
      event.part_kind = PartKind::call;
      event.id = said["id"].str();
      event.name = said["name"].str();
      auto& block = open(index, event, sink);
      if (!said["input"].empty()) block.input = json::write(said["input"]);
    } else if (!is_server_block(type) && context_.request.client != Protocol::claude) {
      // Newer than this code: it must not part the text around it.
      losses_.lose(AnswerLoss::unknown, Protocol::claude);
    } else {
      event.part_kind = PartKind::server;
      event.id = said["id"].str();
      event.name = type;
      event.raw = said;
      auto& block = open(index, event, sink);
      if (!said["input"].empty()) block.input = json::write(said["input"]);
    }
  }

  void take_delta(int64_t index, const json::Value& said, EventSink& sink) {
    const auto type = said["type"].str();
    Block* block = find(index);
    if (block == nullptr) {
      // Text is never dropped for want of its block's start.
      Event event;
      if (type == "thinking_delta") {
        event.part_kind = PartKind::reasoning;
      } else if (type != "text_delta") {
        return;
      }
      block = &open(index, event, sink);
    }
    Lane& lane = *this->lane(0);
    if (type == "text_delta") {
      delta(lane, sink, block->part, block->kind, said["text"].str());
    } else if (type == "input_json_delta") {
      const auto piece = said["partial_json"].str();
      if (!piece.empty()) block->deltas = true;
      delta(lane, sink, block->part, block->kind, piece);
    } else if (type == "thinking_delta") {
      delta(lane, sink, block->part, block->kind, said["thinking"].str());
    } else if (type == "signature_delta") {
      opaque(lane, sink, block->part, Protocol::claude, said["signature"].str());
    } else if (type == "citations_delta") {
      cite(block->part, said["citation"], sink);
    }
  }

  void take_stop(int64_t index, EventSink& sink) {
    for (size_t i = 0; i < blocks_.size(); ++i) {
      if (blocks_[i].index != index) continue;
      stop(blocks_[i], sink);
      blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(i));
      return;
    }
  }

  void stop(Block& block, EventSink& sink) {
    Lane& lane = *this->lane(0);
    if (!block.deltas && !block.input.empty()) {
      delta(lane, sink, block.part, block.kind, block.input);
    }
    part_end(lane, sink, block.part);
  }

  void close_all(EventSink& sink) {
    for (auto& block : blocks_) stop(block, sink);
    blocks_.clear();
  }

  void cite(uint32_t part, const json::Value& said, EventSink& sink) {
    if (!said.is_object()) return;
    Citation citation;
    citation.origin = Protocol::claude;
    citation.unit = Citation::Unit::whole_part;
    const auto type = said["type"].str();
    citation.kind = is_one_of(type, {"web_search_result_location", "search_result_location"})
                        ? Citation::Kind::url
                        : Citation::Kind::document;
    citation.url = said["url"].str(said["source"].str());
    citation.title = said["title"].str(said["document_title"].str());
    citation.cited_text = said["cited_text"].str();
    citation.encrypted_index = said["encrypted_index"].str();
    citation.file_id = said["file_id"].str();
    if (citation.kind == Citation::Kind::document && !citation.file_id.empty()) {
      citation.kind = Citation::Kind::file;
    }
    citation.raw = said;
    Event event;
    event.kind = EventKind::cite;
    event.part = part;
    event.citation = &citation;
    sink.on(event);
  }

  void take_finish(const json::Value& said, EventSink& sink) {
    const auto word = said["stop_reason"].str();
    if (word.empty()) return;
    if (!started()) start(sink, {}, {}, 0);
    Lane& lane = *this->lane(0);
    close_all(sink);
    Finish finish_word;
    finish_word.reason = finish_of(word);
    finish_word.native = word;
    if (finish_word.reason == FinishReason::stop && lane.calls) {
      finish_word.reason = FinishReason::tool_calls;
    } else if (finish_word.reason == FinishReason::tool_calls && !lane.calls) {
      finish_word.reason = lane.content ? FinishReason::stop : FinishReason::bad_call;
    }
    finish_word.stop_sequence = said["stop_sequence"].str();
    finish_word.explanation = said["stop_details"]["explanation"].str();
    finish_word.category = said["stop_details"]["category"].str();
    finish(lane, sink, finish_word);
  }

  std::vector<Block> blocks_;  // open ones
  ClaudeUsage parts_;
  AnswerLosses losses_;
  TokenUsage usage_;
  bool previous_text_ = false;
};

}  // namespace

std::unique_ptr<AnswerDecoder> make_claude_decoder(const AnswerContext& context) {
  return std::make_unique<ClaudeDecoder>(context);
}

}  // namespace gproxy::translate
