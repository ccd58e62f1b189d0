// Width and height of an image by its first bytes: PNG, JPEG, GIF, WebP. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace gproxy::translate {

struct ImageSize {
  uint32_t width = 0;
  uint32_t height = 0;
};

// Of an image in standard base64; nothing if it is none of those or the size is not within the
// first 64 KiB.
std::optional<ImageSize> image_size(std::string_view base64);

}  // namespace gproxy::translate
