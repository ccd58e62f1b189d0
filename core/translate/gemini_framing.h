// How a Gemini client reads a stream: as server-sent events where its query says so, else as one
// JSON array. Pure.
#pragma once

#include <string_view>

#include "translate/codec.h"

namespace gproxy::translate {

// `query` is the client's, without '?'. https://cloud.google.com/apis/docs/system-parameters
GeminiFraming gemini_framing(std::string_view query);

}  // namespace gproxy::translate
