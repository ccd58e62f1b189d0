// A request's body, contiguous, growing by doubling (large blocks are remapped, not copied), freed
// as soon as nobody needs it. One loop; owned by the exchange.
#pragma once

#include <cstdlib>
#include <cstring>
#include <string_view>

namespace gproxy::gateway {

class BodyBuffer {
 public:
  BodyBuffer() = default;
  ~BodyBuffer() { release(); }
  BodyBuffer(const BodyBuffer&) = delete;
  BodyBuffer& operator=(const BodyBuffer&) = delete;

  // A hint of what will come; bounded by the caller.
  void reserve(size_t bytes) {
    if (bytes > capacity_) grow(bytes);
  }
  // False when memory is out.
  bool append(std::string_view bytes) {
    if (bytes.size() > capacity_ - size_) {
      size_t wanted = capacity_ < 1024 ? 2048 : capacity_ * 2;
      if (wanted < size_ + bytes.size()) wanted = size_ + bytes.size();
      if (!grow(wanted)) return false;
    }
    if (!bytes.empty()) std::memcpy(data_ + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
    return true;
  }
  void release() {
    std::free(data_);
    data_ = nullptr;
    size_ = capacity_ = 0;
  }
  std::string_view view() const { return {data_, size_}; }
  size_t size() const { return size_; }

 private:
  bool grow(size_t capacity) {
    auto* bigger = static_cast<char*>(std::realloc(data_, capacity));
    if (bigger == nullptr) return false;
    data_ = bigger;
    capacity_ = capacity;
    return true;
  }

  char* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace gproxy::gateway
