#include "config/rate_slot.h"

#include <algorithm>

namespace gproxy::config {
namespace {

// What a number of units costs in time; at most some minutes, whatever was used.
int64_t cost_us(int64_t units, int64_t limit) {
  constexpr int64_t kMostUnits = int64_t{1} << 36;
  units = std::clamp(units, -kMostUnits, kMostUnits);
  return units * MinuteMeter::kMinuteUs / std::max<int64_t>(limit, 1);
}

}  // namespace

int64_t MinuteMeter::take(int64_t units, int64_t limit, int64_t now_us) {
  // What is more than a whole minute's would never fit.
  const int64_t cost = cost_us(std::min(units, limit), limit);
  int64_t before = full_at_us_.load(std::memory_order_relaxed);
  for (;;) {
    const int64_t after = std::max(before, now_us) + cost;
    if (after - now_us > kMinuteUs) return after - now_us - kMinuteUs;
    if (full_at_us_.compare_exchange_weak(before, after, std::memory_order_relaxed)) return 0;
  }
}

void MinuteMeter::adjust(int64_t units, int64_t limit, int64_t now_us) {
  if (units == 0) return;
  const int64_t cost = cost_us(units, limit);
  int64_t before = full_at_us_.load(std::memory_order_relaxed);
  int64_t after = 0;
  do {
    after = std::max(before, now_us) + cost;
  } while (!full_at_us_.compare_exchange_weak(before, after, std::memory_order_relaxed));
}

int64_t MinuteMeter::remaining(int64_t limit, int64_t now_us) const {
  const int64_t used = std::clamp<int64_t>(reset_us(now_us), 0, kMinuteUs);
  return (kMinuteUs - used) * limit / kMinuteUs;
}

int64_t MinuteMeter::reset_us(int64_t now_us) const {
  const int64_t full_at = full_at_us_.load(std::memory_order_relaxed);
  return full_at > now_us ? full_at - now_us : 0;
}

std::shared_ptr<RateSlot> RateTable::get(Map& map, int64_t id) {
  std::lock_guard lock(mutex_);
  auto& known = map[id];
  auto slot = known.lock();
  if (slot == nullptr) {
    slot = std::make_shared<RateSlot>();
    known = slot;
    if (map.size() > looked_at_) {
      std::erase_if(map, [](const auto& entry) { return entry.second.expired(); });
      looked_at_ = std::max<size_t>(64, 2 * map.size());
    }
  }
  return slot;
}

}  // namespace gproxy::config
