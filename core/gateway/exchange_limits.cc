// Exchange: what an answer's headers say about the credential's limits.
#include <algorithm>

#include "gateway/aggregate_list.h"
#include "gateway/cool_scope.h"
#include "gateway/exchange.h"
#include "gateway/http_call.h"
#include "gateway/pool_wait.h"
#include "gateway/route_plan.h"
#include "gateway/token_count.h"
#include "gateway/translation.h"
#include "gateway/verdicts.h"
#include "modhost/limits_hook.h"

namespace gproxy::gateway {

// Only for modules that read them, and for answers that a credential was used for.
void Exchange::note_limits(const upstream::Head& head) {
  if (credential_ == nullptr || handle_ == nullptr || !provider_->provider->reads_limits()) return;
  modhost::LimitList room;
  const int64_t wall = context_.clock.wall_ms();
  const auto windows = modhost::read_limits(*provider_->provider,
                                            {.status = head.status,
                                             .protocol = resolved_.target_protocol,
                                             .operation = resolved_.target_operation,
                                             .wall_ms = wall,
                                             .model = model_,
                                             .headers = head.headers,
                                             .credential = handle_.get()},
                                            room);
  if (windows.empty()) return;
  auto& slot = *credential_->slot;
  const auto operation = operation_scope(operation_);
  slot.note_limits(windows, model_, operation, wall);
  if (head.status >= 400) return;  // the failure's verdict says what it means
  const auto limits = cool_down_limits(settings().retry);
  for (const auto& window : windows) {
    if (!window.rest || window.resets_at_ms <= wall) continue;
    // Answers that were under way together say the same.
    const auto now = context_.clock.now_ms();
    if (slot.rests(now, model_, operation) != config::CredentialSlot::Rests::no) return;
    modhost::Verdict verdict;
    verdict.action = modhost::Action::cool_down;
    verdict.scope = window.scope == modhost::Scope::model && model_.empty()
                        ? modhost::Scope::operation
                        : window.scope;
    verdict.cool_down_ms = std::clamp(window.resets_at_ms - wall, limits.min_ms, limits.max_ms);
    verdict.reason = "usage_limit";
    apply_verdict(
        context_, *provider_, *credential_,
        {.verdict = verdict, .status = head.status, .model = model_, .operation = operation_});
  }
}

}  // namespace gproxy::gateway
