// Large blocks of memory for request bodies, used again: a block that goes back to the system and
// comes again costs a page fault for each 4 KiB, which is half of what a body of a megabyte costs.
// What lies unused for a while is freed, so a burst leaves nothing behind. One per worker, on its
// loop.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "net/loop.h"
#include "net/timer.h"

namespace gproxy::gateway {

class BlockPool {
 public:
  struct Block {
    char* data = nullptr;
    size_t capacity = 0;
  };

  explicit BlockPool(net::Loop& loop);
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  // At least `bytes`. data is null when memory is out.
  Block take(size_t bytes);
  void give(Block block);

  size_t kept_bytes() const { return kept_bytes_; }

 private:
  // Powers of two; what is smaller or larger is the C library's alone.
  static constexpr size_t kSmallest = size_t{32} << 10;
  static constexpr size_t kSizes = 9;  // to 8 MiB
  static constexpr size_t kKeptBytes = size_t{24} << 20;
  static constexpr int64_t kTrimEveryMs = 2000;

  struct Shelf {
    std::vector<char*> blocks;
    size_t unused = 0;  // the fewest that lay here since the last trim
  };

  static size_t shelf_for(size_t bytes);
  void trim();

  std::array<Shelf, kSizes> shelves_;
  size_t kept_bytes_ = 0;
  net::Timer trim_;
};

}  // namespace gproxy::gateway
