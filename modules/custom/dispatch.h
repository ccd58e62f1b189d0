// The setting `dispatch`: which operations are native, translated or refused. Turned into route
// rows once, in create.
#pragma once

#include <vector>

#include "gproxy/module.hpp"

namespace gproxy_custom {

// "claude", "openai_chat", "openai_response", "gemini", "openai"; GP_PROTOCOL_NONE for anything
// else.
int32_t protocol_named(std::string_view name);

// Reads /dispatch of the settings, in any of its forms:
//   absent, null, {}, {"ops":[]}     the defaults that follow from `proto`
//   {"ops":[…]} or […]               up to 20 rules by position; null and missing ones: the default
//   {"claude_generate":…, …}         rules by name, also as {"ops":{…}} and beside an array, for
//                                    what the array has no place for (a response's sub-resources)
// Errors name the entry ("dispatch.ops[3]", "dispatch.claude_generate").
gp::Status read_dispatch(const gp::Json& settings, int32_t proto, const gp::Arena& arena,
                         std::vector<gp_route>& out);

}  // namespace gproxy_custom
