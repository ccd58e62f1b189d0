// A bump allocator: one exchange's memory. Lives on one loop; nothing is freed singly, reset()
// frees all but the first block. Not thread-safe. Objects in it must be trivially destructible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace gproxy {

class Arena {
 public:
  // `max_bytes` bounds what reset() .. now may hold; beyond it alloc() returns null.
  explicit Arena(size_t first_block = 4096, size_t max_bytes = size_t{1} << 31);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Null only when the bound is reached or memory is out. Aligned to `align` (<= 16).
  void* alloc(size_t bytes, size_t align = 8) {
    auto at = (cursor_ + align - 1) & ~(align - 1);
    if (at + bytes <= limit_ && at + bytes >= at) {
      cursor_ = at + bytes;
      return reinterpret_cast<void*>(at);
    }
    return alloc_slow(bytes, align);
  }

  // Copies `text` in; returns the copy (empty when the bound is reached and text is not empty:
  // check with exhausted()).
  std::string_view copy(std::string_view text);
  // Concatenates the pieces into one view.
  std::string_view concat(std::initializer_list<std::string_view> pieces);

  template <class T, class... Args>
  T* make(Args&&... args) {
    static_assert(std::is_trivially_destructible_v<T>);
    void* p = alloc(sizeof(T), alignof(T));
    return p ? new (p) T{std::forward<Args>(args)...} : nullptr;
  }
  template <class T>
  std::span<T> array(size_t n) {
    static_assert(std::is_trivially_destructible_v<T>);
    if (n > SIZE_MAX / sizeof(T)) return {};
    auto* p = static_cast<T*>(alloc(n * sizeof(T), alignof(T)));
    if (p == nullptr) return {};
    for (size_t i = 0; i < n; ++i) new (p + i) T{};
    return {p, n};
  }

  void reset();
  size_t used() const { return held_; }  // bytes of blocks held, an upper bound of what is in use
  bool exhausted() const { return exhausted_; }

 private:
  struct Block;
  void* alloc_slow(size_t bytes, size_t align);

  uintptr_t cursor_ = 0;
  uintptr_t limit_ = 0;
  Block* blocks_ = nullptr;  // newest first
  size_t next_block_;        // size of the block that comes next
  const size_t first_block_;
  size_t held_ = 0;
  const size_t max_bytes_;
  bool exhausted_ = false;
};

}  // namespace gproxy
