#include "translate/stream.h"

#include "translate/answer_common.h"
#include "translate/native_collect.h"
#include "translate/native_split.h"
#include "translate/usage_map.h"

namespace gproxy::translate {

namespace {

constexpr size_t kArenaBlock = 4096;

Error malformed() {
  return bad_upstream("upstream_invalid_response", "upstream sent an event that is no JSON");
}

}  // namespace

// Sits between the codecs and watches what passes. Between equal protocols it puts a stream
// together itself, so that the whole answer keeps what the codecs do not know.
class StreamTranslator::Observer final : public EventSink {
 public:
  Observer(StreamTranslator& owner, AnswerForm form) : owner_(owner) {
    const auto& context = owner.context_;
    const auto& request = context.request;
    if (form == AnswerForm::document && request.upstream == request.client &&
        request.emulated_stop.empty()) {
      native_ = make_native_collector(request.client, context.options.max_response_bytes);
    }
  }
  void take(const json::Value& event) {
    if (native_ != nullptr) native_->take(event);
  }
  // The encoder has written the answer from `before` on.
  void end(size_t before) {
    if (native_ == nullptr || !owner_.ended_ || owner_.failed_) return;
    const auto& context = owner_.context_;
    std::string answer;
    const bool as_upstream = context.options.upstream_model_name;
    if (!native_->write(as_upstream ? std::string_view() : context.request.requested_model,
                        answer)) {
      return;
    }
    owner_.out_->resize(before);
    *owner_.out_ += answer;
  }
  size_t held_bytes() const { return native_ == nullptr ? 0 : native_->held_bytes(); }
  void on(const Event& event) override {
    if (event.usage != nullptr) owner_.usage_ = settled(*event.usage);
    if (event.kind == EventKind::finish && event.candidate == 0) {
      owner_.finish_ = event.finish->reason;
    }
    owner_.encoder_->on(event);
  }

 private:
  StreamTranslator& owner_;
  std::unique_ptr<NativeCollector> native_;
};

StreamTranslator::StreamTranslator(const RequestContext& request, const Options& options,
                                   IdSource& ids)
    : StreamTranslator(request, options, ids, AnswerForm::stream) {}

StreamTranslator::StreamTranslator(const RequestContext& request, const Options& options,
                                   IdSource& ids, AnswerForm form)
    : context_{request, options, ids, losses_},
      decoder_(make_answer_decoder(request.upstream, context_)),
      encoder_(make_answer_encoder(request.client, form, context_)),
      observer_(std::make_unique<Observer>(*this, form)),
      sink_(observer_.get()),
      arena_(kArenaBlock, options.max_event_bytes * 8 + (size_t{1} << 20)),
      sse_(options.max_event_bytes),
      array_(options.max_event_bytes),
      form_(form) {
  if (!request.emulated_stop.empty()) {
    stop_filter_ = std::make_unique<StopFilter>(request.emulated_stop, *observer_);
    sink_ = stop_filter_.get();
  }
}

StreamTranslator::~StreamTranslator() = default;

StreamTranslator::Progress StreamTranslator::progress() const {
  if (ended_) return Progress::ended;
  if (decoder_->has_content()) return Progress::content;
  return begun_ ? Progress::begun : Progress::nothing;
}

size_t StreamTranslator::held_bytes() const {
  return sizeof(*this) + arena_.used() + sse_.pending_bytes() + array_.pending_bytes() +
         head_.capacity() + whole_.capacity() + encoder_->held_bytes() + observer_->held_bytes();
}

std::string_view StreamTranslator::keepalive(Protocol client) {
  switch (client) {
    case Protocol::claude:
      return "event: ping\ndata: {\"type\":\"ping\"}\n\n";
    case Protocol::gemini:
      return {};
    default:
      return ": keepalive\n\n";
  }
}

std::string_view StreamTranslator::content_type(Protocol client, GeminiFraming framing) {
  return client == Protocol::gemini && framing == GeminiFraming::array ? "application/json"
                                                                       : "text/event-stream";
}

Result<void> StreamTranslator::after(Result<void> decoded) {
  if (decoded.ok() && encoder_->error() != nullptr) decoded = *encoder_->error();
  if (decoded.ok() && encoder_->ended()) ended_ = true;
  if (!decoded.ok()) failed_ = true;
  return decoded;
}

Result<void> StreamTranslator::take(std::string_view name, std::string_view data) {
  if (ended_ || failed_) return ok();
  if (data == "[DONE]") {
    const size_t before = out_->size();
    auto done = after(decoder_->done_marker(*sink_));
    observer_->end(before);
    return done;
  }
  // An event without data to speak of is a keep-alive of some servers.
  if (is_blank_json(data)) return ok();
  return take_json(name, data);
}

Result<void> StreamTranslator::take_json(std::string_view name, std::string_view text) {
  if (ended_ || failed_) return ok();
  arena_.reset();
  json::Limits limits;
  limits.max_depth = context_.options.limits.max_depth;
  limits.max_bytes = context_.options.max_event_bytes;
  auto doc = json::parse(text, arena_, limits);
  if (!doc) return after(malformed());
  // Output of an event that fails is taken back while nothing went before it: the client then gets
  // a plain HTTP error.
  if (form_ == AnswerForm::document && take_terminal(*doc)) return ok();
  const size_t before = out_->size();
  observer_->take(*doc);
  Result<void> decoded = after(decoder_->event(name, *doc, arena_, *sink_));
  observer_->end(before);
  if (!decoded.ok() && !begun_) out_->resize(before);
  if (decoded.ok()) begun_ = begun_ || out_->size() > before || decoder_->has_content();
  return decoded;
}

void StreamTranslator::keep_native(json::Value doc, Arena& arena, size_t before) {
  const auto& request = context_.request;
  if (request.upstream != request.client || stop_filter_ != nullptr || !doc.is_object()) return;
  const std::string_view model = context_.options.upstream_model_name
                                     ? std::string_view()
                                     : std::string_view(request.requested_model);
  if (form_ == AnswerForm::stream) {
    std::string stream;
    if (!split_native(doc, request, model, arena, stream)) return;
    out_->resize(before);
    *out_ += stream;
    return;
  }
  if (!model.empty()) {
    doc.set(arena, request.client == Protocol::gemini ? "modelVersion" : "model",
            json::Value::string(model));
  }
  out_->resize(before);
  json::write_to(doc, *out_);
}

bool StreamTranslator::take_terminal(const json::Value& doc) {
  const auto& request = context_.request;
  if (request.upstream != Protocol::openai_response ||
      request.client != Protocol::openai_response || stop_filter_ != nullptr) {
    return false;
  }
  const auto type = doc["type"].str();
  if (type != "response.completed" && type != "response.incomplete") return false;
  const json::Value& response = doc["response"];
  // Some servers leave the output out: then it is put together from the events before.
  if (!response["output"].is_array() || response["output"].empty()) return false;
  read_responses_usage(response["usage"], usage_);
  usage_ = settled(usage_);
  finish_ = type == "response.incomplete" ? FinishReason::length : FinishReason::stop;
  keep_native(response, arena_, out_->size());
  ended_ = true;
  return true;
}

Result<void> StreamTranslator::feed(std::string_view in, std::string& out) {
  if (ended_ || failed_) return ok();
  out_ = &out;
  encoder_->write_to(out);
  if (source_ == Source::unknown) {
    // SSE begins with a field name or a comment, JSON with a bracket; a BOM or white space may come
    // before either.
    head_ += in;
    std::string_view rest = head_;
    if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
    const bool partial_bom = rest == "\xEF" || rest == "\xEF\xBB";
    const size_t first = rest.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos || partial_bom) {
      if (head_.size() > 1024) head_.clear();  // nothing but blank lines
      return ok();
    }
    const char c = rest[first];
    source_ = c == '[' ? Source::array : c == '{' ? Source::whole : Source::sse;
    if (source_ != Source::sse) rest.remove_prefix(first);
    const std::string bytes = source_ == Source::sse ? std::move(head_) : std::string(rest);
    head_ = std::string();
    return feed(bytes, out);
  }
  Result<void> result;
  if (source_ == Source::sse) {
    auto fed = sse_.feed(in, [&](const sse::Event& event) {
      result = take(event.name, event.data);
      return result.ok() && !ended_;
    });
    if (result.ok() && !fed.ok()) {
      failed_ = true;
      return fed;
    }
  } else if (source_ == Source::array && context_.request.upstream == Protocol::gemini) {
    auto fed = array_.feed(in, [&](std::string_view element) {
      result = take_json({}, element);
      return result.ok() && !ended_;
    });
    if (result.ok() && !fed.ok()) {
      failed_ = true;
      return fed;
    }
  } else {
    if (whole_.size() + in.size() > context_.options.max_response_bytes) {
      failed_ = true;
      return bad_upstream("response_too_large", "the answer exceeds max_response_bytes");
    }
    whole_ += in;
  }
  return result;
}

Result<void> StreamTranslator::finish(std::string& out) {
  if (ended_ || failed_) return ok();
  out_ = &out;
  encoder_->write_to(out);
  Result<void> result;
  if (source_ == Source::sse) {
    sse_.finish([&](const sse::Event& event) {
      // What was cut in the middle is no event.
      const bool whole = event.data == "[DONE]" || json::parse(event.data, arena_).ok();
      if (whole) result = take(event.name, event.data);
      return result.ok();
    });
  } else if (source_ != Source::unknown && !whole_.empty()) {
    arena_.reset();
    Arena arena(64 * 1024);
    auto doc = json::parse(
        whole_, arena, {context_.options.limits.max_depth, context_.options.max_response_bytes});
    if (!doc) {
      failed_ = true;
      return malformed();
    }
    const size_t before = out.size();
    result = after(decoder_->answer(*doc, arena, *sink_));
    if (!result.ok() && !begun_) out.resize(before);
    if (result.ok()) keep_native(*doc, arena, before);
    return result;
  }
  if (!result.ok() || ended_) return result;
  const size_t before = out.size();
  result = after(decoder_->end(*sink_));
  observer_->end(before);
  if (!result.ok() && !begun_) out.resize(before);
  return result;
}

void StreamTranslator::fail(const Error& error, std::string& out) {
  if (ended_) return;
  ended_ = true;
  failed_ = true;
  if (form_ == AnswerForm::document) return;
  encoder_->write_to(out);
  encoder_->fail(error);
}

}  // namespace gproxy::translate
