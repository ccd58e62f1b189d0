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
  if (failure.status() == 422) {  // a parameter's value; every key would hear the same
    verdict.deliver();
    return gp::ok();
  }
  return gp::as_usual();
}

}  // namespace gproxy_deepseek
