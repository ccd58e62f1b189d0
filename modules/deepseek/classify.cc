// What DeepSeek's errors mean for a credential: the status tells nearly all of it.
#include "common/problem.h"
#include "deepseek.h"
#include "gproxy/verdicts.hpp"

namespace gproxy_deepseek {

gp::Status Provider::classify(const gp::Failure& failure, gp::Verdict& verdict) const {
  const auto words = gproxy_common::error_words(failure);
  if (failure.status() == 401 && words.has("authentication_error")) {
    verdict.dead("authentication_error");  // "Authentication Fails (no such user)"
    return gp::ok();
  }
  if (failure.status() == 402) {  // "Insufficient Balance": nothing helps before money comes
    gp::cool_down_for(failure, verdict, GP_SCOPE_CREDENTIAL, gp::retry_after_ms(failure),
                      30 * gp::kMinute, "billing");
    return gp::ok();
  }
  if (failure.status() == 422) {  // a parameter's value; every key would hear the same
    verdict.deliver();
    return gp::ok();
  }
  gp::judge_by_status(failure, verdict);
  return gp::ok();
}

}  // namespace gproxy_deepseek
