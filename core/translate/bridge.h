// Streams and whole answers, one from the other (wire-formats 4.5), also between equal protocols.
// The two directions are forms of StreamTranslator: a whole answer fed to a stream comes out as a
// synthetic stream, a stream fed to the document form comes out whole. This header says it in words
// the gateway can use. One per answer, on its loop.
#pragma once

#include <string>
#include <string_view>

#include "translate/response.h"
#include "translate/stream.h"

namespace gproxy::translate {

// Collects an upstream's stream into the client's whole answer. Bounded by max_response_bytes.
class StreamCollector {
 public:
  StreamCollector(const RequestContext& request, const Options& options, IdSource& ids)
      : request_(request),
        max_bytes_(options.max_response_bytes),
        translator_(request, options, ids, AnswerForm::document) {}

  // Fails when the upstream did; finish() then gives the error's answer.
  Result<void> feed(std::string_view in);
  // The answer, or the upstream's error in the client's protocol.
  TranslatedAnswer finish();
  bool ended() const { return translator_.ended() || failed_; }
  size_t held_bytes() const { return translator_.held_bytes() + body_.size(); }

 private:
  const RequestContext& request_;
  size_t max_bytes_;
  StreamTranslator translator_;
  std::string body_;
  Error error_;
  bool failed_ = false;
};

}  // namespace gproxy::translate
