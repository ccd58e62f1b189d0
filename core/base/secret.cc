#include "base/secret.h"

#include <cstring>

namespace gproxy {

void wipe_memory(void* at, size_t bytes) {
  // explicit_bzero is never optimised away.
  if (bytes > 0) explicit_bzero(at, bytes);
}

bool constant_time_equal(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference = static_cast<unsigned char>(difference | (a[i] ^ b[i]));
    // Keeps the compiler from leaving the loop early.
    asm volatile("" : "+r"(difference));
  }
  return difference == 0;
}

void Secret::wipe() {
  // Growing to the capacity does not allocate, and reaches what a longer text left behind.
  text_.resize(text_.capacity());
  wipe_memory(text_.data(), text_.size());
  text_.clear();
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    wipe();
    text_ = std::move(other.text_);
    // A short text was copied, not moved: its bytes are still in `other`.
    other.wipe();
  }
  return *this;
}

bool Secret::equals(std::string_view other) const {
  return constant_time_equal(text_, other);
}

}  // namespace gproxy
