// What the backend's errors mean for an account. The words stand in error.type or error.code, of a
// body or of a response.failed event; the limits in headers of its own.
#include "codex.h"
#include "common/problem.h"
#include "common/text.h"
#include "gproxy/ext/credential.h"
#include "gproxy/verdicts.hpp"

namespace gproxy_codex {
namespace {

// Limits last for hours or for a week.
void exhausted(const gp::Failure& failure, gp::Verdict& verdict, int64_t wait_ms) {
  wait_ms = std::clamp<int64_t>(wait_ms, gp::kSecond, 31LL * 24 * 60 * gp::kMinute);
  verdict.cool_down(GP_SCOPE_CREDENTIAL, failure.now_ms() + wait_ms, "usage_limit");
}

// x-codex-{primary,secondary}-*: the window that is used up, in ms from now; 0 if none is.
int64_t reset_ms(const gp::Failure& failure) {
  int64_t longest = 0;
  for (std::string_view window : {"primary", "secondary"}) {
    const gp::Arena& arena = failure.arena();
    const auto used = gp::decimal_ms(
        failure.header(arena.concat({"x-codex-", window, "-used-percent"})), gp::kSecond);
    if (!used || *used < 100 * gp::kSecond) continue;
    const auto after = gp::decimal_ms(
        failure.header(arena.concat({"x-codex-", window, "-reset-after-seconds"})), gp::kSecond);
    const int64_t at = gproxy_common::integer_or(
        failure.header(arena.concat({"x-codex-", window, "-reset-at"})), 0);
    const int64_t wait = after ? *after : at > 0 ? at * gp::kSecond - failure.now_ms() : 0;
    longest = std::max(longest, wait);
  }
  return longest;
}

}  // namespace

gp::Status Provider::classify(const gp::Failure& failure, gp::Verdict& verdict) const {
  auto words = gproxy_common::error_words(failure);
  int64_t wait = 0;
  if (const auto json = failure.json()) {
    if (words.code.empty()) words.code = json->get("/response/error/code").or_empty();
    const auto seconds = json->get("/error/resets_in_seconds");
    const int64_t at = gproxy_common::stored_time_ms(json->get("/error/resets_at"));
    if (const auto ms = gp::decimal_ms(seconds.text, gp::kSecond)) {
      wait = *ms;
    } else if (at > 0) {
      wait = at - failure.now_ms();
    }
  }
  if (failure.status() == 401) {
    const auto* account = reinterpret_cast<const Credential*>(failure.raw().credential);
    if (words.has("account_deactivated")) {
      verdict.dead("account_deactivated");
    } else if (account != nullptr && !account->refresh_token.empty()) {
      verdict.refresh(GP_CAUSE_REJECTED, "unauthorized");
    } else {
      verdict.dead("unauthorized");
    }
    return gp::ok();
  }
  if (words.has("usage_not_included")) {  // the plan has no Codex; only a person changes that
    exhausted(failure, verdict, 24 * 60 * gp::kMinute);
    return gp::ok();
  }
  const bool limit = words.has("usage_limit_reached");
  if (limit || failure.status() == 429) {
    if (wait <= 0) wait = reset_ms(failure);
    if (limit || wait > 0) {
      exhausted(failure, verdict,
                wait > 0 ? wait : gp::retry_after_ms(failure).value_or(10 * gp::kMinute));
      return gp::ok();
    }
  }
  if (words.has("rate_limit_exceeded")) {  // also as the event that ends a stream
    gp::cool_down_for(failure, verdict, GP_SCOPE_MODEL, gp::retry_after_ms(failure), gp::kHostsTime,
                      "rate_limit");
    return gp::ok();
  }
  return gp::as_usual();
}

}  // namespace gproxy_codex
