// Requests: any body is refused with a client error or becomes valid JSON, the same every time.
// First byte: client and upstream protocol; second: operation and model profile; the rest is the
// body.
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/strings.h"
#include "fuzz.h"
#include "translate/request.h"

using namespace gproxy;
using namespace gproxy::translate;

int one(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  constexpr Protocol kProtocols[] = {Protocol::openai_chat, Protocol::openai_response,
                                     Protocol::claude, Protocol::gemini};
  const auto from = kProtocols[data[0] & 3], to = kProtocols[data[0] >> 2 & 3];
  const auto operation = (data[1] & 1) != 0 ? Operation::count_tokens : Operation::generate;
  const std::string_view body(reinterpret_cast<const char*>(data + 2), size - 2);
  Profile profile;
  profile.cl_mid_system = (data[1] & 2) != 0;
  profile.cl_thinking.adaptive = (data[1] & 4) != 0;
  profile.gm_json_schema = (data[1] & 8) != 0;
  profile.gm_signatures = profile.gm_fn_media = (data[1] & 16) != 0;
  profile.oa_custom_tools = profile.oa_allowed_tools = (data[1] & 32) != 0;
  profile.oa_explicit_cache = (data[1] & 64) != 0;
  Options options;
  options.limits.max_depth = 64;
  options.shim_client_tools = (data[1] & 128) != 0;
  RequestMeta meta;
  if (from == Protocol::gemini) meta.model = "m";

  Arena arena(4096, 256 << 20);
  const auto got = translate_request(from, to, operation, body, meta, profile, options, arena);
  if (!got.ok()) {
    FUZZ_REQUIRE(got.error().http() >= 400 && got.error().http() < 500);
    return 0;
  }
  FUZZ_REQUIRE(got->losses.entries().size() <= LossLog::kMaxEntries);
  FUZZ_REQUIRE(got->losses.header().size() <= 1100);
  if (got->local_count) return 0;
  FUZZ_REQUIRE(is_valid_utf8(got->body));
  Arena second(4096, 256 << 20);
  json::Limits generous;
  generous.max_depth = 200;
  FUZZ_REQUIRE(json::parse(got->body, second, generous).ok());
  const auto again = translate_request(from, to, operation, body, meta, profile, options, second);
  FUZZ_REQUIRE(again.ok() && again->body == got->body);
  return 0;
}
