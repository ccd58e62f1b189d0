// Spans: each found member is, byte for byte, a JSON text equal to the document's member; finding
// by path is safe on any bytes.
#include <array>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/json_scan.h"
#include "fuzz.h"

using namespace gproxy;

int one(const uint8_t* data, size_t size) {
  static constexpr std::array<std::string_view, 4> kKeys = {"model", "a", "", "stream"};
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (auto path : {json::find(text, {"usage", "input_tokens"}), json::find(text, {"a", "0", "b"}),
                    json::find(text, {})}) {
    FUZZ_REQUIRE(path.at <= size && path.len <= size - path.at);
    (void)json::decode_string(text, path);
    (void)json::span_int(text, path);
  }
  std::array<json::Span, 4> spans;
  const auto scanned = json::scan_object(text, kKeys, spans);
  if (!scanned.ok()) return 0;
  Arena arena(4096, 64 << 20);
  const auto document = json::parse(text, arena);
  if (!document.ok()) {
    FUZZ_REQUIRE(document.error().message.find("out of range") != std::string::npos);
    return 0;
  }
  for (size_t i = 0; i < kKeys.size(); ++i) {
    const json::Value* member = document->find(kKeys[i]);
    FUZZ_REQUIRE((member != nullptr) == spans[i].found);
    if (member == nullptr) continue;
    const auto part = json::parse(text.substr(spans[i].at, spans[i].len), arena);
    FUZZ_REQUIRE(part.ok() && json::write(*part) == json::write(*member));
    FUZZ_REQUIRE(!member->is_string() || json::decode_string(text, spans[i]) == member->str());
    const json::Span found = json::find(text, {kKeys[i]});
    FUZZ_REQUIRE(found.found && found.at == spans[i].at && found.len == spans[i].len);
  }
  return 0;
}
