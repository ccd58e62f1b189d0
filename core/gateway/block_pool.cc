#include "gateway/block_pool.h"

#include <algorithm>
#include <bit>
#include <cstdlib>

namespace gproxy::gateway {

BlockPool::BlockPool(net::Loop& loop) : trim_(loop, [this] { trim(); }) {}

BlockPool::~BlockPool() {
  for (Shelf& shelf : shelves_) {
    for (char* block : shelf.blocks) std::free(block);
  }
}

// kSizes for what no shelf holds.
size_t BlockPool::shelf_for(size_t bytes) {
  if (bytes <= kSmallest / 2) return kSizes;
  const auto shelf = static_cast<size_t>(std::bit_width((bytes - 1) / kSmallest));
  return std::min(shelf, kSizes);
}

BlockPool::Block BlockPool::take(size_t bytes) {
  const size_t index = shelf_for(bytes);
  if (index == kSizes) return {static_cast<char*>(std::malloc(bytes)), bytes};
  const size_t capacity = kSmallest << index;
  Shelf& shelf = shelves_[index];
  if (shelf.blocks.empty()) return {static_cast<char*>(std::malloc(capacity)), capacity};
  char* data = shelf.blocks.back();
  shelf.blocks.pop_back();
  shelf.unused = std::min(shelf.unused, shelf.blocks.size());
  kept_bytes_ -= capacity;
  return {data, capacity};
}

void BlockPool::give(Block block) {
  const size_t index = shelf_for(block.capacity);
  if (block.data == nullptr || index == kSizes || kSmallest << index != block.capacity ||
      kept_bytes_ + block.capacity > kKeptBytes) {
    std::free(block.data);
    return;
  }
  shelves_[index].blocks.push_back(block.data);
  kept_bytes_ += block.capacity;
  if (!trim_.active()) trim_.start(kTrimEveryMs, kTrimEveryMs);
}

void BlockPool::trim() {
  for (size_t i = 0; i < kSizes; ++i) {
    Shelf& shelf = shelves_[i];
    for (; shelf.unused > 0; --shelf.unused) {
      std::free(shelf.blocks.back());
      shelf.blocks.pop_back();
      kept_bytes_ -= kSmallest << i;
    }
    shelf.unused = shelf.blocks.size();
  }
  if (kept_bytes_ == 0) trim_.stop();
}

}  // namespace gproxy::gateway
