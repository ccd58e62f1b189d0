// The seam between the four answer decoders and the four answer encoders: neutral events
// (wire-formats 4.0). A decoder reads one protocol's answer, streamed or whole, and says what
// happens; an encoder writes another protocol's answer, streamed or whole, as it is told. Both live
// for one answer, on one loop, and keep no more than the open parts.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "base/result.h"
#include "translate/codec.h"
#include "translate/loss.h"
#include "translate/model.h"

namespace gproxy::translate {

// What an answer is translated with. Everything outlives the codecs.
struct AnswerContext {
  const RequestContext& request;
  const Options& options;
  IdSource& ids;
  LossLog& losses;
};

class EventSink {
 public:
  virtual ~EventSink() = default;
  // Views in `event` are valid during the call.
  virtual void on(const Event& event) = 0;
};

// Reads one protocol. Errors are the upstream's: an error it sent, an answer that makes no sense.
// After an error nothing more is fed.
class AnswerDecoder {
 public:
  virtual ~AnswerDecoder() = default;

  // One event of a stream; `name` is the SSE event field, `doc` its data. The arena holds `doc` and
  // is reset after the call.
  virtual Result<void> event(std::string_view name, const json::Value& doc, Arena& arena,
                             EventSink& sink) = 0;
  // The marker `data: [DONE]`.
  virtual Result<void> done_marker(EventSink& sink) = 0;
  // A whole answer; ends the decoder.
  virtual Result<void> answer(const json::Value& doc, Arena& arena, EventSink& sink) = 0;
  // End of input. Fails with code "stream_interrupted" when the source had not finished.
  virtual Result<void> end(EventSink& sink) = 0;

  bool ended() const { return ended_; }          // eof was emitted: what follows is ignored
  bool has_content() const { return content_; }  // text, a call or other visible output was decoded

 protected:
  bool ended_ = false;
  bool content_ = false;
};

std::unique_ptr<AnswerDecoder> make_answer_decoder(Protocol upstream, const AnswerContext& context);

enum class AnswerForm : uint8_t { stream, document };

// Writes one protocol. In the document form everything is written at eof.
class AnswerEncoder : public EventSink {
 public:
  // Where on() and fail() append. Set before every use.
  void write_to(std::string& out) { out_ = &out; }
  // The terminal error event; nothing after it. Stream form only.
  virtual void fail(const Error& error) = 0;
  // The terminal marker of success was written.
  bool ended() const { return ended_; }
  // Set when a bound was exceeded; the stream must be failed with it.
  const Error* error() const { return error_.get(); }
  // Bytes kept between events: what the memory bound is about.
  virtual size_t held_bytes() const = 0;

 protected:
  std::string* out_ = nullptr;
  std::unique_ptr<Error> error_;
  bool ended_ = false;
};

std::unique_ptr<AnswerEncoder> make_answer_encoder(Protocol client, AnswerForm form,
                                                   const AnswerContext& context);

// The upstream's answer makes no sense or stopped: kind server, status 502.
Error bad_upstream(std::string_view code, std::string message);

}  // namespace gproxy::translate
