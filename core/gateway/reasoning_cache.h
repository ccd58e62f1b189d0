// Opaque reasoning state by tool call, for clients that strip the unknown fields it travels in (Chat
// Completions) or did not ask to see reasoning: found again when the call comes back with its result,
// whichever loop serves it. An aid that nothing depends on: bounded in entries, bytes and time, lost at a
// restart. Any thread, the pool's too; one per process, kept by SharedState and by running translations.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/clock.h"
#include "translate/codec.h"

namespace gproxy::gateway {

class ReasoningCache {
 public:
  static constexpr size_t kMaxEntries = 10'000;
  static constexpr size_t kMaxBytes = size_t{16} << 20;  // keys and seals
  static constexpr size_t kMaxEntryBytes = 64 * 1024;
  static constexpr int64_t kKeepMs = 3'600'000;

  // The seal, or nothing.
  std::string find(int64_t tenant, std::string_view call_id, int64_t now_ms) const;
  // Takes the place of what was kept for the call; the oldest make room. What is too large is not kept.
  void keep(int64_t tenant, std::string_view call_id, std::string_view seal, int64_t now_ms);

  size_t entries() const { return entries_.load(std::memory_order_relaxed); }
  size_t bytes() const {
    std::lock_guard hold(mutex_);
    return bytes_;
  }

 private:
  struct Entry {
    std::string key;  // tenant and call id
    std::string seal;
    int64_t at_ms = 0;
  };
  using Order = std::list<Entry>;  // oldest first
  void drop(Order::iterator entry);

  std::atomic<size_t> entries_{0};  // an empty cache, which most are, costs no lock
  mutable std::mutex mutex_;        // guards the rest; held for a look-up or an insertion
  Order order_;
  std::unordered_map<std::string_view, Order::iterator> by_key_;  // keys are the entries'
  size_t bytes_ = 0;
};

// One tenant's view of it, as the codecs ask for it.
// A view is one exchange's: on its loop, or for find() alone with its translation in the pool.
class TenantReasoning final : public translate::OpaqueCache {
 public:
  TenantReasoning(std::shared_ptr<ReasoningCache> cache, int64_t tenant, const Clock& clock)
      : cache_(std::move(cache)), tenant_(tenant), clock_(clock), asked_ms_(clock.now_ms()) {}
  // Valid until the next find().
  std::string_view find(std::string_view call_id) override {
    found_ = cache_->find(tenant_, call_id, asked_ms_);
    return found_;
  }
  void keep(std::string_view call_id, std::string_view seal) override {
    cache_->keep(tenant_, call_id, seal, clock_.now_ms());
  }

 private:
  std::shared_ptr<ReasoningCache> cache_;
  int64_t tenant_;
  const Clock& clock_;
  int64_t asked_ms_;
  std::string found_;
};

}  // namespace gproxy::gateway
