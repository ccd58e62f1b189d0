#include "translate/gemini_framing.h"

#include "base/strings.h"

namespace gproxy::translate {

GeminiFraming gemini_framing(std::string_view query) {
  for (const auto pair : split(query, '&')) {
    if (pair == "alt=sse" || pair == "$alt=sse" || pair == "%24alt=sse") return GeminiFraming::sse;
  }
  return GeminiFraming::array;
}

}  // namespace gproxy::translate
