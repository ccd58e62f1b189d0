// Opaque reasoning state by tool call, for clients that strip the unknown fields it travels in (Chat
// Completions) or did not ask to see reasoning: found again when the call comes back with its result. An
// aid that nothing depends on: bounded in entries, bytes and time, of one loop, lost at a restart, and not
// asked by translations that run in the pool. On its loop; owned by the WorkerContext.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "translate/codec.h"

namespace gproxy::gateway {

class ReasoningCache {
 public:
  static constexpr size_t kMaxEntries = 10'000;
  static constexpr size_t kMaxBytes = size_t{16} << 20;  // keys and seals
  static constexpr size_t kMaxEntryBytes = 64 * 1024;
  static constexpr int64_t kKeepMs = 3'600'000;

  // The seal, or an empty view. Valid until the next keep().
  std::string_view find(int64_t tenant, std::string_view call_id, int64_t now_ms) const;
  // Takes the place of what was kept for the call; the oldest make room. What is too large is not kept.
  void keep(int64_t tenant, std::string_view call_id, std::string_view seal, int64_t now_ms);

  size_t entries() const { return order_.size(); }
  size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    std::string key;  // tenant and call id
    std::string seal;
    int64_t at_ms = 0;
  };
  using Order = std::list<Entry>;  // oldest first
  void drop(Order::iterator entry);

  Order order_;
  std::unordered_map<std::string_view, Order::iterator> by_key_;  // keys are the entries'
  size_t bytes_ = 0;
};

// One tenant's view of it, as the codecs ask for it.
class TenantReasoning final : public translate::OpaqueCache {
 public:
  TenantReasoning(ReasoningCache& cache, int64_t tenant, const Clock& clock)
      : cache_(cache), tenant_(tenant), clock_(clock) {}
  std::string_view find(std::string_view call_id) override { return cache_.find(tenant_, call_id, clock_.now_ms()); }
  void keep(std::string_view call_id, std::string_view seal) override {
    cache_.keep(tenant_, call_id, seal, clock_.now_ms());
  }

 private:
  ReasoningCache& cache_;
  int64_t tenant_;
  const Clock& clock_;
};

}  // namespace gproxy::gateway
