#include "gateway/shared_state.h"

#include <utility>

#include "base/json.h"

namespace gproxy::gateway {

bool ConnectionCount::enter(const net::PeerAddress& peer, const Limits& limits) {
  if (limits.total != 0 && open_.load(std::memory_order_relaxed) >= limits.total) return false;
  {
    // Counted even without a limit, so that a limit set later finds the truth.
    const std::lock_guard lock(mutex_);
    auto& count = by_address_[peer];
    if (limits.per_address != 0 && count >= limits.per_address) {
      if (count == 0) by_address_.erase(peer);
      return false;
    }
    ++count;
  }
  open_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void ConnectionCount::leave(const net::PeerAddress& peer) {
  open_.fetch_sub(1, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  const auto found = by_address_.find(peer);
  if (found != by_address_.end() && --found->second == 0) by_address_.erase(found);
}

bool MemoryBudget::take(size_t bytes, size_t limit) {
  const size_t before = used_.fetch_add(bytes, std::memory_order_relaxed);
  if (before + bytes <= limit) return true;
  used_.fetch_sub(bytes, std::memory_order_relaxed);
  return false;
}

void Readiness::set_degraded(std::map<std::string, std::string> parts) {
  const std::lock_guard lock(mutex_);
  degraded_ = std::move(parts);
}

std::string Readiness::to_json() const {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.field("status", !started()   ? "starting"
                    : draining() ? "draining"
                    : ready()    ? "ready"
                                 : "refusing");
  w.key("degraded");
  w.begin_object();
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [part, why] : degraded_) w.field(part, why);
  }
  w.end_object();
  w.end_object();
  return out;
}

RefreshTable::Role RefreshTable::join(int64_t credential_id, net::Loop& loop, Waiter waiter) {
  const std::lock_guard lock(mutex_);
  auto& waiting = running_[credential_id];
  const bool first = waiting.empty();
  waiting.push_back({&loop, std::move(waiter)});
  return first ? Role::runs : Role::waits;
}

void RefreshTable::finish(int64_t credential_id, const Result<void>& result) {
  std::vector<Waiting> waiting;
  {
    const std::lock_guard lock(mutex_);
    const auto found = running_.find(credential_id);
    if (found == running_.end()) return;
    waiting = std::move(found->second);
    running_.erase(found);
    if (result.ok()) failures_.erase(credential_id);
  }
  for (auto& one : waiting) {
    one.loop->post([waiter = std::move(one.waiter), result] { waiter(result); });
  }
}

int RefreshTable::count_failure(int64_t credential_id) {
  const std::lock_guard lock(mutex_);
  return ++failures_[credential_id];
}

bool LoginTable::enter(const Digest& state) {
  const std::lock_guard lock(mutex_);
  for (const auto& one : running_) {
    if (one == state) return false;
  }
  running_.push_back(state);
  return true;
}

void LoginTable::leave(const Digest& state) {
  const std::lock_guard lock(mutex_);
  std::erase(running_, state);
}

}  // namespace gproxy::gateway
