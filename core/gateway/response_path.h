// The way of an answer's bytes from upstream to client, built once per attempt: the module's data
// hook, the translator (absent on native routes), the usage scan (reads, never copies), the edits
// (model name on aggregate routes, a usage chunk nobody asked for), the receiver. What is absent
// costs nothing: a native answer on a provider's own route is handed through as the very bytes that
// came. Lives on the exchange's loop, owned by it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "gateway/module_usage.h"
#include "modhost/call.h"
#include "translate/protocol.h"
#include "translate/stream.h"
#include "translate/usage_scan.h"

namespace gproxy::gateway {

class ResponsePath final : private modhost::DataSink {
 public:
  class Receiver {
   public:
    // Bytes for the client, in order; valid during the call. Called from inside feed() and
    // finish().
    virtual void on_answer(std::string_view bytes) = 0;
    // With report_id: the answer's id, before the bytes that end it are passed.
    virtual void on_response_id(std::string_view id) = 0;

   protected:
    ~Receiver() = default;
  };

  // What a native answer must look like before anything of it passes. Cheap on purpose: the first
  // bytes, and of a short answer that its brackets close; nothing is decoded.
  enum class Expects : uint8_t {
    anything,
    object,     // {…}
    container,  // {…} or […]
    elements,   // as container, but it is streamed: nothing is held for its end
    events,     // server-sent events whose data are objects
  };

  struct Options {
    translate::Protocol protocol = translate::Protocol::none;  // of the upstream's bytes
    translate::Framing framing = translate::Framing::json;
    // Nothing passes until an event that is no error was seen (streams): until then the attempt may
    // still fail as a whole. Without it the first byte opens the way.
    bool gate_on_event = false;
    Expects expects = Expects::anything;
    bool length_known = false;       // blanks before the answer are no keep-alive
    bool report_id = false;          // Responses: on_response_id() is wanted
    bool strip_usage_chunk = false;  // the client did not ask for the chunk that we asked for
    std::string_view model_provider =
        {};                         // aggregate: "provider/" goes before the model; empty = no
    modhost::Call* call = nullptr;  // its data hook; null = none
    std::unique_ptr<ModuleUsageReader> usage = nullptr;  // null = usage is read by protocol alone
    // Nothing passes before it has decoded an event, so that the attempt may still fail as a whole.
    std::unique_ptr<translate::StreamTranslator> translator = nullptr;
    // The translator writes one whole answer: it is kept for whole(), nothing goes to the receiver.
    bool whole = false;
    size_t max_whole_bytes = 0;  // of what is kept meanwhile
  };

  ResponsePath(Options options, Receiver& receiver);
  ResponsePath(const ResponsePath&) = delete;
  ResponsePath& operator=(const ResponsePath&) = delete;

  // Errors are the module's or the translator's; nothing may be fed afterwards.
  Result<void> feed(std::string_view bytes);
  // The upstream's bytes are complete. Whatever was held back passes, unless the gate is shut by an
  // error event.
  Result<void> finish();

  // True once bytes may pass: from then on the attempt cannot be taken back.
  bool open() const { return open_; }
  // The gate is shut and an error event stands behind it.
  bool failed_at_gate() const { return !open_ && scan_.failed(); }
  std::string_view held() const { return held_; }

  // The answer is not what was expected, and nothing of it has passed.
  bool garbage() const { return garbage_; }
  // Some of it has passed, and it ends in the middle.
  bool cut() const { return cut_; }

  // Translated routes. The client's whole answer, after finish().
  std::string_view whole() const { return translated_; }
  // Why the translator gave up on the upstream's answer, or null.
  const Error* translator_error() const {
    return translator_error_ ? &*translator_error_ : nullptr;
  }
  // The client's answer is complete, whatever may come.
  bool translated_end() const {
    return options_.translator != nullptr && options_.translator->ended();
  }
  const translate::StreamTranslator* translator() const { return options_.translator.get(); }
  // Tells the client of a running stream that it failed; false where the answer is native.
  bool fail(const Error& error);

  // Another event may be put between the bytes here.
  bool at_boundary() const {
    return options_.translator != nullptr || (held_edit() && scan_.at_boundary());
  }
  const translate::UsageScan& scan() const { return scan_; }
  // What the answer has told so far, in its module's reading where that has one.
  translate::Usage usage() const {
    return options_.usage != nullptr ? options_.usage->over(scan_.usage()) : scan_.usage();
  }
  bool scan_is_sse() const { return options_.framing == translate::Framing::sse; }

 private:
  static constexpr size_t kMaxGateBytes = 64 * 1024;
  static constexpr size_t kMaxHeldAnswer = 16 * 1024;  // longer ones pass before their end
  static constexpr size_t kMaxUsageChunk = 64 * 1024;

  Result<void> on_module_data(std::string_view bytes) override;
  Result<void> native(std::string_view bytes);
  Result<void> translate(std::string_view bytes);
  Result<void> translated(Result<void> result);
  void edit(std::string_view bytes);
  void settle_model();
  void emit(std::string_view bytes);
  void hold(std::string_view bytes);
  void pass(std::string_view bytes);
  bool expects_json() const {
    return options_.expects != Expects::anything && options_.expects != Expects::events;
  }
  void tell_id();
  bool held_edit() const { return edited_.empty(); }

  Options options_;
  Receiver& receiver_;
  translate::UsageScan scan_;
  std::string held_;    // behind the gate
  std::string edited_;  // being edited; kept between pieces only as far as a decision is pending
  std::string translated_;  // not passed yet
  std::optional<Error> translator_error_;
  size_t event_at_ = 0;  // in edited_: where the current event begins
  size_t model_at_ = 0;  // in edited_: behind the opening quote of a model not settled yet
  bool settling_ = false;
  bool event_too_large_ = false;
  bool drop_lf_ = false;  // of an event that was taken out; its CR came in the piece before
  bool open_ = false;
  bool garbage_ = false;
  bool cut_ = false;
  bool unread_ = false;  // it begins with something that the scan cannot see behind
};

// Puts the provider before the model of a whole model answer (GET models/…): `field` is "id" or
// "name"; Gemini's "models/" stays in front.
std::string prefix_model_field(std::string_view body, std::string_view field,
                               std::string_view provider);

}  // namespace gproxy::gateway
