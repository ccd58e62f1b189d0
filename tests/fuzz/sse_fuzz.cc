// Event streams: any split gives the same events, and what is written is read back.
#include <string>
#include <string_view>
#include <vector>

#include "base/sse.h"
#include "fuzz.h"

using namespace gproxy;

namespace {

std::string read(std::string_view text, size_t stride) {
  sse::Reader reader(4096);
  std::string seen;
  const auto on_event = [&](const sse::Event& e) {
    seen += std::to_string(e.name.size()) + ":" + std::string(e.name) +
            std::to_string(e.data.size()) + ":" + std::string(e.data) + ";";
    return true;
  };
  for (size_t at = 0; at < text.size(); at += stride) {
    const auto part = text.substr(at, stride);
    const std::vector<char> piece(part.begin(), part.end());
    FUZZ_REQUIRE(reader.feed(std::string_view(piece.data(), piece.size()), on_event).ok());
    FUZZ_REQUIRE(reader.pending_bytes() <= 2 * 4096 + 64);
  }
  reader.finish(on_event);
  return seen;
}

}  // namespace

int one(const uint8_t* data, size_t size) {
  // Below the bound of an event, so that no split fails where another does not.
  if (size < 2 || size > 4000) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string whole = read(text, text.size());
  FUZZ_REQUIRE(read(text, 1 + data[0] % 16) == whole);
  FUZZ_REQUIRE(read(text, 1) == whole);
  std::string written;
  sse::write(written, "x", text);
  std::string back;
  sse::Reader reader;
  FUZZ_REQUIRE(reader
                   .feed(written,
                         [&](const sse::Event& e) {
                           back = std::string(e.data);
                           return true;
                         })
                   .ok());
  std::string normal;  // the text with every line end as LF
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r') {
      normal += '\n';
      if (i + 1 < text.size() && text[i + 1] == '\n') ++i;
    } else {
      normal += text[i];
    }
  }
  FUZZ_REQUIRE(back == normal);
  return 0;
}
