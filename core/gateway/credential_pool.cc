#include "gateway/credential_pool.h"

#include <algorithm>

namespace gproxy::gateway {

std::string_view CredentialPool::operation_scope(translate::Operation operation) {
  using enum translate::Operation;
  // No model's name begins with '@'.
  switch (operation) {
    case generate:
    case stream_generate:
      return "@generate";
    case count_tokens:
      return "@count_tokens";
    case model_list:
    case model_get:
      return "@models";
    default:
      return "@other";
  }
}

const config::CredentialEntry* CredentialPool::pick(const config::ProviderEntry& provider,
                                                    const Wanted& wanted) {
  const auto& all = provider.credentials;
  if (all.empty()) return nullptr;
  if (provider.ordinal >= next_.size()) next_.resize(provider.ordinal + 1, 0);
  auto& next = next_[provider.ordinal];
  const auto scope = operation_scope(wanted.operation);
  size_t at = next % all.size();
  for (size_t i = 0; i < all.size(); ++i, at = at + 1 == all.size() ? 0 : at + 1) {
    const auto& entry = all[at];
    if (!entry.enabled || !entry.fault.empty() || entry.slot == nullptr) continue;
    if (!entry.slot->available(wanted.now_ms, wanted.model) ||
        !entry.slot->available(wanted.now_ms, scope)) {
      continue;
    }
    if (std::find(wanted.tried.begin(), wanted.tried.end(), entry.id) != wanted.tried.end())
      continue;
    next = static_cast<uint32_t>(at + 1);
    return &entry;
  }
  return nullptr;
}

int64_t CredentialPool::wait_ms(const config::ProviderEntry& provider, std::string_view model,
                                int64_t now_ms) {
  int64_t soonest = 0;
  for (const auto& entry : provider.credentials) {
    if (!entry.enabled || !entry.fault.empty() || entry.slot == nullptr) continue;
    int64_t until = 0;
    for (const auto& rest : entry.slot->cool_downs(now_ms)) {
      if (rest.scope.empty() || rest.scope == model || rest.scope.starts_with('@')) {
        until = std::max(until, rest.until_ms);
      }
    }
    if (until <= now_ms || until == INT64_MAX) continue;
    if (soonest == 0 || until - now_ms < soonest) soonest = until - now_ms;
  }
  return soonest;
}

}  // namespace gproxy::gateway
