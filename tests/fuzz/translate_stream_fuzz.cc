// Streams: any bytes from upstream, in any pieces, give the client well-formed frames, the same
// whatever the pieces, and one end: a success marker or an error. First byte: upstream and client;
// second: seed of the cuts, framing, form; the rest is the upstream's stream.
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/sse.h"
#include "base/strings.h"
#include "fuzz.h"
#include "translate/bridge.h"

using namespace gproxy;
using namespace gproxy::translate;

namespace {

class Ids final : public IdSource {
 public:
  std::string next(std::string_view prefix) override { return std::string(prefix) + "0"; }
  int64_t now_s() const override { return 1; }
};

std::string run(const RequestContext& context, const Options& options, std::string_view bytes,
                uint32_t seed) {
  Ids ids;
  StreamTranslator translator(context, options, ids);
  std::string out;
  Result<void> result;
  while (!bytes.empty() && result.ok()) {
    seed = seed * 1664525 + 1013904223;
    const size_t piece = seed == 0 ? bytes.size() : 1 + (seed >> 16) % 23;
    result = translator.feed(bytes.substr(0, piece), out);
    bytes.remove_prefix(piece < bytes.size() ? piece : bytes.size());
  }
  if (result.ok()) result = translator.finish(out);
  if (!result.ok()) translator.fail(result.error(), out);
  FUZZ_REQUIRE(translator.ended());
  return out;
}

}  // namespace

int one(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  constexpr Protocol kProtocols[] = {Protocol::openai_chat, Protocol::openai_response,
                                     Protocol::claude, Protocol::gemini};
  RequestContext context;
  context.upstream = kProtocols[data[0] & 3];
  context.client = kProtocols[data[0] >> 2 & 3];
  context.thinking_enabled = context.include_thoughts = (data[0] & 16) != 0;
  context.include_usage = (data[0] & 32) != 0;
  context.stream = true;
  if ((data[1] & 1) != 0) context.framing = GeminiFraming::array;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 2), size - 2);
  Options options;
  options.limits.max_depth = 64;

  const std::string whole = run(context, options, bytes, 0);
  FUZZ_REQUIRE(is_valid_utf8(whole));
  FUZZ_REQUIRE(run(context, options, bytes, 1 + data[1]) == whole);
  Arena arena(4096, 256 << 20);
  json::Limits generous;
  generous.max_depth = 200;
  if (context.client == Protocol::gemini && context.framing == GeminiFraming::array) {
    FUZZ_REQUIRE(json::parse(whole, arena, generous).ok());
  } else {
    sse::Reader reader;
    const auto fed = reader.feed(whole, [&](const sse::Event& event) {
      FUZZ_REQUIRE(event.data == "[DONE]" || json::parse(event.data, arena, generous).ok());
      return true;
    });
    FUZZ_REQUIRE(fed.ok() && reader.at_boundary());
  }
  Ids ids;
  context.stream = false;
  StreamCollector collector(context, options, ids);
  (void)collector.feed(bytes);
  const auto collected = collector.finish();
  FUZZ_REQUIRE(json::parse(collected.body, arena, generous).ok());
  return 0;
}
