// What of a request's tokens a tokenizer counts, and what is counted by rule
// (docs/token-counting.md): its texts, in order, and the number for framing, media and the like.
// Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/arena.h"
#include "base/result.h"
#include "translate/codec.h"
#include "translate/model.h"

namespace gproxy::translate {

struct Countable {
  int64_t by_rule = 0;   // tokens beside those of the texts
  bool guessed = false;  // something's size is not known: an image by address, a document, audio
  int64_t estimate = 0;  // all of it without any tokenizer (estimate_tokens)
};

// Calls `text` for each text of a count request of `client`; each view is valid during its call.
// Errors as translate_request.
Result<Countable> read_countable(Protocol client, std::string_view body, const RequestMeta& meta,
                                 const Options& options, Arena& arena,
                                 const std::function<void(std::string_view)>& text);

// The rules alone, for a request that is decoded. `client` decides how images count.
Countable count_parts(const Request& request, Protocol client,
                      const std::function<void(std::string_view)>& text);

}  // namespace gproxy::translate
