// What Anthropic's errors mean for a key.
#include "claude.h"
#include "common/anthropic.h"
#include "common/limits.h"

namespace gproxy_claude {

gp::Status Provider::classify(const gp::Failure& failure, gp::Verdict& verdict) const {
  return gproxy_common::judge_anthropic(failure, verdict, gproxy_common::Rejected::dead);
}

void Provider::limits(const gp::LimitsIn& in, gp::Limits& out) const {
  gproxy_common::anthropic_limits(in, out);
}

}  // namespace gproxy_claude
