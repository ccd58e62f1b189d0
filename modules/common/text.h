// Small texts that logins are made of: query parameters, forms, JSON objects, random tokens. Pure
// functions over views but for the random ones; results live in the arena that is given. Any
// thread.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "gproxy/module.hpp"

namespace gproxy_common {

// A parameter of an encoded query ("a=1&b=2"): decoded ("%2F", '+' is a space), trimmed. Absent,
// empty and badly encoded are one: empty.
std::string_view query_value(const gp::Arena& arena, std::string_view query, std::string_view name);

// What a person brings back from an authorisation page. Each of code, state and error comes from
// the query itself; what is missing there, from its `callback_url`: a whole address or a bare
// query, its fragment cut off. `error` is error_description, or else error.
struct LoginAnswer {
  std::string_view code, state, error;
};
LoginAnswer login_answer(const gp::Arena& arena, std::string_view query);

// application/x-www-form-urlencoded; also good for a query. Pairs with an empty value are left out.
using Pair = std::pair<std::string_view, std::string_view>;
std::string_view form_encode(const gp::Arena& arena, std::initializer_list<Pair> pairs);

// A JSON object, member by member.
class JsonObject {
 public:
  explicit JsonObject(const gp::Arena& arena) : arena_(arena) {}

  JsonObject& text(std::string_view name, std::string_view value);
  // Left out where the value is empty.
  JsonObject& text_if(std::string_view name, std::string_view value);
  JsonObject& number(std::string_view name, int64_t value);
  JsonObject& raw(std::string_view name, std::string_view json);  // a valid JSON value
  std::string_view str() const;

 private:
  const gp::Arena& arena_;
  std::vector<std::string_view> parts_;
};

// The object `object` (valid JSON) with these members set to these JSON values; all others stay as
// they are, in their order.
std::string_view with_members(const gp::Json& object, const gp::Arena& arena,
                              std::span<const Pair> members);

// A decimal integer of JSON or of a header. `otherwise` for anything else.
int64_t integer_or(std::string_view text, int64_t otherwise);

// A time as stored credentials have it, in seconds or (larger than any year's seconds)
// milliseconds, as milliseconds; a JSON number or a text of digits. 0 for anything else.
int64_t stored_time_ms(const gp::Json::Value& value);

// RFC 3339 with any offset ("2026-01-02T03:04:05.9+00:00") as UNIX time in ms, the fraction cut
// off. 0 for anything else.
int64_t date_time_ms(std::string_view text);

// `bytes` random bytes as base64url, at most 96 of them. Empty if the host cannot.
std::string_view random_token(const gp::StepIn& in, size_t bytes);
// S256: base64url of the SHA-256 of the verifier.
std::string_view pkce_challenge(const gp::StepIn& in, std::string_view verifier);
// The payload of a JSON Web Token as JSON text; empty if it is none. The signature is NOT checked:
// good for display and for fields that the issuer's own server checks again.
std::string_view token_claims(const gp::StepIn& in, std::string_view token);

}  // namespace gproxy_common
