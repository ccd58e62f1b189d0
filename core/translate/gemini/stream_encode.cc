// Neutral events -> Gemini's answer: SSE chunks, array elements or one object (wire-formats 4.3.4).
#include <algorithm>
#include <deque>
#include <vector>

#include "translate/answer_common.h"
#include "translate/arguments.h"
#include "translate/errors.h"
#include "translate/gemini/answer.h"
#include "translate/part_text.h"
#include "translate/seal.h"
#include "translate/sequential_parts.h"
#include "translate/usage_map.h"

namespace gproxy::translate {

namespace {

class GeminiEncoder final : public AnswerEncoder {
 public:
  GeminiEncoder(AnswerForm form, const AnswerContext& context)
      : context_(context),
        losses_(context.losses),
        upstream_(context.request.upstream),
        document_(form == AnswerForm::document),
        array_(context.request.framing == GeminiFraming::array),
        inner_(*this),
        sequence_(inner_) {}

  void on(const Event& event) override {
    if (!ended_) sequence_.on(event);
  }

  void fail(const Error& error) override {
    if (ended_) return;
    ended_ = true;
    StreamState state;
    state.gemini_array = array_;
    state.array_has_items = any_chunk_;
    *out_ += encode_stream_error(Protocol::gemini, error, state);
  }

  size_t held_bytes() const override {
    size_t bytes = sizeof(*this) + sequence_.held_bytes();
    for (const auto& lane : lanes_) {
      bytes += sizeof(Lane) + lane.text.capacity() + lane.parts.capacity() +
               lane.arguments.capacity() + lane.carried.capacity() + lane.index.held_bytes() +
               lane.cite_bytes + lane.logprobs.capacity();
    }
    return bytes;
  }

 private:
  static constexpr size_t kMaxCites = 128;

  struct Inner final : EventSink {
    explicit Inner(GeminiEncoder& encoder) : self(encoder) {}
    void on(const Event& event) override { self.take(event); }
    GeminiEncoder& self;
  };
  struct Cite {
    uint32_t part = 0;
    Citation::Unit unit = Citation::Unit::none;
    bool resolved = false;
    int64_t start = -1, end = -1;
    size_t run = 0;
    std::string url, title, text;
  };
  struct Lane {
    int32_t candidate = 0;
    PartKind kind = PartKind::text;
    uint32_t part = 0;
    bool hidden = false;  // reasoning that is not shown
    bool redacted = false;
    std::string text;                             // document: the open run
    std::string arguments;                        // of a call, or code, until it ends
    std::string id, name, name_space, signature;  // of the call
    Call::Kind call_kind = Call::Kind::function;
    std::string sealed;   // foreign reasoning state of the open part
    std::string carried;  // a signature for the next part
    std::string own;      // Gemini's signature of the open part
    // Runs: what a client that joins consecutive texts ends up with.
    bool in_run = false, run_thought = false;
    size_t runs = 0;                       // begun so far
    std::string run_signature;             // document
    size_t part_byte = 0, part_point = 0;  // of the open part in its run
    TextIndex index;                       // of the run
    std::vector<Cite> cites;
    size_t cite_bytes = 0;
    std::string parts;  // document: parts so far
    std::string logprobs, top_logprobs;
    // the end
    FinishReason reason = FinishReason::stop;
    Protocol origin = Protocol::none;
    std::string native, explanation;
  };

  Lane& lane(int32_t candidate) {
    for (auto& lane : lanes_) {
      if (lane.candidate == candidate) return lane;
    }
    lanes_.emplace_back().candidate = candidate;
    return lanes_.back();
  }

  void take(const Event& event) {
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
        return part_end(lane(event.candidate));
      case EventKind::usage:
        usage_ = *event.usage;
        return;
      case EventKind::finish:
        return finish(lane(event.candidate), *event.finish);
      case EventKind::eof:
        return eof();
      default:
        return;
    }
  }

  void start(const Event& event) {
    const auto& request = context_.request;
    const std::string_view model =
        context_.options.upstream_model_name || request.requested_model.empty()
            ? event.name
            : std::string_view(request.requested_model);
    const std::string id = upstream_ == Protocol::gemini && !event.id.empty()
                               ? std::string(event.id)
                               : context_.ids.next("");
    tail_ = ",\"modelVersion\":";
    json::write_string(model, tail_);
    tail_ += ",\"responseId\":";
    json::write_string(id, tail_);
    tail_ += '}';
    if (event.usage != nullptr) usage_ = *event.usage;
    lane(0);
  }

  // ---- chunks -----------------------------------------------------------------------------------

  void begin_chunk() {
    if (document_) return;
    if (array_) {
      *out_ += any_chunk_ ? ",\n" : "[";
    } else {
      *out_ += "data: ";
    }
    any_chunk_ = true;
  }
  void end_chunk() {
    *out_ += tail_;
    if (!document_) *out_ += array_ ? "\n" : "\n\n";
  }

  // One part, whole: a chunk of its own, or another element of the document.
  template <class F>
  void put_part(Lane& lane, F&& write) {
    if (document_) {
      flush_run(lane);
      if (!lane.parts.empty()) lane.parts += ',';
      write(lane.parts);
      return;
    }
    begin_chunk();
    *out_ += "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[";
    write(*out_);
    *out_ += "]},\"index\":";
    *out_ += std::to_string(lane.candidate);
    *out_ += "}]";
    end_chunk();
  }

  static void put_signature(std::string& to, std::string_view signature) {
    if (signature.empty()) return;
    to += ",\"thoughtSignature\":";
    json::write_string(signature, to);
  }

  // ---- text -------------------------------------------------------------------------------------

  // Enters the run that a text of this kind continues or begins.
  void enter_run(Lane& lane, bool thought) {
    if (lane.in_run && lane.run_thought == thought) return;
    leave_run(lane);
    lane.in_run = true;
    lane.run_thought = thought;
    ++lane.runs;
    lane.index = TextIndex();
    lane.part_byte = lane.part_point = 0;
  }
  void leave_run(Lane& lane) {
    flush_run(lane);
    lane.in_run = false;
  }
  void flush_run(Lane& lane) {
    if (!document_ || !lane.in_run) return;
    lane.in_run = false;
    if (!lane.parts.empty()) lane.parts += ',';
    lane.parts += "{\"text\":";
    json::write_string(lane.text, lane.parts);
    if (lane.run_thought) lane.parts += ",\"thought\":true";
    put_signature(lane.parts, lane.run_signature);
    lane.parts += '}';
    lane.text.clear();
    lane.run_signature.clear();
  }

  void put_text(Lane& lane, std::string_view data, bool thought, std::string_view signature,
                const json::Value& logprobs = {}) {
    enter_run(lane, thought);
    if (!thought) lane.index.add(data);
    if (!logprobs.empty()) add_logprobs(lane, logprobs);
    if (document_) {
      lane.text += data;
      if (!signature.empty()) lane.run_signature = signature;
      return;
    }
    begin_chunk();
    std::string& out = *out_;
    out += "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":";
    json::write_string(data, out);
    if (thought) out += ",\"thought\":true";
    put_signature(out, signature);
    out += "}]},\"index\":";
    out += std::to_string(lane.candidate);
    if (!lane.logprobs.empty()) {
      write_logprobs(lane, out);
      lane.logprobs.clear();
      lane.top_logprobs.clear();
    }
    out += "}]";
    end_chunk();
  }

  // The signature that goes onto the part about to be written.
  std::string take_signature(Lane& lane) {
    std::string signature;
    signature.swap(lane.own.empty() ? lane.carried : lane.own);
    return signature;
  }

  // ---- parts ------------------------------------------------------------------------------------

  void part_start(Lane& lane, const Event& event) {
    lane.kind = event.part_kind;
    lane.part = event.part;
    lane.hidden = false;
    lane.part_byte = lane.in_run && !lane.run_thought ? lane.index.bytes() : 0;
    lane.part_point = lane.in_run && !lane.run_thought ? lane.index.points() : 0;
    switch (event.part_kind) {
      case PartKind::reasoning:
        lane.redacted = event.redacted;
        lane.hidden = !context_.request.include_thoughts;
        if (lane.hidden) losses_.lose(AnswerLoss::reasoning, upstream_);
        // A second thought: the first one's signature stays with the first.
        if (!lane.carried.empty()) {
          const std::string signature = std::move(lane.carried);
          lane.carried.clear();
          put_text(lane, {}, !lane.hidden, signature);
        }
        return;
      case PartKind::call:
        lane.id = event.id;
        lane.name = event.name;
        lane.name_space = event.name_space;
        lane.call_kind = event.call_kind;
        lane.arguments.clear();
        lane.signature.clear();
        if (event.opaque) {
          lane.signature = event.opaque.proto == Protocol::gemini
                               ? std::string(event.opaque.bytes)
                               : seal_for_gemini(event.opaque.proto, event.opaque.bytes);
        }
        return;
      case PartKind::code:
      case PartKind::code_result:
        lane.name = event.name;
        lane.arguments.clear();
        return;
      case PartKind::image:
      case PartKind::audio:
        leave_run(lane);
        ++lane.runs;
        return put_part(lane, [&](std::string& to) {
          to += "{\"inlineData\":{\"mimeType\":";
          json::write_string(event.raw["mimeType"].str(event.raw["mime_type"].str()), to);
          to += ",\"data\":";
          json::write_string(event.raw["data"].str(), to);
          to += '}';
          put_signature(to, take_signature(lane));
          to += '}';
        });
      case PartKind::raw:
        if (upstream_ != Protocol::gemini) break;
        leave_run(lane);
        ++lane.runs;
        return put_part(lane, [&](std::string& to) { json::write_to(event.raw, to); });
      case PartKind::text:
      case PartKind::refusal:
        return;
      default:
        break;
    }
    losses_.lose(event.part_kind == PartKind::server ? AnswerLoss::server_tool : AnswerLoss::media,
                 upstream_);
  }

  void delta(Lane& lane, const Event& event) {
    switch (lane.kind) {
      case PartKind::text:
      case PartKind::refusal:
        return put_text(lane, event.data, false, take_signature(lane), event.raw);
      case PartKind::reasoning:
        if (!lane.hidden) put_text(lane, event.data, true, take_signature(lane));
        return;
      case PartKind::call:
      case PartKind::code:
      case PartKind::code_result:
        lane.arguments += event.data;
        return;
      default:
        return;
    }
  }

  void opaque(Lane& lane, const Event& event) {
    const bool reasoning = lane.kind == PartKind::reasoning && lane.part == event.part;
    if (event.opaque.proto == Protocol::gemini) {
      if (lane.part == event.part && !lane.hidden && (lane.kind == PartKind::text || reasoning)) {
        lane.own = event.opaque.bytes;  // goes with the text that follows, else alone
      } else {
        put_text(lane, {}, false, event.opaque.bytes);
      }
      return;
    }
    // Claude takes a signature back only with the words it signs.
    if (reasoning && lane.hidden && event.opaque.proto == Protocol::claude && !lane.redacted) {
      losses_.lose(AnswerLoss::signature, upstream_);
      return;
    }
    lane.sealed += event.opaque.bytes;
    lane.carried = seal_for_gemini(event.opaque.proto, lane.sealed,
                                   reasoning && lane.redacted ? Redacted::yes : Redacted::no);
  }

  void part_end(Lane& lane) {
    lane.sealed.clear();
    if (!lane.own.empty()) {
      const bool thought = lane.kind == PartKind::reasoning;
      const std::string signature = std::move(lane.own);
      lane.own.clear();
      put_text(lane, {}, thought, signature);
    }
    resolve_cites(lane);
    switch (lane.kind) {
      case PartKind::call:
        return put_call(lane);
      case PartKind::code:
        return put_code(lane, "executableCode", "language", "code");
      case PartKind::code_result:
        return put_code(lane, "codeExecutionResult", "outcome", "output");
      default:
        return;
    }
  }

  void put_call(Lane& lane) {
    leave_run(lane);
    ++lane.runs;
    const auto* tool = context_.request.find_tool(lane.name);
    std::string name = tool != nullptr ? tool->original : lane.name;
    if (tool == nullptr && !lane.name_space.empty()) name = lane.name_space + "__" + name;
    std::string id = lane.id;
    if (id.empty() && upstream_ != Protocol::gemini) id = context_.ids.next("call_");
    put_part(lane, [&](std::string& to) {
      Arena arena;
      json::Value args = lane.call_kind == Call::Kind::custom ? wrap_input(lane.arguments, arena)
                                                              : args_object(lane.arguments, arena);
      to += "{\"functionCall\":{";
      if (!id.empty()) {
        to += "\"id\":";
        json::write_string(id, to);
        to += ',';
      }
      to += "\"name\":";
      json::write_string(name, to);
      to += ",\"args\":";
      json::write_to(args, to);
      to += '}';
      std::string signature = std::move(lane.signature);
      if (signature.empty()) signature = take_signature(lane);
      put_signature(to, signature);
      to += '}';
      if (args.has("_raw_arguments") || args.has("value")) {
        losses_.lose(AnswerLoss::raw_arguments, upstream_);
      }
    });
    lane.arguments.clear();
    lane.arguments.shrink_to_fit();
    lane.signature.clear();
  }

  void put_code(Lane& lane, std::string_view member, std::string_view first,
                std::string_view second) {
    leave_run(lane);
    ++lane.runs;
    put_part(lane, [&](std::string& to) {
      json::Writer w(to);
      w.begin_object();
      w.key(member);
      w.begin_object();
      w.field(first, lane.name);
      w.field(second, lane.arguments);
      w.end_object();
      w.end_object();
    });
    lane.arguments.clear();
  }

  // ---- citations and logprobs -------------------------------------------------------------------

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
    if (citation.origin == Protocol::gemini) kept.text = citation.cited_text;
    lane.cite_bytes += sizeof(Cite) + kept.url.size() + kept.title.size() + kept.text.size();
    lane.cites.push_back(std::move(kept));
    // The text came first, and its part is over.
    if (lane.part != event.part || lane.kind != PartKind::text) resolve_cites(lane, event.part);
  }

  void resolve_cites(Lane& lane) { resolve_cites(lane, lane.part); }
  void resolve_cites(Lane& lane, uint32_t part) {
    for (auto& cite : lane.cites) {
      if (cite.resolved || cite.part != part) continue;
      cite.resolved = true;
      cite.run = lane.runs > 0 ? lane.runs - 1 : 0;
      if (!lane.in_run || lane.run_thought || lane.part != part) {
        // Its run is gone: only offsets that need no conversion still hold.
        if (cite.unit != Citation::Unit::utf8_bytes) cite.start = cite.end = -1;
        continue;
      }
      const auto byte = static_cast<int64_t>(lane.part_byte);
      const auto point = static_cast<int64_t>(lane.part_point);
      if (cite.unit == Citation::Unit::utf8_bytes && cite.end >= 0) {
        cite.start += byte;
        cite.end += byte;
      } else if (cite.unit == Citation::Unit::code_points && cite.end >= 0) {
        cite.start = lane.index.to_bytes(point + std::max<int64_t>(cite.start, 0));
        cite.end = lane.index.to_bytes(point + cite.end);
      } else {
        cite.start = byte;
        cite.end = static_cast<int64_t>(lane.index.bytes());
      }
    }
  }

  static void write_grounding(const Lane& lane, std::string& out) {
    if (lane.cites.empty()) return;
    std::vector<std::pair<std::string_view, std::string_view>> sources;
    const auto source_of = [&sources](const Cite& cite) {
      const std::pair<std::string_view, std::string_view> key(cite.url, cite.title);
      const auto at = std::find(sources.begin(), sources.end(), key);
      if (at != sources.end()) return static_cast<size_t>(at - sources.begin());
      sources.push_back(key);
      return sources.size() - 1;
    };
    for (const auto& cite : lane.cites) source_of(cite);
    out += ",\"groundingMetadata\":";
    json::Writer w(out);
    w.begin_object();
    w.key("groundingChunks");
    w.begin_array();
    for (const auto& [url, title] : sources) {
      w.begin_object();
      w.key("web");
      w.begin_object();
      w.field("uri", url);
      w.field("title", title);
      w.end_object();
      w.end_object();
    }
    w.end_array();
    w.key("groundingSupports");
    w.begin_array();
    for (const auto& cite : lane.cites) {
      if (cite.end < 0) continue;
      w.begin_object();
      w.key("segment");
      w.begin_object();
      if (cite.run > 0) w.field("partIndex", cite.run);
      w.field("startIndex", std::max<int64_t>(cite.start, 0));
      w.field("endIndex", cite.end);
      if (!cite.text.empty()) w.field("text", cite.text);
      w.end_object();
      w.key("groundingChunkIndices");
      w.begin_array();
      w.integer(static_cast<int64_t>(source_of(cite)));
      w.end_array();
      w.end_object();
    }
    w.end_array();
    w.end_object();
  }

  static void write_token(json::Writer& w, const json::Value& token) {
    w.begin_object();
    w.field("token", token["token"].str());
    w.key("logProbability");
    w.value(token["logprob"]);
    w.end_object();
  }
  static void add_logprobs(Lane& lane, const json::Value& tokens) {
    for (const auto& token : tokens.items()) {
      if (!lane.logprobs.empty()) {
        lane.logprobs += ',';
        lane.top_logprobs += ',';
      }
      json::Writer chosen(lane.logprobs);
      write_token(chosen, token);
      json::Writer top(lane.top_logprobs);
      top.begin_object();
      top.key("candidates");
      top.begin_array();
      for (const auto& other : token["top_logprobs"].items()) write_token(top, other);
      top.end_array();
      top.end_object();
    }
  }
  static void write_logprobs(const Lane& lane, std::string& out) {
    if (lane.logprobs.empty()) return;
    out += ",\"logprobsResult\":{\"chosenCandidates\":[" + lane.logprobs + "],\"topCandidates\":[" +
           lane.top_logprobs + "]}";
  }

  // ---- the end ----------------------------------------------------------------------------------

  void finish(Lane& lane, const Finish& said) {
    lane.reason = said.reason;
    lane.origin = said.origin;
    lane.native = said.native;
    lane.explanation = said.explanation;
  }

  static std::string_view finish_word(const Lane& lane) {
    const bool native = lane.origin == Protocol::gemini && !lane.native.empty();
    switch (lane.reason) {
      case FinishReason::length:
      case FinishReason::context:
        return "MAX_TOKENS";
      case FinishReason::filtered:
        return native ? std::string_view(lane.native) : "SAFETY";
      case FinishReason::pause:
        return native ? std::string_view(lane.native) : "STOP";
      case FinishReason::bad_call:
      case FinishReason::error:
        return native ? std::string_view(lane.native) : "OTHER";
      default:
        return "STOP";
    }
  }

  void eof() {
    for (auto& lane : lanes_) {
      if (!lane.carried.empty()) {
        const std::string signature = std::move(lane.carried);
        lane.carried.clear();
        put_text(lane, {}, false, signature);
      }
      leave_run(lane);
    }
    begin_chunk();
    std::string& out = *out_;
    out += "{\"candidates\":[";
    bool first = true;
    for (auto& lane : lanes_) {
      if (!first) out += ',';
      first = false;
      out += "{\"content\":{\"role\":\"model\",\"parts\":[" + lane.parts + "]},\"finishReason\":";
      json::write_string(finish_word(lane), out);
      std::string_view message = lane.explanation;
      if (lane.reason == FinishReason::pause && lane.origin == Protocol::claude) {
        message = "pause_turn";
      }
      if (!message.empty()) {
        out += ",\"finishMessage\":";
        json::write_string(message, out);
      }
      out += ",\"index\":" + std::to_string(lane.candidate);
      write_grounding(lane, out);
      if (document_) write_logprobs(lane, out);
      out += '}';
    }
    out += ']';
    if (usage_.known) {
      out += ",\"usageMetadata\":";
      json::Writer w(out);
      write_gemini_usage(w, usage_);
    }
    end_chunk();
    if (!document_ && array_) out += ']';
    ended_ = true;
  }

  AnswerContext context_;
  AnswerLosses losses_;
  Protocol upstream_;
  bool document_;
  bool array_;
  Inner inner_;
  SequentialParts sequence_;
  std::string tail_;  // the end of every chunk
  bool any_chunk_ = false;
  std::deque<Lane> lanes_;
  TokenUsage usage_;
};

}  // namespace

std::unique_ptr<AnswerEncoder> make_gemini_encoder(AnswerForm form, const AnswerContext& context) {
  return std::make_unique<GeminiEncoder>(form, context);
}

}  // namespace gproxy::translate
