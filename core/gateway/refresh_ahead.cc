#include "gateway/refresh_ahead.h"

#include <algorithm>
#include <limits>

#include "modhost/step_machine.h"

namespace gproxy::gateway {
namespace {

constexpr int64_t kFirstRetryMs = 30'000;
constexpr int64_t kLongestRetryMs = 600'000;

}  // namespace

RefreshAhead::RefreshAhead(WorkerContext& context)
    : context_(context),
      timer_(context.loop, [this] { look(); }),
      self_(std::make_shared<RefreshAhead*>(this)) {}

RefreshAhead::~RefreshAhead() {
  *self_ = nullptr;
}

void RefreshAhead::look() {
  const auto snapshot = context_.snapshots.current();
  if (snapshot == nullptr || context_.draining) return;
  ++round_;
  for (const auto& provider : (*snapshot)->providers()) {
    if (!provider.usable() || !provider.provider->can_refresh()) continue;
    for (const auto& credential : provider.credentials) {
      if (credential.enabled && credential.fault.empty() && credential.slot != nullptr)
        consider(snapshot, provider, credential);
    }
  }
  std::erase_if(seen_, [&](const auto& one) { return one.second.round != round_; });
}

void RefreshAhead::consider(const config::LoopSnapshotPtr& snapshot,
                            const config::ProviderEntry& provider,
                            const config::CredentialEntry& credential) {
  auto& seen = seen_[credential.id];
  seen.round = round_;
  const auto opened = snapshot->credential(provider, credential);
  if (!opened.ok()) return;
  const auto& handle = *opened;
  if (!handle->refreshable() || (handle->expires_at_ms() == 0 && !handle->incomplete())) return;
  const int64_t left =
      handle->incomplete() ? 0 : handle->expires_at_ms() - context_.clock.wall_ms();
  if (seen.version != handle->version()) {
    seen = {.version = handle->version(), .round = round_};
    const auto spread = static_cast<int64_t>(context_.jitter() * static_cast<double>(kSpreadMs));
    seen.lead_ms = std::min(kLeadMs + spread, std::max<int64_t>(left / 10, 0));
  }
  if (left > seen.lead_ms || seen.given_up || running_ >= kAtOnce) return;
  const int64_t now = context_.clock.now_ms();
  if (now < seen.next_try_ms) return;
  // Not again before this attempt has ended.
  seen.next_try_ms = std::numeric_limits<int64_t>::max();
  ++running_;
  refresh_credential(
      context_, snapshot,
      {provider, credential, handle,
       handle->incomplete() ? modhost::kRefreshIncomplete : modhost::kRefreshExpiring,
       RefreshWanted::Need::ahead},
      [self = self_, id = credential.id, version = seen.version](const Result<void>& result) {
        if (*self != nullptr) (*self)->ended(id, version, result);
      });
}

void RefreshAhead::ended(int64_t id, uint64_t version, const Result<void>& result) {
  --running_;
  const auto at = seen_.find(id);
  if (at == seen_.end() || at->second.version != version) return;
  auto& seen = at->second;
  seen.given_up = !result.ok() && result.error().code == "refresh_refused";
  const auto wait = std::min(kFirstRetryMs << std::min(seen.failures, 10), kLongestRetryMs);
  if (!result.ok()) ++seen.failures;
  seen.next_try_ms = context_.clock.now_ms() +
                     static_cast<int64_t>(static_cast<double>(wait) * (0.5 + context_.jitter()));
}

}  // namespace gproxy::gateway
