// A chain of blocks with a hard maximum: bytes waiting to be written or parsed. Lives on one loop.
// There is no constructor without a maximum. Blocks come from a small per-thread free list.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace gproxy {

class Buffer {
 public:
  static constexpr size_t kBlockBytes = 16 * 1024;

  explicit Buffer(size_t max_bytes) : max_bytes_(max_bytes) {}
  ~Buffer();
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  // False, and nothing appended, when the maximum would be exceeded.
  [[nodiscard]] bool append(std::string_view bytes);
  // A writable tail of 1..kBlockBytes bytes, or empty when full; commit() what was filled, before
  // any other call (consume() may give an empty block back).
  std::span<char> prepare();
  void commit(size_t bytes);

  // Takes `bytes` off the front. REQUIRES: bytes <= size().
  void consume(size_t bytes);
  void clear();

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  size_t max() const { return max_bytes_; }

  std::string_view front() const;  // first contiguous piece, may be empty
  // Fills up to `out.size()` pieces in order; returns how many.
  size_t slices(std::span<std::string_view> out) const;
  std::string to_string() const;

 private:
  struct Block;
  Block* head_ = nullptr;
  Block* tail_ = nullptr;
  size_t size_ = 0;
  size_t max_bytes_;
};

}  // namespace gproxy
