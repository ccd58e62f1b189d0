#include "translate/seal.h"

#include "base/base64.h"
#include "base/strings.h"

namespace gproxy::translate {

namespace {

constexpr std::string_view kPrefix = "gp1.";

std::string_view short_name(Protocol protocol) {
  switch (protocol) {
    case Protocol::openai_chat:
      return "cc";
    case Protocol::openai_response:
      return "rs";
    case Protocol::claude:
      return "cl";
    case Protocol::gemini:
      return "gm";
    default:
      return "";
  }
}

Protocol from_short_name(std::string_view word) {
  if (word == "cc") return Protocol::openai_chat;
  if (word == "rs") return Protocol::openai_response;
  if (word == "cl") return Protocol::claude;
  if (word == "gm") return Protocol::gemini;
  return Protocol::none;
}

bool is_base64url(std::string_view text) {
  if (text.size() % 4 == 1) return false;
  for (char c : text) {
    bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_';
    if (!ok) return false;
  }
  return true;
}

}  // namespace

std::string seal(Protocol origin, std::string_view bytes, Redacted redacted) {
  std::string out(kPrefix);
  out += short_name(origin);
  if (redacted == Redacted::yes) out += ".r";
  out += '.';
  out += base64url_encode(bytes);
  return out;
}

Unsealed unseal(std::string_view slot, Protocol native, Arena& arena) {
  Unsealed result;
  result.opaque.proto = native;
  result.opaque.bytes = slot;
  if (slot.substr(0, kPrefix.size()) != kPrefix) return result;
  auto rest = slot.substr(kPrefix.size());
  auto dot = rest.find('.');
  if (dot == std::string_view::npos) return result;
  auto origin = from_short_name(rest.substr(0, dot));
  if (origin == Protocol::none) return result;
  rest.remove_prefix(dot + 1);
  bool redacted = rest.substr(0, 2) == "r.";
  if (redacted) rest.remove_prefix(2);
  if (!is_base64url(rest)) return result;
  auto bytes = base64_decode(rest);
  // What is put back into a JSON string must be text.
  if (!bytes || !is_valid_utf8(*bytes)) return result;
  result.opaque.proto = origin;
  result.opaque.bytes = arena.copy(*bytes);
  result.redacted = redacted;
  result.sealed = true;
  return result;
}

std::string seal_for_gemini(Protocol origin, std::string_view bytes, Redacted redacted) {
  return base64_encode(seal(origin, bytes, redacted));
}

Unsealed unseal_gemini(std::string_view slot, Arena& arena) {
  auto direct = unseal(slot, Protocol::gemini, arena);
  if (direct.sealed) return direct;
  // Z3AxL is how "gp1." begins in base64: nothing else needs decoding.
  if (slot.substr(0, 5) != "Z3AxL") return direct;
  auto bytes = base64_decode(slot);
  if (!bytes) return direct;
  auto inner = unseal(arena.copy(*bytes), Protocol::gemini, arena);
  if (!inner.sealed) return direct;
  return inner;
}

bool is_skip_signature(std::string_view text) {
  return text == kSkipSignature || text == "context_engineering_is_the_way_to_go";
}

}  // namespace gproxy::translate
