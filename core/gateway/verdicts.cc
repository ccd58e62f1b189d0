#include "gateway/verdicts.h"

#include <algorithm>

#include "base/log.h"
#include "gateway/cool_scope.h"

namespace gproxy::gateway {

modhost::CoolDownLimits cool_down_limits(const config::Retry& retry) {
  modhost::CoolDownLimits limits;
  limits.min_ms = retry.min_cool_down_ms;
  limits.default_max_ms = std::max(retry.max_cool_down_ms, retry.min_cool_down_ms);
  limits.rate_limit_ms = retry.rate_limit_ms;
  limits.server_error_ms = retry.server_error_ms;
  limits.server_errors = static_cast<int>(retry.server_errors);
  limits.auth_failures = static_cast<int>(retry.auth_failures);
  limits.billing_ms = retry.billing_ms;
  return limits;
}

void apply_verdict(WorkerContext& context, const config::ProviderEntry& provider,
                   const config::CredentialEntry& credential, const Judged& judged) {
  const auto& verdict = judged.verdict;
  const bool dead = verdict.action == modhost::Action::dead;
  if (verdict.action != modhost::Action::cool_down && !dead) return;
  auto& slot = *credential.slot;
  std::string_view scope;
  if (!dead && verdict.scope == modhost::Scope::model) scope = judged.model;
  if (!dead && verdict.scope == modhost::Scope::operation)
    scope = operation_scope(judged.operation);
  if (dead) {
    slot.mark_dead(verdict.reason);
  } else {
    const auto now = context.clock.now_ms();
    if (judged.status == 401 && scope.empty()) slot.count_auth_rest(now);
    slot.cool_down(now + verdict.cool_down_ms, verdict.reason, scope);
  }
  context.metrics.cool_down(verdict.reason);
  log::warn(dead ? "credential out of use" : "credential rests",
            {{"provider", provider.name},
             {"credential", credential.id},
             {"reason", verdict.reason},
             {"scope", scope},
             {"ms", dead ? int64_t{-1} : verdict.cool_down_ms}});
}

modhost::FailureKind failure_kind(upstream::FailureKind kind) {
  using From = upstream::FailureKind;
  using To = modhost::FailureKind;
  switch (kind) {
    case From::connect:
      return To::connect;
    case From::dns:
      return To::dns;
    case From::tls:
      return To::tls;
    case From::connect_timeout:
      return To::connect_timeout;
    case From::first_byte_timeout:
      return To::first_byte_timeout;
    case From::idle_timeout:
      return To::idle_timeout;
    case From::total_timeout:
      return To::total_timeout;
    case From::reset:
      return To::reset;
    case From::protocol:
      return To::protocol;
    case From::too_large:
      return To::too_large;
    case From::proxy:
      return To::proxy;
    default:
      return To::other;
  }
}

bool is_unbilled(const modhost::Failure& failure) {
  using enum modhost::FailureKind;
  switch (failure.kind) {
    case status:
      return failure.status == 401 || failure.status == 402 || failure.status == 403 ||
             failure.status == 429;
    case connect:
    case dns:
    case tls:
    case connect_timeout:
    case proxy:
      return true;
    default:
      return false;
  }
}

}  // namespace gproxy::gateway
