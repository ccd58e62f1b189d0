#include "gateway/retry.h"

#include <algorithm>

namespace gproxy::gateway {

bool is_timeout(modhost::FailureKind kind) {
  using enum modhost::FailureKind;
  return kind == connect_timeout || kind == first_byte_timeout || kind == idle_timeout ||
         kind == total_timeout;
}

int64_t backoff_ms(size_t attempt, const config::Retry& retry, double jitter) {
  const auto shift = std::min<size_t>(attempt > 0 ? attempt - 1 : 0, 6);
  const int64_t base = retry.backoff_ms << shift;
  return std::min(base + static_cast<int64_t>(jitter * static_cast<double>(retry.backoff_ms)),
                  retry.max_backoff_ms);
}

Decision decide(const modhost::Verdict& verdict, const modhost::Failure& failure,
                const Budget& budget, const config::Retry& retry, double jitter) {
  using modhost::Action;
  using Next = Decision::Next;
  if (budget.content_sent || budget.unbilled >= kMaxUnbilled ||
      budget.attempts - budget.unbilled >= budget.max_attempts) {
    return {};
  }
  Decision decision;
  switch (verdict.action) {
    case Action::deliver:
      return {};
    case Action::retry_same:
      // One second chance per credential; then it counts as failed.
      decision = budget.same_tried
                     ? Decision{Next::other, 0}
                     : Decision{Next::same, backoff_ms(budget.attempts, retry, jitter)};
      break;
    case Action::retry_patched:
      decision = {budget.patched ? Next::other : Next::patch, 0};
      break;
    case Action::refresh:
      decision = {budget.refreshed ? Next::other : Next::refresh, 0};
      break;
    case Action::next:
    case Action::cool_down:
    case Action::dead:
      decision.next = Next::other;
      // A refusal of this credential says nothing about the next one; trouble of the upstream may
      // well be the same a moment later.
      if (failure.kind != modhost::FailureKind::status || failure.status >= 500) {
        decision.delay_ms = backoff_ms(budget.attempts, retry, jitter);
      }
      break;
  }
  if (budget.deadline_ms != 0 && budget.now_ms + decision.delay_ms >= budget.deadline_ms) return {};
  return decision;
}

}  // namespace gproxy::gateway
