// Filling gp_step: what a step of a login, refresh or quota machine ends with. The machines keep
// nothing but the flow, a JSON object. Any thread; texts live in the step's arena or are literals.
#pragma once

#include <initializer_list>
#include <optional>
#include <string_view>

#include "common/text.h"
#include "gproxy/module.hpp"

namespace gproxy_common {

struct Fetch {
  std::string_view method = "GET";
  std::string_view url;                 // absolute and encoded
  std::initializer_list<Pair> headers;  // user-agent and accept are put in where they are missing
  std::string_view body{};
  std::string_view content_type{};  // with a body
};

// GP_STEP_FETCH: the host performs it and comes back with `flow`.
gp::Status fetch(const gp::StepIn& in, gp_step& out, const Fetch& request, std::string_view flow);

// GP_STEP_FAIL. `code` is one stable word, `message` for people: lower case, no secret.
enum class Refused { for_now, for_good };
gp::Status fail(gp_step& out, int32_t status, std::string_view code, std::string_view message,
                Refused how = Refused::for_now);

// GP_STEP_REPLY with KEEP_FLOW: the person is told and will come back.
gp::Status reply(gp_step& out, int32_t status, std::string_view reply_json, std::string_view flow);

// The step machine's provider and credential, as the module's own classes.
template <class Provider>
const Provider& provider_of(const gp::StepIn& in) {
  return *reinterpret_cast<const Provider*>(in.raw.provider);
}
template <class Credential>
const Credential& credential_of(const gp::StepIn& in) {
  return *reinterpret_cast<const Credential*>(in.raw.credential);
}

inline std::string_view query_of(const gp::StepIn& in) {
  return gp::view(in.raw.query);
}
// Where the vendor is to send the person: as the caller says, else to gproxy where the caller asked
// for that, else `otherwise`.
std::string_view redirect_of(const gp::StepIn& in, std::string_view otherwise);
// The login's mode and the person's next move, when gproxy itself is where the browser ends.
inline bool returns_here(const gp::StepIn& in, std::string_view redirect) {
  return in.raw.redirect_uri.len > 0 && redirect == gp::view(in.raw.redirect_uri);
}
inline constexpr std::string_view kReturnsHere =
    "Open auth_url in a browser and sign in; it comes back here by itself.";
// A parameter of the person's query, else `otherwise`.
std::string_view query_or(const gp::StepIn& in, std::string_view name, std::string_view otherwise);
// What proves at the exchange that the login is the one begun here (RFC 7636, S256).
struct Pkce {
  std::string_view verifier, challenge;
};
// `bytes` of randomness; nullopt after having filled `out` with a FAIL.
std::optional<Pkce> make_pkce(const gp::StepIn& in, gp_step& out, size_t bytes);
// A member of the flow; empty where there is none.
std::string_view flow_text(const gp::StepIn& in, std::string_view name);
inline bool has_reply(const gp::StepIn& in) {
  return in.raw.reply != nullptr;
}
inline int32_t reply_status(const gp::StepIn& in) {
  return in.raw.reply == nullptr ? 0 : in.raw.reply->status;
}
inline bool succeeded(const gp::StepIn& in) {
  return reply_status(in) >= 200 && reply_status(in) < 300;
}
// The reply's body if it is a JSON object.
std::optional<gp::Json> reply_json(const gp::StepIn& in);

// The same of a usage endpoint; nullopt after having filled `out` with a FAIL.
std::optional<gp::Json> usage_reply(const gp::StepIn& in, gp_step& out);

// What a token endpoint (RFC 6749 5) answered.
struct TokenReply {
  std::string_view access_token, refresh_token, id_token;
  int64_t expires_in_s = 0;  // 0: it does not say
};
// Reads it; nullopt after having filled `out` with a FAIL: for good if the endpoint refuses the
// grant itself (invalid_grant and the words that vendors use for it), for now if it cannot be
// reached, is overloaded or answers something else. Never puts an answer's text into a message but
// for its error word.
std::optional<TokenReply> read_token_reply(const gp::StepIn& in, gp_step& out);

// The tagged credential {"Tag":{…}} of in.credential_json with these members of the inner object
// set (names to JSON values); unknown members stay.
std::string_view patched_credential(const gp::StepIn& in, std::string_view tag,
                                    std::span<const Pair> members);

}  // namespace gproxy_common
