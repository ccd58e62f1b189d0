// Documents: what is read, written and read again is the same; the scanner has the same opinion.
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/json_scan.h"
#include "base/strings.h"
#include "fuzz.h"

using namespace gproxy;

int one(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  json::Limits limits;
  limits.max_depth = 64;
  Arena arena(4096, 64 << 20);
  const auto document = json::parse(text, arena, limits);
  const auto scanned = json::validate(text, limits);
  json::Position where;
  (void)json::parse_with_comments(text, arena, &where);
  if (!document.ok()) {
    FUZZ_REQUIRE(!scanned.ok() ||
                 document.error().message.find("out of range") != std::string::npos);
    return 0;
  }
  FUZZ_REQUIRE(scanned.ok());
  const std::string written = json::write(*document);
  FUZZ_REQUIRE(is_valid_utf8(written));
  const auto again = json::parse(written, arena, limits);
  FUZZ_REQUIRE(again.ok());
  FUZZ_REQUIRE(json::write(*again) == written);
  const auto pretty = json::parse(json::write_pretty(*document), arena, limits);
  FUZZ_REQUIRE(pretty.ok() && json::write(*pretty) == written);
  return 0;
}
