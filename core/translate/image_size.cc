#include "translate/image_size.h"

#include <algorithm>
#include <string>

#include "base/base64.h"

namespace gproxy::translate {
namespace {

constexpr size_t kLookedAt = size_t{64} << 10;  // of base64; a multiple of four

class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}
  bool has(size_t at, size_t n) const { return at <= bytes_.size() && n <= bytes_.size() - at; }
  uint32_t u8(size_t at) const { return static_cast<unsigned char>(bytes_[at]); }
  uint32_t big(size_t at, size_t n) const {
    uint32_t value = 0;
    for (size_t i = 0; i < n; ++i) value = value << 8 | u8(at + i);
    return value;
  }
  uint32_t little(size_t at, size_t n) const {
    uint32_t value = 0;
    for (size_t i = n; i > 0; --i) value = value << 8 | u8(at + i - 1);
    return value;
  }
  std::string_view text(size_t at, size_t n) const { return bytes_.substr(at, n); }

 private:
  std::string_view bytes_;
};

// The first frame header (SOFn) of a JPEG.
std::optional<ImageSize> jpeg_size(const Bytes& in) {
  for (size_t at = 2; in.has(at, 9);) {
    if (in.u8(at) != 0xff) return {};
    const uint32_t marker = in.u8(at + 1);
    if (marker == 0xff) {
      ++at;
      continue;
    }
    const bool frame =
        marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    if (frame) return ImageSize{in.big(at + 7, 2), in.big(at + 5, 2)};
    at += 2 + in.big(at + 2, 2);
  }
  return {};
}

std::optional<ImageSize> webp_size(const Bytes& in) {
  const auto kind = in.text(12, 4);
  if (kind == "VP8X") return ImageSize{in.little(24, 3) + 1, in.little(27, 3) + 1};
  if (kind == "VP8 ") return ImageSize{in.little(26, 2) & 0x3fff, in.little(28, 2) & 0x3fff};
  if (kind == "VP8L") {
    const uint32_t bits = in.little(21, 4);
    return ImageSize{(bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1};
  }
  return {};
}

std::optional<ImageSize> read_size(const Bytes& in) {
  if (in.has(0, 24) && in.text(0, 8) == "\x89PNG\r\n\x1a\n")
    return ImageSize{in.big(16, 4), in.big(20, 4)};
  if (in.has(0, 10) && in.text(0, 4) == "GIF8") return ImageSize{in.little(6, 2), in.little(8, 2)};
  if (in.has(0, 30) && in.text(0, 4) == "RIFF" && in.text(8, 4) == "WEBP") return webp_size(in);
  if (in.has(0, 3) && in.text(0, 2) == "\xff\xd8") return jpeg_size(in);
  return {};
}

}  // namespace

std::optional<ImageSize> image_size(std::string_view base64) {
  auto head = base64.substr(0, kLookedAt);
  if (head.size() < base64.size()) head = head.substr(0, head.size() / 4 * 4);
  const auto bytes = base64_decode(head);
  if (!bytes) return {};
  const auto size = read_size(Bytes(*bytes));
  if (!size || size->width == 0 || size->height == 0) return {};
  return size;
}

}  // namespace gproxy::translate
