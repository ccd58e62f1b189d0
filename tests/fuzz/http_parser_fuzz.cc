// Requests: any bytes, any split, the same outcome; nothing beyond the input is read.
#include <string_view>
#include <vector>

#include "fuzz.h"
#include "unit/http/parse_helper.h"

int one(const uint8_t* data, size_t size) {
  if (size < 2 || size > 64 * 1024) return 0;
  // The first byte decides where the input is cut, the rest is the input.
  const size_t stride = 1 + data[0] % 32;
  const std::string_view raw(reinterpret_cast<const char*>(data) + 1, size - 1);
  gproxy::http::ParserLimits limits;
  limits.max_body_bytes = 1 << 20;
  limits.max_header_bytes = 4096;
  limits.max_headers = 20;
  limits.max_target_bytes = 512;
  const auto whole = gproxy::http::testing::run(raw, {}, limits);
  std::vector<size_t> cuts;
  for (size_t at = stride; at < raw.size(); at += stride) cuts.push_back(at);
  const auto split = gproxy::http::testing::run(raw, cuts, limits);
  FUZZ_REQUIRE(whole.status == split.status);
  FUZZ_REQUIRE(whole.log == split.log);
  FUZZ_REQUIRE(whole.complete == split.complete);
  FUZZ_REQUIRE(whole.messages == split.messages);
  return 0;
}
