// SPDX-License-Identifier: MIT
//
// The arena of tests: each piece of memory is an allocation of its own, so that the sanitizers see
// every byte written past its end and every use after the arena's death. One thread.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "gproxy/abi.h"

namespace gp::testing {

class FakeArena {
 public:
  explicit FakeArena(size_t bound = 64 * 1024 * 1024) : left_(bound) {}

  gp_arena* handle() { return reinterpret_cast<gp_arena*>(this); }
  // Null once the bound is reached.
  void* alloc(size_t bytes) {
    if (bytes > left_) return nullptr;
    left_ -= bytes;
    blocks_.push_back(std::make_unique<char[]>(bytes));
    return blocks_.back().get();
  }

 private:
  size_t left_;
  std::vector<std::unique_ptr<char[]>> blocks_;
};

inline void* arena_alloc(gp_arena* arena, size_t bytes, size_t /*align: new gives 16*/) {
  return reinterpret_cast<FakeArena*>(arena)->alloc(bytes);
}

}  // namespace gp::testing
