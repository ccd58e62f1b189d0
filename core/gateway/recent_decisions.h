// The decisions of the last requests, in memory: plain ones in a ring per loop, those with notes as
// the JSON they are told as. Bounded; nothing here outlives the process. A ring is written by its
// loop without a lock, a read that meets the writer looks again. Owned by SharedState.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/decision.h"

namespace gproxy::gateway {

class DecisionRing {
 public:
  static constexpr size_t kSlots = 1024;

  // Error: none; without memory nothing is kept.
  DecisionRing();
  ~DecisionRing();
  DecisionRing(const DecisionRing&) = delete;
  DecisionRing& operator=(const DecisionRing&) = delete;

  // By its loop.
  void put(const DecisionRecord& decision);
  // Any thread. The newest that `is` says yes to.
  template <class Is>
  bool find(const Is& is, DecisionRecord& out) const {
    const auto newest = written_.load(std::memory_order_acquire);
    for (uint64_t back = 0; back < kSlots && back < newest; ++back) {
      if (read((newest - 1 - back) % kSlots, out) && is(out)) return true;
    }
    return false;
  }

 private:
  static constexpr size_t kWords = sizeof(DecisionRecord) / 8;
  struct Slot {
    uint64_t sequence;  // odd while it is written; all words are atomic by atomic_ref
    uint64_t words[kWords];
  };
  bool read(size_t at, DecisionRecord& out) const;

  Slot* slots_;  // zeroed pages, touched as the ring fills
  std::atomic<uint64_t> written_{0};
};

class RecentDecisions {
 public:
  static constexpr size_t kMostTold = 1024;
  static constexpr size_t kMostBytes = size_t{4} << 20;

  // A loop's ring, for as long as this lives. Any thread.
  DecisionRing& open();
  // Any thread; rare: takes a lock and memory.
  void keep(std::string_view trace_id, std::string_view request_id, std::string_view json);
  // By trace id, or the newest with this name of the client's. As JSON. Any thread.
  std::optional<std::string> find(std::string_view id) const;

 private:
  struct Told {
    std::string trace_id, request_id, json;
    size_t bytes() const {
      return trace_id.size() + request_id.size() + json.size() + sizeof(Told);
    }
  };
  mutable std::mutex mutex_;  // guards everything; rings lie still once they are made
  std::vector<std::unique_ptr<DecisionRing>> rings_;
  std::deque<Told> told_;
  size_t told_bytes_ = 0;
};

}  // namespace gproxy::gateway
