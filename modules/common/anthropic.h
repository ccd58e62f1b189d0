// Anthropic's errors, for the kinds that speak to its API.
#pragma once

#include "gproxy/module.hpp"
#include "gproxy/verdicts.hpp"

namespace gproxy_common {

// How an authentication_error is judged.
enum class Rejected { dead, by_status };

// The verdict that follows from error.type of the body (or of a stream's error event), from the
// rate-limit headers (anthropic-ratelimit-*); where they leave it open the host's rule counts.
gp::Status judge_anthropic(const gp::Failure& failure, gp::Verdict& verdict, Rejected rejected);

}  // namespace gproxy_common
