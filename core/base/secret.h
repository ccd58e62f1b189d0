// A secret string: does not format, is zeroised when it dies, compares in constant time.
// reveal() is greppable and stands only where a header or a sealed record is written.
#pragma once

#include <string>
#include <string_view>

namespace gproxy {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view text) : text_(text) {}
  ~Secret() { wipe(); }
  Secret(const Secret&) = default;
  Secret& operator=(const Secret& other) {
    if (this != &other) {
      wipe();
      text_ = other.text_;
    }
    return *this;
  }
  Secret(Secret&& other) noexcept { *this = std::move(other); }
  Secret& operator=(Secret&& other) noexcept;

  std::string_view reveal() const { return text_; }
  bool empty() const { return text_.empty(); }
  size_t size() const { return text_.size(); }
  bool equals(std::string_view other) const;  // constant time for equal lengths

 private:
  void wipe();
  std::string text_;
};

bool constant_time_equal(std::string_view a, std::string_view b);
void wipe_memory(void* at, size_t bytes);

}  // namespace gproxy
