// The Responses API beside generation: the stored response's own resources, counting, compaction,
// memories. The same methods, paths and parameters at every upstream that has them.
#pragma once

#include <string_view>

#include "gproxy/module.hpp"

namespace gproxy_common {

struct ResponsesCall {
  std::string_view method;
  std::string_view path;   // encoded, below the API's version: "/responses/resp_1/cancel"
  std::string_view query;  // only the parameters that the operation knows
};

// RESPONSE_*, COUNT_TOKENS and MEMORY_TRACE_SUMMARIZE of GP_PROTOCOL_OPENAI. Refuses ids that
// cannot stand in a path; other operations are unsupported. Sets the flags that the operation needs
// on `up`.
gp::Status responses_call(const gp::Request& request, gp::Upstream& up, ResponsesCall& out);

}  // namespace gproxy_common
