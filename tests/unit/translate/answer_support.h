// Helpers for the tests of answers and streams: a context from JSON, wire framing, and the
// accumulation rules of the official SDKs, which also check each protocol's grammar.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "base/json.h"
#include "translate/response.h"
#include "translate/stream.h"

namespace gproxy::translate::test {

// Ids that say where they come from and not how many came before: a stream and a whole answer
// agree.
class FixedIds final : public IdSource {
 public:
  std::string next(std::string_view prefix) override { return std::string(prefix) + "x"; }
  int64_t now_s() const override { return 1'700'000'000; }
};
// Ids that are told apart.
class CountingIds final : public IdSource {
 public:
  std::string next(std::string_view prefix) override {
    return std::string(prefix) + std::to_string(++count_);
  }
  int64_t now_s() const override { return 1'700'000'000; }

 private:
  int count_ = 0;
};

inline constexpr Protocol kProtocols[] = {Protocol::openai_chat, Protocol::openai_response,
                                          Protocol::claude, Protocol::gemini};

RequestContext context_of(Protocol upstream, Protocol client, const json::Value& settings);
Options options_of(const json::Value& settings);

// A stream of `upstream`, from its events' data (JSON or "[DONE]").
std::string frame(Protocol upstream, const std::vector<std::string>& events);
// The data of each event of an SSE stream, or the elements of a JSON array.
std::vector<std::string> unframe(std::string_view bytes);

// A client's stream read by the rules of its SDK.
struct Accumulated {
  std::string broken;    // the first rule that was broken, empty if none
  bool success = false;  // the success marker came
  int errors = 0;        // error events
  json::Value answer;    // what the SDK would hand out
};
Accumulated accumulate(Protocol client, std::string_view bytes, Arena& arena);

// "candidates[0].content.parts[-1].text"
const json::Value& at_path(const json::Value& root, std::string_view path);

json::Value parse_or_null(std::string_view text, Arena& arena);

}  // namespace gproxy::translate::test
