// Nothing is known of this upstream's error words: its headers and the status decide.
#include "common/limits.h"
#include "custom.h"
#include "gproxy/verdicts.hpp"

namespace gproxy_custom {

gp::Status Provider::classify(const gp::Failure& failure, gp::Verdict& verdict) const {
  return gproxy_common::judge_budgets(failure, verdict);
}

// Compatible servers copy one of these two forms.
void Provider::limits(const gp::LimitsIn& in, gp::Limits& out) const {
  gproxy_common::openai_limits(in, out);
  gproxy_common::anthropic_limits(in, out);
}

}  // namespace gproxy_custom
