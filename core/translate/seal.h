// Foreign opaque reasoning state in a client's own slot: gp1.<cc|rs|cl|gm>[.r].<base64url of the
// bytes as their protocol spells them>. `r` marks redacted reasoning. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/arena.h"
#include "translate/model.h"

namespace gproxy::translate {

enum class Redacted : bool { no, yes };

std::string seal(Protocol origin, std::string_view bytes, Redacted redacted = Redacted::no);

struct Unsealed {
  Opaque opaque;
  bool redacted = false;
  bool sealed = false;  // false: a value of the slot's own protocol
};
// What stands in a slot of `native`'s protocol. Never fails: what is no seal is native.
Unsealed unseal(std::string_view slot, Protocol native, Arena& arena);

// Gemini's slot holds bytes in base64, so a seal stands there base64-encoded once more.
std::string seal_for_gemini(Protocol origin, std::string_view bytes,
                            Redacted redacted = Redacted::no);
Unsealed unseal_gemini(std::string_view slot, Arena& arena);

// Strings that tell Gemini not to look for a signature; sent as they are.
inline constexpr std::string_view kSkipSignature = "skip_thought_signature_validator";
bool is_skip_signature(std::string_view text);

}  // namespace gproxy::translate
