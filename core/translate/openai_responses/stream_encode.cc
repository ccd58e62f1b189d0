// Neutral events -> a Responses answer, streamed or whole (wire-formats 4.3.2, 3.0). The terminal
// event repeats every item, so the text is kept, up to Options::max_response_bytes.
#include <algorithm>

#include "translate/answer_common.h"
#include "translate/arguments.h"
#include "translate/openai_responses/annotations.h"
#include "translate/openai_responses/answer.h"
#include "translate/openai_responses/answer_frame.h"
#include "translate/openai_responses/response_encode.h"
#include "translate/part_text.h"
#include "translate/seal.h"
#include "translate/sequential_parts.h"
#include "translate/usage_map.h"

namespace gproxy::translate {

namespace {

bool is_text_like(PartKind kind) {
  return kind == PartKind::text || kind == PartKind::code || kind == PartKind::code_result ||
         kind == PartKind::audio;
}

class ResponsesEncoder final : public responses::AnswerFrame {
 public:
  ResponsesEncoder(AnswerForm form, const AnswerContext& context)
      : AnswerFrame(form, context),
        losses_(context.losses),
        upstream_(context.request.upstream),
        inner_(*this),
        sequence_(inner_) {}

  void on(const Event& event) override {
    if (ended_) return;
    if (event.candidate > 0) {
      losses_.lose(AnswerLoss::candidate, upstream_);
      return;
    }
    sequence_.on(event);
    if (held_bytes() > context_.options.max_response_bytes && error_ == nullptr) {
      error_ = std::make_unique<Error>(
          bad_upstream("response_too_large", "the answer exceeds max_response_bytes"));
    }
  }

  size_t held_bytes() const override {
    return sizeof(*this) + items_bytes() + text_.size() + parts_.size() + logprobs_.size() +
           arguments_.size() + annotations_.size() + sequence_.held_bytes();
  }

 private:
  enum class Open : uint8_t { none, message, reasoning, call, search };
  enum class Content : uint8_t { none, text, refusal };
  struct Inner final : EventSink {
    explicit Inner(ResponsesEncoder& encoder) : self(encoder) {}
    void on(const Event& event) override { self.take(event); }
    ResponsesEncoder& self;
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
        return opaque(event.opaque);
      case EventKind::cite:
        return cite(event);
      case EventKind::part_end:
        return part_end(event);
      case EventKind::usage:
        usage_ = *event.usage;
        return;
      case EventKind::finish:
        return finish(*event.finish);
      case EventKind::eof:
        return eof(event.name);
      default:
        return;
    }
  }

  void start(const Event& event) {
    if (event.usage != nullptr) usage_ = *event.usage;
    begin_answer(event);
  }

  // ---- items ------------------------------------------------------------------------------------

  void open_item(Open kind, std::string_view prefix) {
    open_ = kind;
    new_item(prefix);
  }
  void done(std::string item) {
    done_item(std::move(item));
    open_ = Open::none;
  }

  // Closes whatever is open, with the status its item then has.
  void close_item(std::string_view status) {
    switch (open_) {
      case Open::message:
        return close_message(status);
      case Open::reasoning:
        return close_reasoning();
      case Open::call:
        return close_call(status);
      case Open::search:
        return close_search({});
      case Open::none:
        return;
    }
  }

  void part_start(const Event& event) {
    kind_ = event.part_kind;
    part_ = event.part;
    const bool text = is_text_like(kind_);
    if (open_ == Open::message && (text || kind_ == PartKind::refusal)) {
      const Content wanted = text ? Content::text : Content::refusal;
      if (content_ != wanted) close_content();
    } else if (kind_ != PartKind::call && kind_ != PartKind::server) {
      close_item("completed");
    }
    part_byte_ = content_ == Content::text ? text_.size() : 0;
    switch (kind_) {
      case PartKind::text:
      case PartKind::refusal:
        return;
      case PartKind::code:
      case PartKind::code_result:
        losses_.lose(AnswerLoss::code, upstream_);
        return say(fence_open(kind_, event.name));
      case PartKind::audio:
        losses_.lose(AnswerLoss::audio, upstream_);
        return say(audio_text(event.raw));
      case PartKind::reasoning:
        redacted_ = event.redacted;
        return;
      case PartKind::call:
        return call_start(event);
      case PartKind::image:
        return image(event);
      case PartKind::server:
        return server(event);
      default:
        losses_.lose(AnswerLoss::media, upstream_);
    }
  }

  void delta(const Event& event) {
    switch (kind_) {
      case PartKind::text:
      case PartKind::code:
      case PartKind::code_result:
        return say(event.data, event.raw);
      case PartKind::refusal:
        return refuse(event.data);
      case PartKind::reasoning:
        return think(event.data);
      case PartKind::call:
        return call_delta(event.data);
      case PartKind::server:
        arguments_ += event.data;
        return;
      default:
        return;
    }
  }

  void part_end(const Event& event) {
    if (kind_ == PartKind::code || kind_ == PartKind::code_result) say(kFenceClose);
    cites_.part_end(event.part, text_.size());
    // Ended items stay open until the next one begins: only the finish tells their status, and
    // Gemini hands a thought's signature over on the call that follows.
    if (kind_ == PartKind::reasoning && open_ == Open::reasoning && upstream_ != Protocol::gemini) {
      close_reasoning();
    }
  }

  // ---- messages ---------------------------------------------------------------------------------

  void open_content(Content kind) {
    if (open_ != Open::message) {
      close_item("completed");
      flush_carried();
      open_item(Open::message, "msg_");
      content_index_ = 0;
      parts_.clear();
      added(R"({"id":")" + item_id_ +
            R"(","type":"message","status":"in_progress","role":"assistant","content":[]})");
    }
    if (content_ != Content::none) return;
    content_ = kind;
    text_.clear();
    logprobs_.clear();
    annotations_.clear();
    annotation_count_ = 0;
    part_byte_ = 0;
    place_ = ",\"content_index\":" + std::to_string(content_index_);
    item_event(
        "response.content_part.added",
        place_ + (kind == Content::text
                      ? R"(,"part":{"type":"output_text","text":"","annotations":[],"logprobs":[]})"
                      : R"(,"part":{"type":"refusal","refusal":""})"));
  }

  void say(std::string_view data, const json::Value& logprobs = {}) {
    if (data.empty()) return;
    visible_ = true;
    if (content_ != Content::text) open_content(Content::text);
    text_ += data;
    std::string tokens;
    for (const auto& token : logprobs.items()) {
      if (!tokens.empty()) tokens += ',';
      json::write_to(token, tokens);
    }
    if (!tokens.empty()) {
      if (!logprobs_.empty()) logprobs_ += ',';
      logprobs_ += tokens;
    }
    text_event("response.output_text.delta", place_, ",\"delta\":", data,
               tokens.empty() ? std::string(",\"logprobs\":[]") : ",\"logprobs\":[" + tokens + "]");
  }

  void refuse(std::string_view data) {
    if (data.empty()) return;
    visible_ = true;
    if (content_ != Content::refusal) open_content(Content::refusal);
    text_ += data;
    text_event("response.refusal.delta", place_, ",\"delta\":", data);
  }

  void close_content() {
    if (content_ == Content::none) return;
    std::string part;
    json::Writer w(part);
    w.begin_object();
    if (content_ == Content::text) {
      resolve_cites();
      text_event("response.output_text.done", place_, ",\"text\":", text_,
                 ",\"logprobs\":[" + logprobs_ + "]");
      w.field("type", "output_text");
      w.field("text", text_);
      w.key("annotations");
      w.raw("[" + annotations_ + "]");
      w.key("logprobs");
      w.raw("[" + logprobs_ + "]");
    } else {
      text_event("response.refusal.done", place_, ",\"refusal\":", text_);
      w.field("type", "refusal");
      w.field("refusal", text_);
    }
    w.end_object();
    item_event("response.content_part.done", place_ + ",\"part\":" + part);
    if (!parts_.empty()) parts_ += ',';
    parts_ += part;
    ++content_index_;
    content_ = Content::none;
    text_.clear();
    cites_.clear();
  }

  std::string message_item(std::string_view status) const {
    std::string item = R"({"id":")" + item_id_ + R"(","type":"message","status":")";
    item += status;
    item += R"(","role":"assistant","content":[)" + parts_ + "]}";
    return item;
  }

  void close_message(std::string_view status) {
    close_content();
    done(message_item(status));
    parts_.clear();
  }

  // ---- citations --------------------------------------------------------------------------------

  void cite(const Event& event) {
    const Citation& citation = *event.citation;
    const bool homeless = !responses::Annotations::has_home(citation);
    if (homeless || !is_text_like(kind_) || event.part != part_ ||
        !cites_.add(event.part, citation, part_byte_, text_.size())) {
      losses_.lose(homeless ? AnswerLoss::citation : AnswerLoss::citation_offset, upstream_);
    }
  }

  void resolve_cites() {
    for (const auto& annotation : cites_.resolve(text_)) {
      item_event("response.output_text.annotation.added",
                 place_ + ",\"annotation_index\":" + std::to_string(annotation_count_++) +
                     ",\"annotation\":" + annotation);
      if (!annotations_.empty()) annotations_ += ',';
      annotations_ += annotation;
    }
  }

  // ---- reasoning --------------------------------------------------------------------------------

  void open_reasoning() {
    if (open_ == Open::reasoning) return;
    close_item("completed");
    open_item(Open::reasoning, "rs_");
    text_.clear();
    encrypted_.clear();
    added(R"({"id":")" + item_id_ + R"(","type":"reasoning","summary":[]})");
  }

  void think(std::string_view data) {
    if (data.empty()) return;
    open_reasoning();
    if (text_.empty()) {
      item_event("response.reasoning_summary_part.added",
                 R"(,"summary_index":0,"part":{"type":"summary_text","text":""})");
    }
    text_ += data;
    text_event("response.reasoning_summary_text.delta", ",\"summary_index\":0",
               ",\"delta\":", data);
  }

  std::string reasoning_item() const {
    return responses::reasoning_item(item_id_, text_, encrypted_);
  }

  void close_reasoning() {
    if (open_ != Open::reasoning) return;
    if (!text_.empty()) {
      text_event("response.reasoning_summary_text.done", ",\"summary_index\":0",
                 ",\"text\":", text_);
      text_event("response.reasoning_summary_part.done", ",\"summary_index\":0",
                 R"(,"part":{"type":"summary_text","text":)", text_, "}");
    }
    done(reasoning_item());
    text_.clear();
    encrypted_.clear();
  }

  std::string slot_of(const Opaque& opaque) const {
    if (opaque.proto == Protocol::openai_response) return std::string(opaque.bytes);
    return seal(opaque.proto, opaque.bytes,
                kind_ == PartKind::reasoning && redacted_ ? Redacted::yes : Redacted::no);
  }

  void opaque(const Opaque& said) {
    if (kind_ == PartKind::reasoning) {
      open_reasoning();
      encrypted_ = slot_of(said);
    } else if (open_ == Open::none || open_ == Open::reasoning) {
      // Before the first text of its part: the item goes right before it.
      close_item("completed");
      open_reasoning();
      encrypted_ = slot_of(said);
      close_reasoning();
    } else {
      carried_ = slot_of(said);
    }
  }

  // A reasoning item that has nothing but its state, where one is due.
  void flush_carried() {
    if (carried_.empty()) return;
    const std::string slot = std::move(carried_);
    carried_.clear();
    open_reasoning();
    encrypted_ = slot;
    close_reasoning();
  }

  // ---- calls ------------------------------------------------------------------------------------

  void call_start(const Event& event) {
    if (event.opaque) {
      const std::string slot = slot_of(event.opaque);
      if (open_ == Open::reasoning && encrypted_.empty()) {
        encrypted_ = slot;
        close_reasoning();
      } else {
        close_item("completed");
        carried_ = slot;
      }
    }
    close_item("completed");
    flush_carried();
    const auto* tool = context_.request.find_tool(event.name);
    search_tool_ = tool != nullptr && tool->tool_search;
    custom_ =
        !search_tool_ && (tool != nullptr ? tool->kind : event.call_kind) == Call::Kind::custom;
    call_kind_ = search_tool_ ? responses::CallKind::tool_search
                 : custom_    ? responses::CallKind::custom
                              : responses::CallKind::function;
    unwrap_ = tool != nullptr && tool->wrapped && event.call_kind == Call::Kind::function;
    call_name_ = tool != nullptr ? std::string_view(tool->original) : event.name;
    call_space_ = tool != nullptr ? std::string_view(tool->name_space) : event.name_space;
    open_item(Open::call, search_tool_ ? "tsc_" : custom_ ? "ctc_" : "fc_");
    call_id_ = event.id;
    if (call_id_.empty()) call_id_ = context_.ids.next("call_");
    arguments_.clear();
    streamed_arguments_ = false;
    added(call_item("in_progress", ""));
  }

  std::string call_item(std::string_view status, std::string_view arguments) const {
    return responses::call_item(
        {call_kind_, item_id_, call_id_, call_name_, call_space_, status, arguments});
  }

  void call_delta(std::string_view data) {
    arguments_ += data;
    if (unwrap_ || search_tool_) return;
    put_arguments(data);
  }

  void put_arguments(std::string_view data) {
    streamed_arguments_ = true;
    text_event(custom_ ? "response.custom_tool_call_input.delta"
                       : "response.function_call_arguments.delta",
               {}, ",\"delta\":", data);
  }

  void close_call(std::string_view status) {
    if (search_tool_) {
      done(call_item(status, arguments_));
      return;
    }
    Arena arena;
    if (unwrap_) {
      arguments_ = unwrap_input(arguments_, arena);
      if (!arguments_.empty()) put_arguments(arguments_);
    } else if (!custom_ && is_blank_json(arguments_)) {
      if (!streamed_arguments_) put_arguments("{}");
      arguments_ = "{}";
    }
    if (status == "incomplete" && (custom_ || json::parse(arguments_, arena).ok())) {
      status = "completed";
    }
    if (custom_) {
      text_event("response.custom_tool_call_input.done", {}, ",\"input\":", arguments_);
    } else {
      std::string name = ",\"name\":";
      json::write_string(call_name_, name);
      text_event("response.function_call_arguments.done", {}, ",\"arguments\":", arguments_, name);
    }
    done(call_item(status, arguments_));
    arguments_.clear();
    arguments_.shrink_to_fit();
  }

  // ---- built-in tools ---------------------------------------------------------------------------

  void image(const Event& event) {
    flush_carried();
    open_item(Open::none, "ig_");
    const std::string head =
        R"({"id":")" + item_id_ + R"(","type":"image_generation_call","status":)";
    added(head + R"("in_progress","result":null})");
    item_event("response.image_generation_call.in_progress");
    item_event("response.image_generation_call.completed");
    std::string item = head + "\"completed\",\"result\":";
    json::write_string(event.raw["data"].str(), item);
    done(item + "}");
  }

  void server(const Event& event) {
    if (upstream_ == Protocol::openai_response) {
      close_item("completed");
      open_item(Open::none, "item_");
      const std::string item = json::write(event.raw);
      added(item);
      return done(item);
    }
    if (event.name == "server_tool_use" && event.raw["name"].str() == "web_search") {
      close_item("completed");
      flush_carried();
      open_item(Open::search, "ws_");
      arguments_.clear();
      added(search_item("in_progress", {}));
      item_event("response.web_search_call.in_progress");
      return item_event("response.web_search_call.searching");
    }
    if (event.name == "web_search_tool_result" && open_ == Open::search) {
      return close_search(event.raw["content"]);
    }
    losses_.lose(AnswerLoss::server_tool, upstream_);
    close_item("completed");
  }

  std::string search_item(std::string_view status, const json::Value& results) const {
    return responses::search_item(item_id_, status, arguments_, results);
  }

  void close_search(const json::Value& results) {
    item_event("response.web_search_call.completed");
    done(search_item(results.is_object() ? "failed" : "completed", results));
    arguments_.clear();
  }

  // ---- the end ----------------------------------------------------------------------------------

  void finish(const Finish& said) {
    reason_ = said.reason;
    if (reason_ == FinishReason::filtered && !said.explanation.empty() && !visible_) {
      close_item("completed");
      kind_ = PartKind::refusal;
      refuse(said.explanation);
    }
    close_item(incomplete_reason().empty() ? "completed" : "incomplete");
    flush_carried();
  }

  std::string_view incomplete_reason() const {
    switch (reason_) {
      case FinishReason::length:
      case FinishReason::context:
        return "max_output_tokens";
      case FinishReason::filtered:
        return "content_filter";
      default:
        return {};
    }
  }

  void eof(std::string_view tier) {
    close_item("completed");
    const auto why = incomplete_reason();
    responses::Snapshot snapshot = this->snapshot(why.empty() ? "completed" : "incomplete");
    snapshot.completed_at = why.empty() ? std::max(context_.ids.now_s(), created_at_) : 0;
    snapshot.incomplete_reason = why;
    snapshot.usage = &usage_;
    if (is_openai(upstream_)) snapshot.service_tier = tier;
    end_answer(snapshot);
  }

  void write_incomplete_items() override {
    switch (open_) {
      case Open::message: {
        if (content_ != Content::none) {
          std::string part;
          json::Writer w(part);
          w.begin_object();
          w.field("type", content_ == Content::text ? "output_text" : "refusal");
          w.field(content_ == Content::text ? "text" : "refusal", text_);
          if (content_ == Content::text) {
            w.key("annotations");
            w.raw("[]");
            w.key("logprobs");
            w.raw("[" + logprobs_ + "]");
          }
          w.end_object();
          if (!parts_.empty()) parts_ += ',';
          parts_ += part;
        }
        return keep(message_item("incomplete"));
      }
      case Open::reasoning:
        return keep(reasoning_item());
      case Open::call:
        return keep(call_item("incomplete", arguments_));
      case Open::search:
        return keep(search_item("failed", {}));
      case Open::none:
        return;
    }
  }

  AnswerLosses losses_;
  Protocol upstream_;
  Inner inner_;
  SequentialParts sequence_;

  TokenUsage usage_;
  FinishReason reason_ = FinishReason::stop;
  bool visible_ = false;  // text or a refusal was told

  Open open_ = Open::none;

  PartKind kind_ = PartKind::text;  // of the part being told
  uint32_t part_ = 0;
  size_t part_byte_ = 0;  // where it begins in text_
  bool redacted_ = false;

  Content content_ = Content::none;
  size_t content_index_ = 0;
  std::string place_;  // ,"content_index":n
  std::string text_;   // of the open content part or reasoning
  std::string parts_;  // finished content parts of the open message
  std::string logprobs_, annotations_;
  size_t annotation_count_ = 0;
  responses::Annotations cites_;
  std::string encrypted_;  // of the open reasoning item
  std::string carried_;    // reasoning state that waits for the next item

  responses::CallKind call_kind_ = responses::CallKind::function;
  std::string call_id_, call_name_, call_space_, arguments_;
  bool custom_ = false, unwrap_ = false, search_tool_ = false, streamed_arguments_ = false;
};

}  // namespace

std::unique_ptr<AnswerEncoder> make_responses_encoder(AnswerForm form,
                                                      const AnswerContext& context) {
  return std::make_unique<ResponsesEncoder>(form, context);
}

}  // namespace gproxy::translate
