// History repair (wire-formats 2.0.1): what every upstream rejects is put right before an encoder
// runs. Idempotent and pure; changes the request in place, in its arena.
#pragma once

#include "base/arena.h"
#include "translate/codec.h"
#include "translate/model.h"

namespace gproxy::translate {

// Takes out what the target cannot take at all: reasoning whose opaque state is another provider's
// (0.3.3, 0.3.4), built-in tools' blocks of another protocol; code that ran becomes text.
// To be called before repair(), which looks after messages that are empty then.
void filter_parts(Request& request, Protocol target, const Profile& profile, Arena& arena,
                  LossLog& losses);

// N1 to N9 (N10 and N11 are the encoders'); includes sanitize_ids().
void repair(Request& request, Protocol target, const Profile& profile, Arena& arena,
            LossLog& losses);

// Text standing for system text where a target has no system role in the middle.
std::string_view system_as_user_text(const Message& message, Arena& arena);

inline constexpr std::string_view kEmptyUser = "(empty)";
inline constexpr std::string_view kConversationStart = "(conversation start)";
inline constexpr std::string_view kContinue = "Continue.";
inline constexpr std::string_view kNotExecuted = "Tool call was not executed.";

}  // namespace gproxy::translate
