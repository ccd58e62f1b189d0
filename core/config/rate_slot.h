// What a key or user has used of its limits: outside the snapshots, as it outlives them, and shared
// by all loops. Lock-free; any thread. Owned by the RateTable; snapshots keep what they list alive.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace gproxy::config {

// A quantity per minute that refills steadily, as one number: the moment at which everything taken
// so far will have been refilled (the generic cell rate algorithm). A changed limit therefore needs
// no conversion. Times are monotonic microseconds.
class MinuteMeter {
 public:
  static constexpr int64_t kMinuteUs = 60'000'000;

  // Takes `units` (at most `limit` of them) if there is room. 0, or how long until there will be.
  int64_t take(int64_t units, int64_t limit, int64_t now_us);
  // Afterwards: more, or fewer, than were taken. May go into debt.
  void adjust(int64_t units, int64_t limit, int64_t now_us);
  int64_t remaining(int64_t limit, int64_t now_us) const;
  // Until everything is there again.
  int64_t reset_us(int64_t now_us) const;

 private:
  std::atomic<int64_t> full_at_us_{INT64_MIN};
};

class RateSlot {
 public:
  MinuteMeter requests;
  MinuteMeter tokens;

  // One more at a time; false when `limit` run already.
  bool enter(int64_t limit) {
    if (running_.fetch_add(1, std::memory_order_relaxed) < limit) return true;
    running_.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  void leave() { running_.fetch_sub(1, std::memory_order_relaxed); }
  int64_t running() const { return running_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> running_{0};
};

// All of them, by id. Main thread.
class RateTable {
 public:
  std::shared_ptr<RateSlot> key(int64_t id) { return get(keys_, id); }
  std::shared_ptr<RateSlot> user(int64_t id) { return get(users_, id); }

 private:
  using Map = std::unordered_map<int64_t, std::weak_ptr<RateSlot>>;
  std::shared_ptr<RateSlot> get(Map& map, int64_t id);

  std::mutex mutex_;
  Map keys_, users_;
  size_t looked_at_ = 64;  // sizes at which those that nobody lists any more are swept out
};

}  // namespace gproxy::config
