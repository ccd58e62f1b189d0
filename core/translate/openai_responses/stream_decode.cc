// Responses answers -> neutral events (wire-formats 4.2.2).
#include <vector>

#include "translate/answer_decoder.h"
#include "translate/openai_responses/answer.h"
#include "translate/usage_map.h"

namespace gproxy::translate {

namespace {

// What was streamed of a text that a later event repeats whole: enough to tell whether the whole
// strictly extends it, without keeping it (FNV-1a, 64 bit).
class Streamed {
 public:
  void add(std::string_view text) {
    for (const char c : text) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * kPrime;
    size_ += text.size();
  }
  // What `whole` has beyond what was streamed; empty when it is something else.
  std::string_view rest(std::string_view whole) const {
    if (whole.size() <= size_) return {};
    Streamed begin;
    begin.add(whole.substr(0, size_));
    return begin.hash_ == hash_ ? whole.substr(size_) : std::string_view();
  }
  bool empty() const { return size_ == 0; }

 private:
  static constexpr uint64_t kPrime = 1099511628211u;
  uint64_t hash_ = 14695981039346656037u;
  size_t size_ = 0;
};

class ResponsesDecoder final : public DecoderBase {
 public:
  explicit ResponsesDecoder(const AnswerContext& context)
      : DecoderBase(Protocol::openai_response, context) {}

  Result<void> event(std::string_view name, const json::Value& doc, Arena&,
                     EventSink& sink) override {
    if (!doc.is_object()) {
      return bad_upstream("upstream_invalid_response", "upstream sent an event that is no object");
    }
    const auto type = doc["type"].str(name);
    constexpr std::string_view kPrefix = "response.";
    if (type == "error" || (type.empty() && doc.has("error"))) {
      return upstream_error(Protocol::openai_response, doc);
    }
    if (!type.starts_with(kPrefix)) return ok();
    const auto what = type.substr(kPrefix.size());
    if (what == "output_text.delta" || what == "refusal.delta") {
      take_text(doc, what == "refusal.delta" ? PartKind::refusal : PartKind::text, sink);
    } else if (what == "function_call_arguments.delta" || what == "custom_tool_call_input.delta") {
      take_arguments(doc, sink);
    } else if (what == "reasoning_summary_text.delta") {
      take_summary(doc, sink);
    } else if (what == "reasoning_text.delta") {
      take_reasoning_text(doc, sink);
    } else if (what == "created" || what == "in_progress" || what == "queued") {
      begin_answer(doc["response"], sink);
    } else if (what == "output_item.added") {
      take_item_added(doc, sink);
    } else if (what == "output_item.done") {
      take_item_done(index_of(doc), doc["item"], sink);
    } else if (what == "content_part.added") {
      take_part_added(doc, sink);
    } else if (what == "content_part.done") {
      take_part_done(doc, sink);
    } else if (what == "output_text.done") {
      reconcile_text(doc, doc["text"].str(), sink);
    } else if (what == "refusal.done") {
      reconcile_text(doc, doc["refusal"].str(), sink);
    } else if (what == "function_call_arguments.done") {
      reconcile_call(doc, doc["arguments"].str(), sink);
    } else if (what == "custom_tool_call_input.done") {
      reconcile_call(doc, doc["input"].str(), sink);
    } else if (what == "output_text.annotation.added") {
      if (Item* item = find(index_of(doc)); item != nullptr && item->part_open) {
        cite(item->part, doc["annotation"], sink);
      }
    } else if (what == "reasoning_summary_part.added") {
      if (Item* item = find(index_of(doc)); item != nullptr && doc["summary_index"].int_or(0) > 0) {
        item->paragraph = true;
      }
    } else if (what == "completed" || what == "incomplete") {
      return take_terminal(doc["response"], sink);
    } else if (what == "failed" || what == "cancelled") {
      return failure(doc["response"]);
    }
    return ok();
  }

  Result<void> end(EventSink& sink) override { return complete(sink, FinishReason::none); }

  Result<void> answer(const json::Value& doc, Arena&, EventSink& sink) override {
    if (!doc.is_object()) {
      return bad_upstream("upstream_invalid_response", "upstream answered with no object");
    }
    const auto status = doc["status"].str();
    if (status == "failed" || status == "cancelled" || doc["error"].is_object()) {
      return failure(doc);
    }
    if (!doc["output"].is_array()) {
      return bad_upstream("upstream_invalid_response", "upstream answered without output");
    }
    if (status == "in_progress" || status == "queued") {
      return bad_upstream("upstream_invalid_response", "upstream answered before it was done");
    }
    return take_terminal(doc, sink);
  }

 private:
  static constexpr size_t kReasoningHold = 2048;
  enum class Kind : uint8_t { message, reasoning, call, server };
  enum class From : uint8_t { none, summary, text };
  struct Item {
    int64_t index = 0;
    Kind kind = Kind::message;
    uint32_t part = 0;
    PartKind part_kind = PartKind::text;
    bool part_open = false;
    bool done = false;
    bool paragraph = false;  // "\n\n" goes before the next summary delta
    From from = From::none;  // which of its two texts a reasoning item is told from
    std::string held;        // reasoning_text, while a summary may still come
    Streamed streamed;
  };

  static int64_t index_of(const json::Value& doc) { return doc["output_index"].int_or(0); }

  Item* find(int64_t index) {
    // Almost always the newest.
    for (size_t i = items_.size(); i-- > 0;) {
      if (items_[i].index == index) return items_[i].done ? nullptr : &items_[i];
    }
    return nullptr;
  }
  bool seen(int64_t index) const {
    for (const auto& item : items_) {
      if (item.index == index) return true;
    }
    return false;
  }
  Item& add(int64_t index, Kind kind) {
    Item item;
    item.index = index;
    item.kind = kind;
    items_.push_back(std::move(item));
    return items_.back();
  }

  void begin_answer(const json::Value& response, EventSink& sink) {
    lane(0);
    start(sink, response["id"].str(), response["model"].str(), response["created_at"].int_or(0));
  }
  void ensure_started(EventSink& sink) {
    if (!started()) begin_answer(json::Value(), sink);
  }

  void open_part(Item& item, PartKind kind, EventSink& sink) {
    ensure_started(sink);
    close_part(item, sink);
    Event event;
    event.part_kind = kind;
    item.part = begin(*lane(0), sink, event);
    item.part_kind = kind;
    item.part_open = true;
    item.streamed = Streamed();
  }
  void close_part(Item& item, EventSink& sink) {
    if (!item.part_open) return;
    item.part_open = false;
    part_end(*lane(0), sink, item.part);
  }
  void say(Item& item, std::string_view data, EventSink& sink, const json::Value& logprobs = {}) {
    if (data.empty()) return;
    item.streamed.add(data);
    delta(*lane(0), sink, item.part, item.part_kind, data, logprobs);
  }
  void reconcile(Item& item, std::string_view whole, EventSink& sink) {
    if (item.part_open) say(item, item.streamed.rest(whole), sink);
  }

  // ---- messages ---------------------------------------------------------------------------------

  void take_text(const json::Value& doc, PartKind kind, EventSink& sink) {
    Item* item = find(index_of(doc));
    if (item == nullptr) {
      if (seen(index_of(doc))) return;
      item = &add(index_of(doc), Kind::message);
    }
    if (!item->part_open || item->part_kind != kind) open_part(*item, kind, sink);
    say(*item, doc["delta"].str(), sink, doc["logprobs"]);
  }

  void take_part_added(const json::Value& doc, EventSink& sink) {
    Item* item = find(index_of(doc));
    const auto type = doc["part"]["type"].str();
    if (type == "reasoning_text") return;
    if (item == nullptr) {
      if (seen(index_of(doc))) return;
      item = &add(index_of(doc), Kind::message);
    }
    if (item->kind != Kind::message) return;
    open_part(*item, type == "refusal" ? PartKind::refusal : PartKind::text, sink);
  }

  void reconcile_text(const json::Value& doc, std::string_view whole, EventSink& sink) {
    if (Item* item = find(index_of(doc)); item != nullptr && item->kind == Kind::message) {
      reconcile(*item, whole, sink);
    }
  }

  void take_part_done(const json::Value& doc, EventSink& sink) {
    Item* item = find(index_of(doc));
    if (item == nullptr || item->kind != Kind::message) return;
    const auto& part = doc["part"];
    reconcile(*item, part[part["type"].str() == "refusal" ? "refusal" : "text"].str(), sink);
    close_part(*item, sink);
  }

  void cite(uint32_t part, const json::Value& said, EventSink& sink) {
    if (!said.is_object()) return;
    const auto type = said["type"].str();
    Citation citation;
    citation.origin = Protocol::openai_response;
    citation.kind = type == "url_citation" ? Citation::Kind::url : Citation::Kind::file;
    citation.unit = Citation::Unit::code_points;
    citation.url = said["url"].str();
    citation.title = said["title"].str(said["filename"].str());
    citation.file_id = said["file_id"].str();
    citation.start = text_offset(said["start_index"]);
    citation.end = text_offset(said["end_index"]);
    citation.raw = said;
    Event event;
    event.kind = EventKind::cite;
    event.part = part;
    event.citation = &citation;
    sink.on(event);
  }

  // ---- reasoning --------------------------------------------------------------------------------

  void take_summary(const json::Value& doc, EventSink& sink) {
    Item* item = find(index_of(doc));
    if (item == nullptr) {
      if (seen(index_of(doc))) return;
      item = &add(index_of(doc), Kind::reasoning);
    }
    if (item->from == From::text) return;
    item->from = From::summary;
    item->held.clear();
    if (!item->part_open) open_part(*item, PartKind::reasoning, sink);
    if (item->paragraph && !item->streamed.empty()) say(*item, "\n\n", sink);
    item->paragraph = false;
    say(*item, doc["delta"].str(), sink);
  }

  // Raw reasoning counts only where no summary comes; it is held back a little to see.
  void take_reasoning_text(const json::Value& doc, EventSink& sink) {
    Item* item = find(index_of(doc));
    if (item == nullptr) {
      if (seen(index_of(doc))) return;
      item = &add(index_of(doc), Kind::reasoning);
    }
    if (item->from == From::summary) return;
    if (!item->part_open) open_part(*item, PartKind::reasoning, sink);
    const auto data = doc["delta"].str();
    if (item->from == From::text) return say(*item, data, sink);
    item->held += data;
    if (item->held.size() > kReasoningHold) flush_held(*item, sink);
  }

  void flush_held(Item& item, EventSink& sink) {
    if (item.held.empty()) return;
    item.from = From::text;
    say(item, item.held, sink);
    item.held.clear();
    item.held.shrink_to_fit();
  }

  static std::string joined(const json::Value& list) {
    std::string out;
    for (const auto& part : list.items()) {
      const auto text = part["text"].str();
      if (text.empty()) continue;
      if (!out.empty()) out += "\n\n";
      out += text;
    }
    return out;
  }

  void end_reasoning(Item& item, const json::Value& said, EventSink& sink) {
    if (!item.part_open) open_part(item, PartKind::reasoning, sink);
    const std::string summary = joined(said["summary"]);
    if (item.from != From::summary && summary.empty()) {
      flush_held(item, sink);
      reconcile(item, joined(said["content"]), sink);
    } else if (item.from != From::text) {
      item.held.clear();
      reconcile(item, summary, sink);
    }
    if (const auto sealed = said["encrypted_content"].str(); !sealed.empty()) {
      opaque(*lane(0), sink, item.part, Protocol::openai_response, sealed);
    }
  }

  // ---- calls ------------------------------------------------------------------------------------

  static bool is_call(std::string_view type) {
    return type == "function_call" || type == "custom_tool_call" || type == "tool_search_call";
  }

  void open_call(Item& item, const json::Value& said, EventSink& sink) {
    ensure_started(sink);
    Event event;
    event.part_kind = PartKind::call;
    event.call_kind =
        said["type"].str() == "custom_tool_call" ? Call::Kind::custom : Call::Kind::function;
    event.id = said["call_id"].str(said["id"].str());
    event.name = said["name"].str(said["type"].str() == "tool_search_call" ? "tool_search" : "");
    event.name_space = said["namespace"].str();
    item.part = begin(*lane(0), sink, event);
    item.part_kind = PartKind::call;
    item.part_open = true;
  }

  void take_arguments(const json::Value& doc, EventSink& sink) {
    if (Item* item = find(index_of(doc)); item != nullptr && item->kind == Kind::call) {
      say(*item, doc["delta"].str(), sink);
    }
  }
  void reconcile_call(const json::Value& doc, std::string_view whole, EventSink& sink) {
    if (Item* item = find(index_of(doc)); item != nullptr && item->kind == Kind::call) {
      reconcile(*item, whole, sink);
    }
  }

  // ---- items ------------------------------------------------------------------------------------

  void take_item_added(const json::Value& doc, EventSink& sink) {
    const auto index = index_of(doc);
    if (seen(index)) return;
    const auto& said = doc["item"];
    const auto type = said["type"].str();
    if (type == "message") {
      add(index, Kind::message);
    } else if (type == "reasoning") {
      open_part(add(index, Kind::reasoning), PartKind::reasoning, sink);
    } else if (is_call(type)) {
      open_call(add(index, Kind::call), said, sink);
    } else {
      add(index, Kind::server);
    }
  }

  // The item is complete: says what its events did not.
  void take_item_done(int64_t index, const json::Value& said, EventSink& sink) {
    Item* item = find(index);
    const auto type = said["type"].str();
    if (item == nullptr) {
      if (seen(index)) return;
      item = &add(index, type == "message"     ? Kind::message
                         : type == "reasoning" ? Kind::reasoning
                         : is_call(type)       ? Kind::call
                                               : Kind::server);
    }
    ensure_started(sink);
    switch (item->kind) {
      case Kind::message:
        end_message(*item, said, sink);
        break;
      case Kind::reasoning:
        end_reasoning(*item, said, sink);
        break;
      case Kind::call: {
        if (!item->part_open) open_call(*item, said, sink);
        const auto& arguments = said[type == "custom_tool_call" ? "input" : "arguments"];
        const std::string owned = arguments.is_object() ? json::write(arguments) : std::string();
        reconcile(*item, owned.empty() ? arguments.str() : std::string_view(owned), sink);
        break;
      }
      case Kind::server:
        server_item(*item, said, sink);
        break;
    }
    close_part(*item, sink);
    item->done = true;
    item->held.clear();
    item->held.shrink_to_fit();
  }

  void end_message(Item& item, const json::Value& said, EventSink& sink) {
    if (item.part_open) {
      // content_part.done did not come: the part that is open is the last of the item.
      const auto& content = said["content"];
      if (!content.empty()) {
        const auto& last = content[content.size() - 1];
        reconcile(item, last[item.part_kind == PartKind::refusal ? "refusal" : "text"].str(), sink);
      }
      return close_part(item, sink);
    }
    if (item.part_kind != PartKind::text || !item.streamed.empty()) return;
    if (item.done) return;
    for (const auto& part : said["content"].items()) {
      const bool refusal = part["type"].str() == "refusal";
      open_part(item, refusal ? PartKind::refusal : PartKind::text, sink);
      say(item, part[refusal ? "refusal" : "text"].str(), sink, part["logprobs"]);
      for (const auto& annotation : part["annotations"].items()) cite(item.part, annotation, sink);
      close_part(item, sink);
    }
  }

  void server_item(Item& item, const json::Value& said, EventSink& sink) {
    Event event;
    event.name = said["type"].str();
    event.id = said["id"].str();
    event.raw = said;
    event.part_kind = PartKind::server;
    Arena arena(1024);
    if (event.name == "image_generation_call" && said["result"].is_string()) {
      auto image = json::Value::object();
      const auto format = said["output_format"].str("png");
      image.add(arena, "mimeType", json::Value::string(arena.concat({"image/", format})));
      image.add(arena, "data", said["result"]);
      event.part_kind = PartKind::image;
      event.raw = image;
    }
    item.part = begin(*lane(0), sink, event);
    item.part_kind = event.part_kind;
    item.part_open = true;
  }

  // ---- the end ----------------------------------------------------------------------------------

  Result<void> take_terminal(const json::Value& response, EventSink& sink) {
    begin_answer(response, sink);
    int64_t index = 0;
    for (const auto& said : response["output"].items()) take_item_done(index++, said, sink);
    for (auto& item : items_) {
      if (!item.done) {
        flush_held(item, sink);
        close_part(item, sink);
      }
    }
    if (response["usage"].is_object()) {
      read_responses_usage(response["usage"], usage_);
      usage(sink, usage_);
    }
    Lane& lane = *this->lane(0);
    Finish word;
    const auto why = response["incomplete_details"]["reason"].str();
    if (response["status"].str() == "incomplete") {
      word.reason = why == "content_filter" ? FinishReason::filtered : FinishReason::length;
      word.native = why;
    } else {
      word.reason = implied_finish(lane.calls);
      word.native = "completed";
    }
    finish(lane, sink, word);
    return complete(sink, FinishReason::stop, response["service_tier"].str());
  }

  static Result<void> failure(const json::Value& response) {
    if (response["status"].str() == "cancelled") {
      Error error = bad_upstream("upstream_error", "upstream cancelled the answer");
      error.status = 500;
      return error;
    }
    if (!response["error"].is_object()) {
      return bad_upstream("upstream_error", "upstream reported a failure without saying which");
    }
    Error error = upstream_error(Protocol::openai_response, response);
    // The remaining codes speak of the request's images.
    const auto code = response["error"]["code"].str();
    if (error.kind == ErrorKind::server &&
        (code.starts_with("invalid_") || code.starts_with("image_") ||
         code == "failed_to_download_image" || code == "empty_image_file" ||
         code == "unsupported_image_media_type")) {
      error.kind = ErrorKind::invalid;
      error.status = 400;
    }
    return error;
  }

  std::vector<Item> items_;
  TokenUsage usage_;
};

}  // namespace

std::unique_ptr<AnswerDecoder> make_responses_decoder(const AnswerContext& context) {
  return std::make_unique<ResponsesDecoder>(context);
}

}  // namespace gproxy::translate
