// The routes that Google's kinds share: Gemini is spoken, what else clients speak is translated
// into it. constexpr.
#pragma once

#include "common/routes.h"

namespace gproxy_google {

// `counting` and `listing`: of the Gemini protocol; the first row is the counts'. `chat`: native
// where there is a compatible endpoint.
constexpr auto gemini_routes(gproxy_common::Way counting, gproxy_common::Way listing,
                             gproxy_common::Way chat) {
  using namespace gproxy_common;
  constexpr Way kGemini = into(GP_PROTOCOL_GEMINI);
  return joined(counts(GP_PROTOCOL_GEMINI, counting), generation(GP_PROTOCOL_GEMINI, kNative),
                models(GP_PROTOCOL_GEMINI, listing), generation(GP_PROTOCOL_OPENAI_CHAT, chat),
                generation(GP_PROTOCOL_OPENAI_RESPONSE, kGemini),
                everything(GP_PROTOCOL_CLAUDE, kGemini), lookups(GP_PROTOCOL_OPENAI, kGemini));
}

}  // namespace gproxy_google
