// A request's body, contiguous, growing by doubling, given back as soon as nobody needs it. One
// loop; owned by the exchange.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "gateway/block_pool.h"

namespace gproxy::gateway {

// Shorter ones are not charged to the memory budget: the number of connections bounds them.
inline constexpr size_t kUnchargedBytes = 4096;

class BodyBuffer {
 public:
  explicit BodyBuffer(BlockPool& blocks) : blocks_(blocks) {}
  ~BodyBuffer() { release(); }
  BodyBuffer(const BodyBuffer&) = delete;
  BodyBuffer& operator=(const BodyBuffer&) = delete;

  // A hint of what will come; bounded by the caller.
  void reserve(size_t bytes) {
    if (bytes > block_.capacity) grow(bytes);
  }
  // Memory behind the body, at most `bytes` of it: append() takes what was put there without a
  // copy.
  std::span<char> room(size_t bytes) {
    return {block_.data + size_, std::min(bytes, block_.capacity - size_)};
  }
  // False when memory is out.
  bool append(std::string_view bytes) {
    if (bytes.data() == block_.data + size_ && bytes.size() <= block_.capacity - size_) {
      size_ += bytes.size();
      return true;
    }
    if (bytes.size() > block_.capacity - size_ &&
        !grow(std::max({size_t{2048}, block_.capacity * 2, size_ + bytes.size()}))) {
      return false;
    }
    if (!bytes.empty()) std::memcpy(block_.data + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
    return true;
  }
  void release() {
    if (block_.data != nullptr) blocks_.give(block_);
    block_ = {};
    size_ = 0;
  }
  // With one of the same pool.
  void swap(BodyBuffer& other) {
    std::swap(block_, other.block_);
    std::swap(size_, other.size_);
  }
  std::string_view view() const { return {block_.data, size_}; }
  size_t size() const { return size_; }

 private:
  bool grow(size_t capacity) {
    const BlockPool::Block bigger = blocks_.take(capacity);
    if (bigger.data == nullptr) return false;
    if (size_ > 0) std::memcpy(bigger.data, block_.data, size_);
    if (block_.data != nullptr) blocks_.give(block_);
    block_ = bigger;
    return true;
  }

  BlockPool& blocks_;
  BlockPool::Block block_;
  size_t size_ = 0;
};

}  // namespace gproxy::gateway
