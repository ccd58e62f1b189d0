// What Anthropic's errors mean for a key.
#include "claude.h"
#include "common/anthropic.h"

namespace gproxy_claude {

gp::Status Provider::classify(const gp::Failure& failure, gp::Verdict& verdict) const {
  gproxy_common::judge_anthropic(failure, verdict, gproxy_common::Rejected::dead);
  return gp::ok();
}

}  // namespace gproxy_claude
