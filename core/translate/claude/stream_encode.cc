// Neutral events -> a Claude message, streamed or whole (wire-formats 4.3.3, 3.0).
#include "translate/answer_common.h"
#include "translate/arguments.h"
#include "translate/claude/answer.h"
#include "translate/claude/response_encode.h"
#include "translate/errors.h"
#include "translate/part_text.h"
#include "translate/seal.h"
#include "translate/sequential_parts.h"
#include "translate/usage_map.h"

namespace gproxy::translate {

namespace {

class ClaudeEncoder final : public AnswerEncoder {
 public:
  ClaudeEncoder(AnswerForm form, const AnswerContext& context)
      : context_(context),
        losses_(context.losses),
        upstream_(context.request.upstream),
        document_(form == AnswerForm::document),
        inner_(*this),
        sequence_(inner_) {}

  void on(const Event& event) override {
    if (ended_) return;
    if (event.candidate > 0) {
      losses_.lose(AnswerLoss::candidate, upstream_);
      return;
    }
    sequence_.on(event);
  }

  void fail(const Error& error) override {
    if (ended_) return;
    ended_ = true;
    *out_ += encode_stream_error(Protocol::claude, error, {});
  }

  size_t held_bytes() const override {
    return sizeof(*this) + sequence_.held_bytes() + text_.capacity() + content_.capacity() +
           signature_.capacity() + citations_.capacity();
  }

 private:
  enum class Block : uint8_t { none, text, thinking, redacted, tool, server, dropped };

  // Receives the events with their parts in a row.
  struct Inner final : EventSink {
    explicit Inner(ClaudeEncoder& encoder) : self(encoder) {}
    void on(const Event& event) override { self.take(event); }
    ClaudeEncoder& self;
  };

  void take(const Event& event) {
    switch (event.kind) {
      case EventKind::start:
        return start(event);
      case EventKind::part_start:
        return part_start(event);
      case EventKind::delta:
        return delta(event);
      case EventKind::opaque:
        return opaque(event);
      case EventKind::cite:
        return cite(*event.citation);
      case EventKind::part_end:
        return part_end();
      case EventKind::usage:
        usage_ = *event.usage;
        return;
      case EventKind::finish:
        return finish(*event.finish);
      case EventKind::eof:
        return eof();
      default:
        return;
    }
  }

  // ---- the message ------------------------------------------------------------------------------

  void start(const Event& event) {
    id_ = answer_id(event.id, "msg_", context_.ids);
    const auto& request = context_.request;
    model_ = context_.options.upstream_model_name || request.requested_model.empty()
                 ? std::string(event.name)
                 : request.requested_model;
    if (event.usage != nullptr) usage_ = *event.usage;
    if (document_) return;
    *out_ += "event: message_start\ndata: {\"type\":\"message_start\",\"message\":";
    json::Writer w(*out_);
    TokenUsage before = usage_;
    before.out_total = 0;
    before.reasoning_known = false;
    write_message_head(w);
    w.begin_array();
    w.end_array();
    write_message_tail(w, before, 0);
    *out_ += "}\n\n";
  }

  void write_message_head(json::Writer& w) {
    w.begin_object();
    w.field("id", id_);
    w.field("type", "message");
    w.field("role", "assistant");
    w.field("model", model_);
    w.key("content");
  }

  void write_message_tail(json::Writer& w, const TokenUsage& usage, int64_t estimated_output) {
    write_stop(w);
    w.key("diagnostics");
    w.null();
    w.key("usage");
    write_claude_usage(w, usage, ClaudeUsageForm::message, context_.request.estimated_input_tokens,
                       estimated_output);
    w.end_object();
  }

  // stop_reason and its companions: null until the finish is known and written.
  void write_stop(json::Writer& w) {
    w.key("stop_reason");
    reason_ == FinishReason::none ? w.null() : w.string(claude::stop_reason(reason_, origin_));
    w.key("stop_sequence");
    reason_ == FinishReason::stop_sequence ? w.string(stop_sequence_) : w.null();
    w.key("stop_details");
    claude::write_stop_details(w, reason_, category_, explanation_);
    w.key("container");
    w.null();
  }

  void finish(const Finish& said) {
    pending_ = said.reason;
    origin_ = said.origin;
    stop_sequence_ = said.stop_sequence;
    explanation_ = said.explanation;
    category_ = said.origin == Protocol::claude ? said.category : std::string_view();
  }

  void eof() {
    close_block();
    reason_ = pending_;
    const int64_t estimate = static_cast<int64_t>(visible_bytes_ / 4);
    json::Writer w(*out_);
    if (document_) {
      write_message_head(w);
      w.raw("[");
      *out_ += content_;
      *out_ += ']';
      write_message_tail(w, usage_, estimate);
    } else {
      *out_ += "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":";
      json::Writer d(*out_);
      d.begin_object();
      write_stop(d);
      d.end_object();
      *out_ += ",\"usage\":";
      json::Writer u(*out_);
      write_claude_usage(u, usage_, ClaudeUsageForm::delta, context_.request.estimated_input_tokens,
                         estimate);
      *out_ += "}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    }
    ended_ = true;
  }

  // ---- parts ------------------------------------------------------------------------------------

  void part_start(const Event& event) {
    kind_ = event.part_kind;
    if (event.part_kind != PartKind::call) close_block();
    switch (event.part_kind) {
      case PartKind::text:
      case PartKind::refusal:
        block_ = Block::text;
        return;
      case PartKind::code:
      case PartKind::code_result:
        block_ = Block::text;
        losses_.lose(AnswerLoss::code, upstream_);
        text_delta(fence_open(event.part_kind, event.name));
        return;
      case PartKind::reasoning:
        if (!context_.request.thinking_enabled) {
          block_ = Block::dropped;
          losses_.lose(AnswerLoss::reasoning, upstream_);
        } else {
          block_ = event.redacted ? Block::redacted : Block::thinking;
        }
        return;
      case PartKind::call:
        return call_start(event);
      case PartKind::image:
        block_ = Block::text;
        losses_.lose(AnswerLoss::media, upstream_);
        text_delta(image_text(event.raw, context_.options));
        return;
      case PartKind::audio:
        block_ = Block::text;
        losses_.lose(AnswerLoss::audio, upstream_);
        text_delta(audio_text(event.raw));
        return;
      case PartKind::server:
        if (upstream_ != Protocol::claude) break;
        return server_start(event);
      default:
        break;
    }
    block_ = Block::dropped;
    losses_.lose(kind_ == PartKind::server ? AnswerLoss::server_tool : AnswerLoss::media,
                 upstream_);
  }

  void delta(const Event& event) {
    switch (block_) {
      case Block::text:
        text_delta(event.data);
        return;
      case Block::thinking:
        thinking_delta(event.data);
        return;
      case Block::tool:
        input_delta(event.data);
        return;
      case Block::server:
        input_delta(event.data);
        return;
      default:
        return;
    }
  }

  void part_end() {
    if (kind_ == PartKind::code || kind_ == PartKind::code_result) text_delta(kFenceClose);
    // Gemini may still hand this thought's signature over on the call that follows.
    if (block_ == Block::thinking && upstream_ == Protocol::gemini) return;
    close_block();
  }

  void opaque(const Event& event) {
    const auto slot = event.opaque.proto == Protocol::claude
                          ? std::string(event.opaque.bytes)
                          : seal(event.opaque.proto, event.opaque.bytes,
                                 block_ == Block::redacted ? Redacted::yes : Redacted::no);
    if (block_ == Block::thinking || block_ == Block::redacted) {
      signature_ = event.opaque.proto == Protocol::claude ? signature_ + slot : slot;
    } else if (!context_.request.thinking_enabled) {
      losses_.lose(AnswerLoss::signature, upstream_);
    } else if (block_ != Block::dropped) {
      // A signature on text: an empty thinking block carries it at this point.
      const Block before = block_;
      close_block();
      carry(slot);
      if (before == Block::text) block_ = Block::text;
    }
  }

  // A thinking block that has nothing but a signature.
  void carry(const std::string& slot) {
    block_ = Block::thinking;
    signature_ = slot;
    close_block();
  }

  void cite(const Citation& citation) {
    if (citation.origin != Protocol::claude || block_ != Block::text) {
      losses_.lose(AnswerLoss::citation, upstream_);
      return;
    }
    if (document_) {
      if (!citations_.empty()) citations_ += ',';
      json::write_to(citation.raw, citations_);
      if (!open_) open_text();
      return;
    }
    if (!open_) open_text();
    begin_delta("citations_delta", "\"citation\":");
    json::write_to(citation.raw, *out_);
    end_delta();
  }

  void call_start(const Event& event) {
    const auto& request = context_.request;
    std::string id(event.id);
    if (id.empty()) id = context_.ids.next("toolu_");
    if (event.opaque) {
      const auto slot = event.opaque.proto == Protocol::claude
                            ? std::string(event.opaque.bytes)
                            : seal(event.opaque.proto, event.opaque.bytes);
      if (request.thinking_enabled) {
        if (block_ == Block::thinking && signature_.empty()) {
          signature_ = slot;
        } else {
          close_block();
          carry(slot);
        }
      } else if (context_.options.opaque_cache != nullptr) {
        context_.options.opaque_cache->keep(id, slot);
      } else {
        losses_.lose(AnswerLoss::signature, upstream_);
      }
    }
    close_block();
    const auto* tool = request.find_tool(event.name);
    const std::string_view name = tool != nullptr ? std::string_view(tool->original) : event.name;
    std::string full;
    if (tool == nullptr && !event.name_space.empty()) {
      full = std::string(event.name_space) + "__" + std::string(event.name);
    }
    block_ = Block::tool;
    open_ = true;
    wrap_ = event.call_kind == Call::Kind::custom;
    begin_block();
    std::string& to = document_ ? content_ : *out_;
    json::Writer w(to);
    w.begin_object();
    w.field("type", "tool_use");
    w.field("id", id);
    w.field("name", full.empty() ? name : std::string_view(full));
    if (document_) {
      to += ",\"caller\":{\"type\":\"direct\"},\"input\":";
      text_.clear();
    } else {
      to += ",\"input\":{},\"caller\":{\"type\":\"direct\"}}}\n\n";
    }
    visible_bytes_ += name.size() + 16;
    if (wrap_) raw_input_delta("{\"input\":\"");
  }

  void server_start(const Event& event) {
    block_ = Block::server;
    open_ = true;
    wrap_ = false;
    begin_block();
    std::string& to = document_ ? content_ : *out_;
    if (!document_ || !event.raw.has("input")) {
      json::write_to(event.raw, to);
      if (!document_) to += "}\n\n";
      server_input_ = false;
      text_.clear();
      return;
    }
    // The input comes as deltas: everything else of the block now, the input when it is complete.
    server_input_ = true;
    text_.clear();
    json::Writer w(to);
    w.begin_object();
    for (const auto& member : event.raw.members()) {
      if (member.key == "input") continue;
      w.key(member.key);
      w.value(member.value);
    }
    to += ",\"input\":";
  }

  // ---- blocks -----------------------------------------------------------------------------------

  void begin_block() {
    if (document_) {
      if (index_ > 0) content_ += ',';
      return;
    }
    *out_ += "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":";
    *out_ += std::to_string(index_);
    *out_ += ",\"content_block\":";
  }

  void open_text() {
    open_ = true;
    begin_block();
    if (document_) {
      text_.clear();
    } else {
      *out_ += "{\"type\":\"text\",\"text\":\"\",\"citations\":null}}\n\n";
    }
  }

  void open_thinking() {
    open_ = true;
    begin_block();
    if (document_) {
      text_.clear();
    } else {
      *out_ += "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n";
    }
  }

  void begin_delta(std::string_view type, std::string_view member) {
    *out_ += "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":";
    *out_ += std::to_string(index_);
    *out_ += ",\"delta\":{\"type\":\"";
    *out_ += type;
    *out_ += "\",";
    *out_ += member;
  }
  void end_delta() { *out_ += "}}\n\n"; }

  void text_delta(std::string_view data) {
    if (data.empty()) return;
    visible_bytes_ += data.size();
    if (!open_) open_text();
    if (document_) {
      text_ += data;
      return;
    }
    begin_delta("text_delta", "\"text\":");
    json::write_string(data, *out_);
    end_delta();
  }

  void thinking_delta(std::string_view data) {
    // With display omitted the client wants the block's signature alone.
    if (data.empty() || context_.request.thinking_hidden) return;
    visible_bytes_ += data.size();
    if (!open_) open_thinking();
    if (document_) {
      text_ += data;
      return;
    }
    begin_delta("thinking_delta", "\"thinking\":");
    json::write_string(data, *out_);
    end_delta();
  }

  void input_delta(std::string_view data) {
    if (data.empty()) return;
    visible_bytes_ += data.size();
    if (!wrap_) {
      raw_input_delta(data);
      return;
    }
    // A custom tool's free text becomes a JSON string, piece by piece.
    std::string quoted;
    json::write_string(data, quoted);
    raw_input_delta(std::string_view(quoted).substr(1, quoted.size() - 2));
  }

  void raw_input_delta(std::string_view data) {
    if (document_) {
      text_ += data;
      return;
    }
    begin_delta("input_json_delta", "\"partial_json\":");
    json::write_string(data, *out_);
    end_delta();
  }

  void close_block() {
    switch (block_) {
      case Block::text:
        if (open_) close_text();
        break;
      case Block::thinking:
        if (!open_ && !signature_.empty()) open_thinking();
        if (open_) close_thinking();
        break;
      case Block::redacted:
        if (!signature_.empty()) redacted();
        break;
      case Block::tool:
        close_tool();
        break;
      case Block::server:
        if (document_ && server_input_) {
          content_ += is_blank_json(text_) ? std::string_view("{}") : std::string_view(text_);
          content_ += '}';
        }
        stop();
        break;
      default:
        break;
    }
    block_ = Block::none;
    open_ = false;
    signature_.clear();
    citations_.clear();
  }

  void stop() {
    if (!document_) {
      *out_ += "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":";
      *out_ += std::to_string(index_);
      *out_ += "}\n\n";
    }
    ++index_;
  }

  void close_text() {
    if (document_) {
      json::Writer w(content_);
      w.begin_object();
      w.field("type", "text");
      w.field("text", text_);
      w.key("citations");
      if (citations_.empty()) {
        w.null();
      } else {
        w.raw("[" + citations_ + "]");
      }
      w.end_object();
    }
    stop();
  }

  void close_thinking() {
    if (document_) {
      json::Writer w(content_);
      w.begin_object();
      w.field("type", "thinking");
      w.field("thinking", text_);
      w.field("signature", signature_);
      w.end_object();
    } else if (!signature_.empty()) {
      begin_delta("signature_delta", "\"signature\":");
      json::write_string(signature_, *out_);
      end_delta();
    }
    stop();
  }

  void redacted() {
    begin_block();
    std::string& to = document_ ? content_ : *out_;
    json::Writer w(to);
    w.begin_object();
    w.field("type", "redacted_thinking");
    w.field("data", signature_);
    w.end_object();
    if (!document_) to += "}\n\n";
    stop();
  }

  void close_tool() {
    if (wrap_) raw_input_delta("\"}");
    if (document_) {
      Arena arena;
      const auto input = args_object(text_, arena);
      if (!is_blank_json(text_) && (input.has("_raw_arguments") || input.has("value"))) {
        losses_.lose(AnswerLoss::raw_arguments, upstream_);
      }
      json::write_to(input, content_);
      content_ += '}';
    }
    stop();
  }

  AnswerContext context_;
  AnswerLosses losses_;
  Protocol upstream_;
  bool document_;
  Inner inner_;
  SequentialParts sequence_;

  std::string id_, model_;
  TokenUsage usage_;
  FinishReason pending_ = FinishReason::stop;  // said, not yet written
  FinishReason reason_ = FinishReason::none;
  Protocol origin_ = Protocol::none;
  std::string stop_sequence_, explanation_, category_;

  PartKind kind_ = PartKind::text;
  Block block_ = Block::none;
  bool open_ = false;  // the block's start was written
  bool wrap_ = false;
  bool server_input_ = false;
  size_t index_ = 0;
  size_t visible_bytes_ = 0;
  std::string text_;       // document: of the open block
  std::string content_;    // document: blocks
  std::string signature_;  // of the open thinking block
  std::string citations_;  // document
};

}  // namespace

std::unique_ptr<AnswerEncoder> make_claude_encoder(AnswerForm form, const AnswerContext& context) {
  return std::make_unique<ClaudeEncoder>(form, context);
}

}  // namespace gproxy::translate
