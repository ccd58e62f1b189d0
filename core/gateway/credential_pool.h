// Which credential serves the next attempt. One per loop, on its thread: simple round robin over
// the credentials that may be used now. Cooldowns are compared with the clock when one is chosen;
// there is no recovery timer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "config/snapshot.h"
#include "translate/protocol.h"

namespace gproxy::gateway {

class CredentialPool {
 public:
  struct Wanted {
    std::string_view model;
    translate::Operation operation = translate::Operation::none;
    std::span<const int64_t> tried;  // ids this request has used up
    int64_t now_ms = 0;              // monotonic
  };
  // Null when there is none.
  const config::CredentialEntry* pick(const config::ProviderEntry& provider, const Wanted& wanted);

  // When the first of them may be used again, from now; 0 = unknown or never.
  static int64_t wait_ms(const config::ProviderEntry& provider, std::string_view model,
                         int64_t now_ms);

  // The cooldown scope of an operation, kept where models are kept.
  static std::string_view operation_scope(translate::Operation operation);

 private:
  std::vector<uint32_t> next_;  // by the provider's ordinal
};

}  // namespace gproxy::gateway
