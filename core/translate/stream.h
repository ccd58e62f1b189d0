// A stream of one protocol becomes a stream of another, as it arrives. Owned by the exchange, lives
// on its loop; pure: no clock, no I/O, the same bytes out whatever the pieces in.
//
// When feed() or finish() fail, the upstream failed: while nothing was sent to the client (see
// progress()) the caller answers with a plain HTTP error, afterwards it calls fail(), which appends
// the client's error event. A success marker is written only when the upstream finished properly.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "base/result.h"
#include "base/sse.h"
#include "translate/array_reader.h"
#include "translate/stop_filter.h"
#include "translate/stream_codec.h"

namespace gproxy::translate {

class StreamTranslator {
 public:
  // `request`, `options` and `ids` outlive the translator. The client's form is a stream
  // (GeminiFraming from the request); the upstream's bytes may be SSE, a Gemini JSON array, or one
  // whole JSON answer (an upstream that ignored `stream`): the first byte tells.
  StreamTranslator(const RequestContext& request, const Options& options, IdSource& ids);
  // With another form: AnswerForm::document collects a stream into one answer, written by finish().
  StreamTranslator(const RequestContext& request, const Options& options, IdSource& ids,
                   AnswerForm form);
  ~StreamTranslator();
  StreamTranslator(const StreamTranslator&) = delete;
  StreamTranslator& operator=(const StreamTranslator&) = delete;

  // Translates what arrived and appends to `out`. After the source's terminal marker everything is
  // ignored. When it fails, `out` holds what was translated before the failing event.
  Result<void> feed(std::string_view in, std::string& out);
  // End of the upstream's bytes.
  Result<void> finish(std::string& out);
  // Appends the client's error event. Idempotent; nothing after the end.
  void fail(const Error& error, std::string& out);

  enum class Progress : uint8_t {
    nothing,  // no event decoded: any error is still a plain HTTP error
    begun,    // the source's first event was decoded, nothing visible yet
    content,  // visible output was decoded
    ended,    // success marker or error event written
  };
  Progress progress() const;
  bool ended() const { return ended_; }

  const TokenUsage& usage() const { return usage_; }
  FinishReason finish_reason() const { return finish_; }
  const LossLog& losses() const { return losses_; }
  // Bytes kept between two calls, buffers and codec state.
  size_t held_bytes() const;

  // What keeps a silent stream alive, in the client's protocol; empty for Gemini (nothing may be
  // put between its frames). May only be written between two feed() calls.
  static std::string_view keepalive(Protocol client);
  // Content type of the stream towards the client.
  static std::string_view content_type(Protocol client, GeminiFraming framing);

 private:
  enum class Source : uint8_t { unknown, sse, array, whole };
  class Observer;

  Result<void> take(std::string_view name, std::string_view data);
  Result<void> take_json(std::string_view name, std::string_view text);
  Result<void> after(Result<void> decoded);
  // A Responses stream collected for a Responses client: the terminal event has the whole answer.
  bool take_terminal(const json::Value& doc);
  // Between equal protocols a whole answer stays as it is, but for its model name.
  void keep_native(json::Value doc, Arena& arena, size_t before);

  LossLog losses_;
  AnswerContext context_;
  std::unique_ptr<AnswerDecoder> decoder_;
  std::unique_ptr<AnswerEncoder> encoder_;
  std::unique_ptr<Observer> observer_;
  std::unique_ptr<StopFilter> stop_filter_;  // emulated stop sequences
  EventSink* sink_ = nullptr;                // what the decoder speaks to
  Arena arena_;
  sse::Reader sse_;
  ArrayReader array_;
  std::string head_;   // bytes before the source's kind is known
  std::string whole_;  // a whole JSON answer
  std::string* out_ = nullptr;
  TokenUsage usage_;
  FinishReason finish_ = FinishReason::none;
  AnswerForm form_;
  Source source_ = Source::unknown;
  bool begun_ = false;
  bool ended_ = false;
  bool failed_ = false;
};

}  // namespace gproxy::translate
