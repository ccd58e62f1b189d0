// Whole answers, errors, counts and model lists: whatever an upstream says becomes valid JSON for
// the client, or an error of its protocol. First byte: upstream and client; second: what it is; the
// rest is the upstream's body.
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/strings.h"
#include "fuzz.h"
#include "translate/models.h"
#include "translate/response.h"

using namespace gproxy;
using namespace gproxy::translate;

namespace {

class Ids final : public IdSource {
 public:
  std::string next(std::string_view prefix) override { return std::string(prefix) + "0"; }
  int64_t now_s() const override { return 1; }
};

}  // namespace

int one(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  constexpr Protocol kProtocols[] = {Protocol::openai_chat, Protocol::openai_response,
                                     Protocol::claude, Protocol::gemini};
  RequestContext context;
  context.upstream = kProtocols[data[0] & 3];
  context.client = kProtocols[data[0] >> 2 & 3];
  context.thinking_enabled = context.include_thoughts = (data[0] & 16) != 0;
  const std::string_view body(reinterpret_cast<const char*>(data + 2), size - 2);
  Options options;
  options.limits.max_depth = 64;
  Ids ids;
  TranslatedAnswer answer;
  switch (data[1] % 4) {
    case 0:
      answer = translate_response(context, 200, body, options, ids);
      break;
    case 1:
      answer = translate_error(context, 400 + data[1], body);
      break;
    case 2:
      answer = translate_count_response(context, 200, body);
      break;
    default:
      answer = translate_models(context.client, context.upstream, 200, body, "limit=2");
      break;
  }
  FUZZ_REQUIRE(answer.failed == (answer.status >= 400));
  FUZZ_REQUIRE(answer.status < 600 && answer.status != 401);
  FUZZ_REQUIRE(answer.losses.entries().size() <= LossLog::kMaxEntries);
  FUZZ_REQUIRE(is_valid_utf8(answer.body));
  if (answer.status == 499 && answer.body.empty()) return 0;  // nobody waits for it
  Arena arena(4096, 256 << 20);
  json::Limits generous;
  generous.max_depth = 200;
  FUZZ_REQUIRE(json::parse(answer.body, arena, generous).ok());
  return 0;
}
