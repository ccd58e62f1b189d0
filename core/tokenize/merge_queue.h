// The pairs of a piece that wait to be merged: lowest rank first, then leftmost. A rank's places
// come nearly always from the left to the right, so each rank keeps a list of its own and only the
// few that come out of turn go through a heap. One thread, one piece.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace gproxy::tokenize {

class MergeQueue {
 public:
  struct Entry {
    uint32_t rank = 0;
    uint32_t at = 0;
  };

  // `places`: about how many will wait at once.
  explicit MergeQueue(size_t places);

  void push(uint32_t rank, uint32_t at);
  // The next one in order; false when none is left. What was pushed twice comes twice.
  bool pop(Entry& entry);

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct List {
    uint32_t rank = 0;
    uint32_t first = kNone, last = kNone;  // into places_; none: not in ranks_ either
  };
  struct Place {
    uint32_t at, next;
  };

  List& list_of(uint32_t rank);
  void grow_slots();

  std::vector<Place> places_;
  uint32_t free_ = kNone;  // places that were popped, linked by `next`
  std::vector<List> lists_;
  std::vector<uint32_t> slots_;   // open addressing: list + 1, by its rank
  std::vector<uint64_t> ranks_;   // min-heap of rank << 32 | list, each list that waits once
  std::vector<uint64_t> strays_;  // min-heap of rank << 32 | at
};

}  // namespace gproxy::tokenize
