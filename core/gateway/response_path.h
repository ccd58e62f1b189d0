// The way of an answer's bytes from upstream to client, built once per attempt: the module's data
// hook, the translator (absent on native routes), the usage scan (reads, never copies), the edits
// (model name on aggregate routes, a usage chunk nobody asked for), the receiver. What is absent
// costs nothing: a native answer on a provider's own route is handed through as the very bytes that
// came. Lives on the exchange's loop, owned by it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "modhost/call.h"
#include "translate/protocol.h"
#include "translate/usage_scan.h"

namespace gproxy::gateway {

// Where translated bytes come from: the seam that the translators plug into.
class StreamTranslator {
 public:
  virtual ~StreamTranslator() = default;
  virtual Result<void> feed(std::string_view in, std::string& out) = 0;
  virtual Result<void> finish(std::string& out) = 0;
};

class ResponsePath final : private modhost::DataSink {
 public:
  class Receiver {
   public:
    // Bytes for the client, in order; valid during the call. Called from inside feed() and
    // finish().
    virtual void on_answer(std::string_view bytes) = 0;

   protected:
    ~Receiver() = default;
  };

  struct Options {
    translate::Protocol protocol = translate::Protocol::none;  // of the upstream's bytes
    translate::Framing framing = translate::Framing::json;
    // Nothing passes until an event that is no error was seen (streams): until then the attempt may
    // still fail as a whole. Without it the first byte opens the way.
    bool gate_on_event = false;
    bool strip_usage_chunk = false;  // the client did not ask for the chunk that we asked for
    std::string_view model_provider =
        {};                         // aggregate: "provider/" goes before the model; empty = no
    modhost::Call* call = nullptr;  // its data hook; null = none
    std::unique_ptr<StreamTranslator> translator = nullptr;
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

  // Another event may be put between the bytes here.
  bool at_boundary() const {
    return options_.translator != nullptr || (held_edit() && scan_.at_boundary());
  }
  const translate::UsageScan& scan() const { return scan_; }
  bool scan_is_sse() const { return options_.framing == translate::Framing::sse; }

 private:
  static constexpr size_t kMaxGateBytes = 64 * 1024;
  static constexpr size_t kMaxUsageChunk = 64 * 1024;

  Result<void> on_module_data(std::string_view bytes) override;
  Result<void> native(std::string_view bytes);
  void edit(std::string_view bytes);
  void settle_model();
  void emit(std::string_view bytes);
  bool held_edit() const { return edited_.empty(); }

  Options options_;
  Receiver& receiver_;
  translate::UsageScan scan_;
  std::string held_;    // behind the gate
  std::string edited_;  // being edited; kept between pieces only as far as a decision is pending
  std::string translated_;
  size_t event_at_ = 0;  // in edited_: where the current event begins
  size_t model_at_ = 0;  // in edited_: behind the opening quote of a model not settled yet
  bool settling_ = false;
  bool event_too_large_ = false;
  bool open_ = false;
};

// Puts the provider before the model of a whole model answer (GET models/…): `field` is "id" or
// "name"; Gemini's "models/" stays in front.
std::string prefix_model_field(std::string_view body, std::string_view field,
                               std::string_view provider);

}  // namespace gproxy::gateway
