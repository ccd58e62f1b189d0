#include "tokenize/merge_queue.h"

#include <algorithm>
#include <functional>

namespace gproxy::tokenize {
namespace {

constexpr size_t kFirstSlots = 64;  // a power of two

size_t slot_of(uint32_t rank, size_t slots) {
  return (rank * 0x9e3779b1u >> 7) & (slots - 1);
}

void heap_push(std::vector<uint64_t>& heap, uint64_t entry) {
  heap.push_back(entry);
  std::push_heap(heap.begin(), heap.end(), std::greater<>());
}

void heap_pop(std::vector<uint64_t>& heap) {
  std::pop_heap(heap.begin(), heap.end(), std::greater<>());
  heap.pop_back();
}

}  // namespace

MergeQueue::MergeQueue(size_t places) : slots_(kFirstSlots, 0) {
  places_.reserve(places);
}

void MergeQueue::grow_slots() {
  slots_.assign(slots_.size() * 2, 0);
  for (uint32_t list = 0; list < lists_.size(); ++list) {
    size_t at = slot_of(lists_[list].rank, slots_.size());
    while (slots_[at] != 0) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = list + 1;
  }
}

MergeQueue::List& MergeQueue::list_of(uint32_t rank) {
  size_t at = slot_of(rank, slots_.size());
  for (; slots_[at] != 0; at = (at + 1) & (slots_.size() - 1)) {
    if (lists_[slots_[at] - 1].rank == rank) return lists_[slots_[at] - 1];
  }
  lists_.push_back({rank, kNone, kNone});
  slots_[at] = static_cast<uint32_t>(lists_.size());
  if (lists_.size() * 2 > slots_.size()) grow_slots();
  return lists_.back();
}

void MergeQueue::push(uint32_t rank, uint32_t at) {
  auto& list = list_of(rank);
  if (list.first != kNone && places_[list.last].at > at) {
    heap_push(strays_, uint64_t{rank} << 32 | at);
    return;
  }
  uint32_t place = free_;
  if (place != kNone) {
    free_ = places_[place].next;
    places_[place] = {at, kNone};
  } else {
    place = static_cast<uint32_t>(places_.size());
    places_.push_back({at, kNone});
  }
  if (list.first == kNone) {
    list.first = place;
    heap_push(ranks_, uint64_t{rank} << 32 | static_cast<uint64_t>(&list - lists_.data()));
  } else {
    places_[list.last].next = place;
  }
  list.last = place;
}

bool MergeQueue::pop(Entry& entry) {
  if (ranks_.empty()) {
    if (strays_.empty()) return false;
  } else {
    const auto rank = static_cast<uint32_t>(ranks_[0] >> 32);
    auto& list = lists_[static_cast<uint32_t>(ranks_[0])];
    const uint32_t place = list.first;
    const uint32_t at = places_[place].at;
    if (strays_.empty() || (uint64_t{rank} << 32 | at) <= strays_[0]) {
      entry = {rank, at};
      list.first = places_[place].next;
      places_[place].next = free_;
      free_ = place;
      if (list.first == kNone) heap_pop(ranks_);
      return true;
    }
  }
  entry = {static_cast<uint32_t>(strays_[0] >> 32), static_cast<uint32_t>(strays_[0])};
  heap_pop(strays_);
  return true;
}

}  // namespace gproxy::tokenize
