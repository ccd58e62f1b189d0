// Numbers and texts of the roll-ups' blobs: LEB128, signed ones zigzag; a text is its size and its
// bytes. Pure; used by rollup.cc and rollup_pending.cc alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gproxy::storage {

inline constexpr size_t kMaxVarint = 10;  // bytes of one number

// Writes at `p`, where kMaxVarint bytes must be free, and returns the end.
inline char* put(char* p, uint64_t value) {
  for (; value >= 0x80; value >>= 7) *p++ = static_cast<char>(value | 0x80);
  *p++ = static_cast<char>(value);
  return p;
}
inline char* put_signed(char* p, int64_t value) {
  return put(p, static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63));
}
inline void put(std::string& out, uint64_t value) {
  char bytes[kMaxVarint];
  out.append(bytes, static_cast<size_t>(put(bytes, value) - bytes));
}
inline void put_text(std::string& out, std::string_view text) {
  put(out, text.size());
  out.append(text);
}

// Reads what put() wrote; after damage everything reads as zero and ok() is false.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}
  uint64_t number() {
    if (at_ < end_ && static_cast<unsigned char>(*at_) < 0x80)
      return static_cast<unsigned char>(*at_++);
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && at_ < end_; shift += 7) {
      const auto byte = static_cast<unsigned char>(*at_++);
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
    fail();
    return 0;
  }
  int64_t integer() {
    const uint64_t v = number();
    return static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1);
  }
  int64_t count() { return static_cast<int64_t>(number()); }
  std::string_view text() {
    const uint64_t size = number();
    if (size > static_cast<uint64_t>(end_ - at_)) {
      fail();
      return {};
    }
    const std::string_view out(at_, static_cast<size_t>(size));
    at_ += size;
    return out;
  }
  // A number of things that take at least a byte each.
  size_t amount() {
    const uint64_t n = number();
    if (n > static_cast<uint64_t>(end_ - at_)) fail();
    return ok_ ? static_cast<size_t>(n) : 0;
  }
  // Texts that stand in front of what refers to them by number.
  std::vector<std::string_view> texts() {
    std::vector<std::string_view> out(amount());
    for (auto& one : out) one = text();
    return out;
  }
  static std::string_view text_at(const std::vector<std::string_view>& texts, uint64_t index) {
    return index < texts.size() ? texts[index] : std::string_view();
  }
  bool ok() const { return ok_; }

 private:
  void fail() {
    ok_ = false;
    at_ = end_;
  }
  const char* at_;
  const char* end_;
  bool ok_ = true;
};

}  // namespace gproxy::storage
