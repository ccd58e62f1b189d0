#include "gateway/reasoning_cache.h"

#include <iterator>

namespace gproxy::gateway {
namespace {

std::string key_of(int64_t tenant, std::string_view call_id) {
  std::string key(reinterpret_cast<const char*>(&tenant), sizeof tenant);
  key += call_id;
  return key;
}

}  // namespace

std::string ReasoningCache::find(int64_t tenant, std::string_view call_id, int64_t now_ms) const {
  if (entries() == 0) return {};
  const auto key = key_of(tenant, call_id);
  std::lock_guard hold(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end() || now_ms - found->second->at_ms > kKeepMs) return {};
  return found->second->seal;
}

void ReasoningCache::keep(int64_t tenant, std::string_view call_id, std::string_view seal, int64_t now_ms) {
  auto key = key_of(tenant, call_id);
  std::lock_guard hold(mutex_);
  if (const auto old = by_key_.find(key); old != by_key_.end()) drop(old->second);
  const size_t size = key.size() + seal.size();
  if (seal.empty() || size > kMaxEntryBytes) return;
  while (!order_.empty() && (order_.size() >= kMaxEntries || bytes_ + size > kMaxBytes ||
                             now_ms - order_.front().at_ms > kKeepMs)) {
    drop(order_.begin());
  }
  order_.push_back({std::move(key), std::string(seal), now_ms});
  by_key_.emplace(order_.back().key, std::prev(order_.end()));
  bytes_ += size;
  entries_.store(order_.size(), std::memory_order_relaxed);
}

void ReasoningCache::drop(Order::iterator entry) {
  bytes_ -= entry->key.size() + entry->seal.size();
  by_key_.erase(std::string_view(entry->key));
  order_.erase(entry);
  entries_.store(order_.size(), std::memory_order_relaxed);
}

}  // namespace gproxy::gateway
