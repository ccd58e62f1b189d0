// Neutral events -> a chat completion, streamed or whole (wire-formats 4.3.1, 3.0).
#include <algorithm>
#include <deque>
#include <vector>

#include "translate/answer_common.h"
#include "translate/arguments.h"
#include "translate/errors.h"
#include "translate/openai_chat/answer.h"
#include "translate/part_text.h"
#include "translate/seal.h"
#include "translate/usage_map.h"

namespace gproxy::translate {

namespace {

std::string_view finish_word(FinishReason reason) {
  switch (reason) {
    case FinishReason::tool_calls:
      return "tool_calls";
    case FinishReason::length:
    case FinishReason::context:
      return "length";
    case FinishReason::filtered:
      return "content_filter";
    default:
      return "stop";
  }
}

bool is_text_like(PartKind kind) {
  return kind == PartKind::text || kind == PartKind::code || kind == PartKind::code_result ||
         kind == PartKind::image;
}

class ChatEncoder final : public AnswerEncoder {
 public:
  ChatEncoder(AnswerForm form, const AnswerContext& context)
      : context_(context),
        losses_(context.losses),
        upstream_(context.request.upstream),
        document_(form == AnswerForm::document),
        usage_asked_(context.request.include_usage) {}

  void on(const Event& event) override {
    if (ended_) return;
    switch (event.kind) {
      case EventKind::start:
        return start(event);
      case EventKind::part_start:
        return part_start(lane(event.candidate), event);
      case EventKind::delta:
        return delta(lane(event.candidate), event);
      case EventKind::opaque:
        return opaque(lane(event.candidate), event);
      case EventKind::cite:
        return cite(lane(event.candidate), event);
      case EventKind::part_end:
        return part_end(lane(event.candidate), event);
      case EventKind::usage:
        usage_ = *event.usage;
        return;
      case EventKind::finish:
        return finish(lane(event.candidate), *event.finish);
      case EventKind::eof:
        return eof(event);
      default:
        return;
    }
  }

  void fail(const Error& error) override {
    if (ended_) return;
    ended_ = true;
    *out_ += encode_stream_error(Protocol::openai_chat, error, {});
  }

  size_t held_bytes() const override {
    size_t bytes = sizeof(*this) + head_.capacity() + tail_.capacity();
    for (const auto& lane : lanes_) {
      bytes += sizeof(Lane) + lane.thinking.capacity() + lane.signature.capacity() +
               lane.index.held_bytes() + lane.spans.capacity() * sizeof(Span) +
               lane.cites.capacity() * sizeof(Cite) + lane.cite_bytes;
      for (const auto& call : lane.calls) bytes += sizeof(OpenCall) + call.buffer.capacity();
      if (document_) bytes += lane.content.size() + lane.reasoning.size() + lane.tool_calls.size();
    }
    return bytes;
  }

 private:
  static constexpr size_t kMaxThinkingBlock = 24 * 1024;
  static constexpr size_t kMaxSpans = 128;
  static constexpr size_t kMaxCites = 128;

  struct OpenCall {
    uint32_t part = 0;
    size_t number = 0;  // index in tool_calls
    Call::Kind kind = Call::Kind::function;
    bool keep = false;    // arguments are needed whole
    bool unwrap = false;  // {"input": …} of a custom tool
    bool any = false;
    std::string head;  // document: the object so far
    std::string buffer;
  };
  // Where a text part lies in the joined text.
  struct Span {
    uint32_t part = 0;
    size_t byte = 0, point = 0, end = 0;
  };
  struct Cite {
    uint32_t part = 0;
    Citation::Unit unit = Citation::Unit::none;
    int64_t start = -1, end = -1;
    std::string url, title;
  };
  struct Lane {
    int32_t candidate = 0;
    bool role = false;
    bool any_text = false;
    bool any_refusal = false;
    bool any_reasoning = false;
    bool separate = false;  // "\n\n" goes before the next text
    bool separate_reasoning = false;
    bool redacted = false;
    bool has_last = false;
    PartKind last = PartKind::text;  // kind of the part before
    PartKind kind = PartKind::text;  // of the text-like part that is open
    size_t call_count = 0;
    Protocol signature_proto = Protocol::none;
    FinishReason reason = FinishReason::stop;
    std::string explanation;
    std::string thinking, signature;  // of the open reasoning part
    std::string carried;              // a seal for the next call's cache entry
    TextIndex index;
    std::vector<Span> spans;
    std::vector<Cite> cites;
    size_t cite_bytes = 0;
    std::deque<OpenCall> calls;  // open ones
    // document form
    std::string content, refusal, reasoning, thinking_blocks, logprobs, audio;
    std::vector<std::string> tool_calls;
  };

  Lane& lane(int32_t candidate) {
    for (auto& lane : lanes_) {
      if (lane.candidate == candidate) return lane;
    }
    lanes_.emplace_back().candidate = candidate;
    Lane& lane = lanes_.back();
    open_role(lane);
    return lane;
  }

  void start(const Event& event) {
    const auto& request = context_.request;
    const std::string id = answer_id(event.id, "chatcmpl-", context_.ids);
    const std::string_view model =
        context_.options.upstream_model_name || request.requested_model.empty()
            ? event.name
            : std::string_view(request.requested_model);
    const int64_t created = event.created > 0 ? event.created : context_.ids.now_s();
    json::Writer w(head_);
    w.begin_object();
    w.field("id", id);
    w.field("object", document_ ? "chat.completion" : "chat.completion.chunk");
    w.field("created", created);
    w.field("model", model);
    head_ += ",\"choices\":[";
    if (!document_) head_.insert(0, "data: ");
    tail_ = usage_asked_ ? "],\"usage\":null}\n\n" : "]}\n\n";
    if (event.usage != nullptr) usage_ = *event.usage;
    lane(0);
  }

  // ---- chunks -----------------------------------------------------------------------------------

  void begin_chunk(const Lane& lane) {
    *out_ += head_;
    *out_ += "{\"index\":";
    *out_ += std::to_string(lane.candidate);
    *out_ += ",\"delta\":{";
  }
  void end_chunk() {
    *out_ += "},\"logprobs\":null,\"finish_reason\":null}";
    *out_ += tail_;
  }

  void open_role(Lane& lane) {
    if (lane.role || head_.empty()) return;
    lane.role = true;
    if (document_) return;
    begin_chunk(lane);
    *out_ += "\"role\":\"assistant\",\"content\":\"\",\"refusal\":null";
    end_chunk();
  }

  void put_text(Lane& lane, std::string_view member, std::string& whole, std::string_view data,
                const json::Value& logprobs = {}) {
    if (document_) {
      whole += data;
      for (const auto& token : logprobs.items()) {
        if (!lane.logprobs.empty()) lane.logprobs += ',';
        json::write_to(token, lane.logprobs);
      }
      return;
    }
    begin_chunk(lane);
    *out_ += member;
    json::write_string(data, *out_);
    if (logprobs.empty()) return end_chunk();
    *out_ += "},\"logprobs\":{\"content\":";
    json::write_to(logprobs, *out_);
    *out_ += ",\"refusal\":null},\"finish_reason\":null}";
    *out_ += tail_;
  }

  // ---- parts ------------------------------------------------------------------------------------

  void part_start(Lane& lane, const Event& event) {
    const bool after_other = lane.has_last && !is_text_like(lane.last);
    lane.has_last = true;
    lane.last = event.part_kind;
    if (event.part_kind != PartKind::call) lane.kind = event.part_kind;
    switch (event.part_kind) {
      case PartKind::text:
      case PartKind::code:
      case PartKind::code_result:
      case PartKind::image: {
        // Text blocks with another block between them are separate paragraphs; the protocols that
        // have one text per answer, or split it at will, are joined as they are.
        const bool blocks = upstream_ == Protocol::claude || upstream_ == Protocol::gemini;
        if (blocks && after_other && lane.any_text) lane.separate = true;
        span_begin(lane, event.part);
        if (event.part_kind == PartKind::image) {
          losses_.lose(AnswerLoss::media, upstream_);
          text(lane, image_text(event.raw, context_.options));
        } else if (event.part_kind != PartKind::text) {
          losses_.lose(AnswerLoss::code, upstream_);
          text(lane, fence_open(event.part_kind, event.name));
        }
        return;
      }
      case PartKind::reasoning:
        lane.redacted = event.redacted;
        lane.thinking.clear();
        lane.signature.clear();
        lane.signature_proto = Protocol::none;
        lane.separate_reasoning = lane.any_reasoning && upstream_ != Protocol::openai_chat;
        return;
      case PartKind::call:
        return call_start(lane, event);
      case PartKind::audio: {
        std::string id;
        if (event.raw["id"].str().empty()) id = context_.ids.next("audio_");
        std::string& to = document_ ? lane.audio : *out_;
        if (!document_) {
          begin_chunk(lane);
          *out_ += "\"audio\":";
        }
        json::Writer w(to);
        write_chat_audio(w, event.raw, id);
        if (!document_) end_chunk();
        return;
      }
      case PartKind::refusal:
        return;
      case PartKind::server:
        losses_.lose(AnswerLoss::server_tool, upstream_);
        return;
      default:
        losses_.lose(AnswerLoss::media, upstream_);
        return;
    }
  }

  void delta(Lane& lane, const Event& event) {
    switch (event.part_kind) {
      case PartKind::text:
      case PartKind::code:
      case PartKind::code_result:
        return text(lane, event.data, event.raw);
      case PartKind::reasoning:
        return reasoning(lane, event.data);
      case PartKind::refusal:
        lane.any_refusal = true;
        return put_text(lane, "\"refusal\":", lane.refusal, event.data);
      case PartKind::call:
        return call_delta(lane, event);
      default:
        return;
    }
  }

  void text(Lane& lane, std::string_view data, const json::Value& logprobs = {}) {
    if (data.empty()) return;
    if (lane.separate) {
      lane.separate = false;
      lane.index.add("\n\n");
      if (!lane.spans.empty()) {
        lane.spans.back().byte = lane.index.bytes();
        lane.spans.back().point = lane.index.points();
      }
      put_text(lane, "\"content\":", lane.content, "\n\n");
    }
    lane.any_text = true;
    lane.index.add(data);
    put_text(lane, "\"content\":", lane.content, data, logprobs);
  }

  void reasoning(Lane& lane, std::string_view data) {
    if (!context_.options.chat_reasoning_ext) {
      losses_.lose(AnswerLoss::reasoning, upstream_);
      return;
    }
    // A thinking block goes back to Claude only word for word, so it is repeated with its
    // signature.
    if (upstream_ == Protocol::claude || upstream_ == Protocol::openai_chat) {
      if (lane.thinking.size() + data.size() <= kMaxThinkingBlock || document_) {
        lane.thinking += data;
      } else {
        lane.thinking.assign(kMaxThinkingBlock + 1, ' ');  // too long: remembered as such
      }
    }
    if (lane.separate_reasoning) {
      lane.separate_reasoning = false;
      put_text(lane, "\"reasoning_content\":", lane.reasoning, "\n\n");
    }
    lane.any_reasoning = true;
    put_text(lane, "\"reasoning_content\":", lane.reasoning, data);
  }

  void opaque(Lane& lane, const Event& event) {
    const bool reasoning = lane.has_last && lane.last == PartKind::reasoning;
    if (reasoning && event.opaque.proto == Protocol::claude &&
        context_.options.chat_reasoning_ext) {
      lane.signature += event.opaque.bytes;
      lane.signature_proto = Protocol::claude;
      return;
    }
    if (context_.options.opaque_cache != nullptr) {
      lane.carried = seal(event.opaque.proto, event.opaque.bytes,
                          reasoning && lane.redacted ? Redacted::yes : Redacted::no);
    }
    losses_.lose(AnswerLoss::signature, upstream_);
  }

  void thinking_block(Lane& lane) {
    const bool too_long = lane.thinking.size() > kMaxThinkingBlock && !document_;
    if (too_long) {
      losses_.lose(AnswerLoss::thinking_block, upstream_);
      lane.thinking.clear();
      lane.thinking.shrink_to_fit();
      return;
    }
    std::string& to = document_ ? lane.thinking_blocks : *out_;
    if (!document_) {
      begin_chunk(lane);
      to += "\"thinking_blocks\":[";
    } else if (!to.empty()) {
      to += ',';
    }
    json::Writer w(to);
    w.begin_object();
    if (lane.redacted) {
      w.field("type", "redacted_thinking");
      w.field("data", lane.signature);
    } else {
      w.field("type", "thinking");
      w.field("thinking", lane.thinking);
      w.field("signature", lane.signature);
    }
    w.end_object();
    if (!document_) {
      to += ']';
      end_chunk();
    }
    lane.thinking.clear();
    lane.signature.clear();
  }

  void part_end(Lane& lane, const Event& event) {
    for (size_t i = 0; i < lane.calls.size(); ++i) {
      if (lane.calls[i].part != event.part) continue;
      call_end(lane, lane.calls[i]);
      lane.calls.erase(lane.calls.begin() + static_cast<std::ptrdiff_t>(i));
      return;
    }
    if (lane.last == PartKind::reasoning && lane.signature_proto == Protocol::claude) {
      thinking_block(lane);
      lane.signature_proto = Protocol::none;
      return;
    }
    if (lane.kind == PartKind::code || lane.kind == PartKind::code_result) text(lane, kFenceClose);
    for (auto& span : lane.spans) {
      if (span.part == event.part) span.end = lane.index.points();
    }
  }

  // ---- calls ------------------------------------------------------------------------------------

  void call_start(Lane& lane, const Event& event) {
    const auto* tool = context_.request.find_tool(event.name);
    OpenCall call;
    call.part = event.part;
    call.number = lane.call_count++;
    call.kind = tool != nullptr ? tool->kind : event.call_kind;
    call.unwrap = tool != nullptr && tool->wrapped && event.call_kind == Call::Kind::function;
    call.keep = call.unwrap || document_;
    std::string id(event.id);
    if (id.empty()) id = context_.ids.next("call_");
    std::string name(tool != nullptr ? std::string_view(tool->original) : event.name);
    if (tool == nullptr && !event.name_space.empty()) {
      name.insert(0, std::string(event.name_space) + "__");
    }
    const bool custom = call.kind == Call::Kind::custom;
    std::string& to = document_ ? call.head : *out_;
    if (!document_) {
      begin_chunk(lane);
      to += "\"tool_calls\":[";
    }
    json::Writer w(to);
    w.begin_object();
    if (!document_) w.field("index", call.number);
    w.field("id", id);
    w.field("type", custom ? "custom" : "function");
    if (event.opaque.proto == Protocol::gemini && context_.options.chat_reasoning_ext) {
      to += ",\"extra_content\":{\"google\":{\"thought_signature\":";
      json::write_string(event.opaque.bytes, to);
      to += "}}";
      keep_in_cache(id, seal(event.opaque.proto, event.opaque.bytes));
    } else if (event.opaque) {
      losses_.lose(AnswerLoss::signature, upstream_);
      keep_in_cache(id, seal(event.opaque.proto, event.opaque.bytes));
    } else if (!lane.carried.empty()) {
      keep_in_cache(id, lane.carried);
    }
    lane.carried.clear();
    to += custom ? ",\"custom\":{\"name\":" : ",\"function\":{\"name\":";
    json::write_string(name, to);
    if (document_) {
      to += custom ? ",\"input\":" : ",\"arguments\":";
    } else {
      to += custom ? ",\"input\":\"\"}}]" : ",\"arguments\":\"\"}}]";
      end_chunk();
    }
    lane.calls.push_back(std::move(call));
  }

  void keep_in_cache(std::string_view id, std::string_view sealed) {
    if (context_.options.opaque_cache != nullptr) context_.options.opaque_cache->keep(id, sealed);
  }

  void call_delta(Lane& lane, const Event& event) {
    for (auto& call : lane.calls) {
      if (call.part != event.part) continue;
      if (call.keep) {
        call.buffer += event.data;
      } else {
        put_arguments(lane, call, event.data);
      }
      call.any = true;
      return;
    }
  }

  void put_arguments(const Lane& lane, const OpenCall& call, std::string_view data) {
    begin_chunk(lane);
    *out_ += "\"tool_calls\":[{\"index\":";
    *out_ += std::to_string(call.number);
    *out_ += call.kind == Call::Kind::custom ? ",\"custom\":{\"input\":"
                                             : ",\"function\":{\"arguments\":";
    json::write_string(data, *out_);
    *out_ += "}}]";
    end_chunk();
  }

  void call_end(Lane& lane, OpenCall& call) {
    std::string text;
    if (call.unwrap) {
      Arena arena;
      text = unwrap_input(call.buffer, arena);
    } else if (call.keep) {
      text = std::move(call.buffer);
    }
    if (call.kind == Call::Kind::function && (!call.any || (call.keep && is_blank_json(text)))) {
      text = "{}";
    }
    if (!document_) {
      if (!text.empty()) put_arguments(lane, call, text);
      return;
    }
    json::write_string(text, call.head);
    call.head += "}}";
    if (lane.tool_calls.size() <= call.number) lane.tool_calls.resize(call.number + 1);
    lane.tool_calls[call.number] = std::move(call.head);
  }

  // ---- citations --------------------------------------------------------------------------------

  void span_begin(Lane& lane, uint32_t part) {
    if (lane.spans.size() >= kMaxSpans) lane.spans.erase(lane.spans.begin());
    lane.spans.push_back({part, lane.index.bytes(), lane.index.points(), 0});
  }

  void cite(Lane& lane, const Event& event) {
    const Citation& citation = *event.citation;
    if (citation.kind != Citation::Kind::url || citation.url.empty() ||
        lane.cites.size() >= kMaxCites) {
      losses_.lose(AnswerLoss::citation, upstream_);
      return;
    }
    Cite kept;
    kept.part = event.part;
    kept.unit = citation.unit;
    kept.start = citation.start;
    kept.end = citation.end;
    kept.url = citation.url;
    kept.title = citation.title;
    lane.cite_bytes += kept.url.size() + kept.title.size();
    lane.cites.push_back(std::move(kept));
  }

  std::string annotations(Lane& lane) {
    std::string out;
    for (const auto& cite : lane.cites) {
      const Span* span = nullptr;
      for (const auto& candidate : lane.spans) {
        if (candidate.part == cite.part) span = &candidate;
      }
      if (span == nullptr) {
        losses_.lose(AnswerLoss::citation_offset, upstream_);
        continue;
      }
      const auto last = static_cast<int64_t>(lane.index.points());
      auto from = static_cast<int64_t>(span->point);
      auto to = span->end > 0 ? static_cast<int64_t>(span->end) : last;
      if (cite.unit == Citation::Unit::code_points && cite.end >= 0) {
        const int64_t base = from;
        from = base + std::max<int64_t>(cite.start, 0);
        to = base + cite.end;
      } else if (cite.unit == Citation::Unit::utf8_bytes && cite.end >= 0) {
        const auto base = static_cast<int64_t>(span->byte);
        from = lane.index.to_points(base + std::max<int64_t>(cite.start, 0));
        to = lane.index.to_points(base + cite.end);
        if (from < 0 || to < 0) {
          losses_.lose(AnswerLoss::citation_offset, upstream_);
          continue;
        }
      }
      from = std::min(from, last);
      to = std::clamp(to, from, last);
      if (!out.empty()) out += ',';
      json::Writer w(out);
      w.begin_object();
      w.field("type", "url_citation");
      w.key("url_citation");
      w.begin_object();
      w.field("url", cite.url);
      w.field("title", cite.title);
      w.field("start_index", from);
      w.field("end_index", to);
      w.end_object();
      w.end_object();
    }
    return out;
  }

  // ---- the end ----------------------------------------------------------------------------------

  void finish(Lane& lane, const Finish& said) {
    lane.reason = said.reason;
    lane.explanation = said.explanation;
  }

  void eof(const Event& event) {
    for (auto& lane : lanes_) {
      if (lane.reason == FinishReason::filtered && !lane.any_text && !lane.any_refusal &&
          !lane.explanation.empty()) {
        put_text(lane, "\"refusal\":", lane.refusal, lane.explanation);
        lane.any_refusal = true;
      }
    }
    document_ ? write_document(event.name) : write_end(event.name);
    ended_ = true;
  }

  // Service tiers have the same words in both of OpenAI's protocols.
  bool same_tiers() const { return is_openai(upstream_); }

  void write_end(std::string_view tier) {
    for (auto& lane : lanes_) {
      if (const auto list = annotations(lane); !list.empty()) {
        begin_chunk(lane);
        *out_ += "\"annotations\":[";
        *out_ += list;
        *out_ += ']';
        end_chunk();
      }
    }
    for (auto& lane : lanes_) {
      begin_chunk(lane);
      *out_ += "},\"logprobs\":null,\"finish_reason\":\"";
      *out_ += finish_word(lane.reason);
      *out_ += "\"}]";
      if (same_tiers() && !tier.empty()) {
        *out_ += ",\"service_tier\":";
        json::write_string(tier, *out_);
      }
      *out_ += std::string_view(tail_).substr(1);
    }
    if (usage_asked_ && usage_.known) {
      *out_ += head_;
      *out_ += "],\"usage\":";
      json::Writer w(*out_);
      write_chat_usage(w, usage_);
      *out_ += "}\n\n";
    }
    *out_ += "data: [DONE]\n\n";
  }

  void write_document(std::string_view tier) {
    std::string& out = *out_;
    out += head_;
    bool first = true;
    for (auto& lane : lanes_) {
      if (!first) out += ',';
      first = false;
      out += "{\"index\":" + std::to_string(lane.candidate) +
             ",\"message\":{\"role\":\"assistant\",\"content\":";
      if (lane.any_text || lane.tool_calls.empty()) {
        json::write_string(lane.content, out);
      } else {
        out += "null";
      }
      out += ",\"refusal\":";
      if (lane.any_refusal) {
        json::write_string(lane.refusal, out);
      } else {
        out += "null";
      }
      if (lane.any_reasoning) {
        out += ",\"reasoning_content\":";
        json::write_string(lane.reasoning, out);
      }
      if (!lane.thinking_blocks.empty())
        out += ",\"thinking_blocks\":[" + lane.thinking_blocks + "]";
      if (const auto list = annotations(lane); !list.empty())
        out += ",\"annotations\":[" + list + "]";
      if (!lane.audio.empty()) out += ",\"audio\":" + lane.audio;
      if (!lane.tool_calls.empty()) {
        out += ",\"tool_calls\":[";
        for (size_t i = 0; i < lane.tool_calls.size(); ++i) {
          if (i > 0) out += ',';
          out += lane.tool_calls[i];
        }
        out += ']';
      }
      out += "},\"logprobs\":";
      out +=
          lane.logprobs.empty() ? "null" : "{\"content\":[" + lane.logprobs + "],\"refusal\":null}";
      out += ",\"finish_reason\":\"";
      out += finish_word(lane.reason);
      out += "\"}";
    }
    out += ']';
    if (usage_.known) {
      out += ",\"usage\":";
      json::Writer w(out);
      write_chat_usage(w, usage_);
    }
    if (same_tiers() && !tier.empty()) {
      out += ",\"service_tier\":";
      json::write_string(tier, out);
    }
    out += '}';
  }

  AnswerContext context_;
  AnswerLosses losses_;
  Protocol upstream_;
  bool document_;
  bool usage_asked_;
  std::string head_;  // a chunk up to its first choice
  std::string tail_;  // and behind its last
  std::deque<Lane> lanes_;
  TokenUsage usage_;
};

}  // namespace

std::unique_ptr<AnswerEncoder> make_chat_encoder(AnswerForm form, const AnswerContext& context) {
  return std::make_unique<ChatEncoder>(form, context);
}

}  // namespace gproxy::translate
