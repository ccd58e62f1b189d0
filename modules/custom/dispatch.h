// The setting `dispatch`: which of the twenty operations of the reference's table are native,
// translated or refused. Turned into route rows once, in create.
#pragma once

#include <vector>

#include "gproxy/module.hpp"

namespace gproxy_custom {

// "claude", "openai_chat", "openai_response", "gemini", "openai"; GP_PROTOCOL_NONE for anything
// else.
int32_t protocol_named(std::string_view name);

// Reads /dispatch/ops of the settings. Missing and null entries, a shorter list, an empty list and
// no `dispatch` at all mean the defaults that follow from `proto`. Errors name the entry.
gp::Status read_dispatch(const gp::Json& settings, int32_t proto, const gp::Arena& arena,
                         std::vector<gp_route>& out);

}  // namespace gproxy_custom
