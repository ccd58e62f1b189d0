#include "gateway/usage_estimate.h"

#include <doctest/doctest.h>

#include <string>

namespace gproxy::gateway {
namespace {

using storage::Outcome;
using translate::Framing;
using translate::Protocol;

const std::string kStart =
    R"(data: {"type":"message_start","message":{"usage":{"input_tokens":9,"output_tokens":1}}})"
    "\n\n";
const std::string kDelta =
    R"(data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"twelve bytes"}})"
    "\n\n";
const std::string kEnd = R"(data: {"type":"message_delta","delta":{},"usage":{"output_tokens":2}})"
                         "\n\n"
                         R"(data: {"type":"message_stop"})"
                         "\n\n";
const std::string kChat = R"(data: {"choices":[{"delta":{"content":"twelve bytes"}}]})"
                          "\n\n";

AttemptUsage settle(Protocol protocol, const std::string& bytes, Outcome outcome,
                    bool passed = true) {
  translate::UsageScan scan(protocol, Framing::sse);
  scan.feed(bytes);
  return settle_usage(scan, scan.usage(), protocol, outcome, passed, 50);
}

}  // namespace

TEST_CASE("what the upstream told of a whole answer stands as it is") {
  const auto [usage, estimated] = settle(Protocol::claude, kStart + kDelta + kEnd, Outcome::ok);
  CHECK_FALSE(estimated);
  CHECK(usage.input == 9);
  CHECK(usage.output == 2);
}

TEST_CASE("a stream that was cut off never told: both counts are estimates") {
  for (const Outcome outcome : {Outcome::cancelled, Outcome::truncated}) {
    const auto [usage, estimated] = settle(Protocol::openai_chat, kChat + kChat, outcome);
    CHECK(estimated);
    CHECK(usage.input == 50);
    CHECK(usage.output == 6);
  }
}

TEST_CASE("a message's first count is not its last: what passed counts") {
  const auto [usage, estimated] = settle(Protocol::claude, kStart + kDelta, Outcome::cancelled);
  CHECK(estimated);
  CHECK(usage.input == 9);  // told
  CHECK(usage.output == 3);
}

TEST_CASE("an upstream that tells with every event is believed") {
  const std::string event =
      R"(data: {"candidates":[{"content":{"parts":[{"text":"a long piece of text indeed"}]}}],)"
      R"("usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":4}})"
      "\n\n";
  const auto [usage, estimated] = settle(Protocol::gemini, event, Outcome::cancelled);
  CHECK_FALSE(estimated);
  CHECK(usage.input == 7);
  CHECK(usage.output == 4);
}

TEST_CASE("a response that failed told its counts with its last event, and is believed") {
  const std::string delta =
      R"(data: {"type":"response.output_text.delta","delta":"a long piece of text indeed"})"
      "\n\n";
  const std::string failed =
      R"(data: {"type":"response.failed","response":{"error":{"code":"server_error"},)"
      R"("usage":{"input_tokens":7,"output_tokens":4}}})"
      "\n\n";
  const auto [usage, estimated] =
      settle(Protocol::openai_response, delta + failed, Outcome::failed);
  CHECK_FALSE(estimated);
  CHECK(usage.output == 4);
  // Zeros with which some begin are no counts.
  const std::string zeros =
      R"(data: {"type":"response.created","response":{"usage":{"input_tokens":0,"output_tokens":0}}})"
      "\n\n";
  CHECK(settle(Protocol::openai_response, zeros + delta, Outcome::cancelled).estimated);
}

TEST_CASE("an upstream that never tells is estimated also when all went well") {
  const auto [usage, estimated] = settle(Protocol::openai_chat, kChat, Outcome::ok);
  CHECK(estimated);
  CHECK(usage.input == 50);
  CHECK(usage.output == 3);
}

TEST_CASE("of what failed before anything passed nothing is estimated") {
  const auto [usage, estimated] =
      settle(Protocol::openai_chat, "data: {\"error\":{}}\n\n", Outcome::failed, false);
  CHECK_FALSE(estimated);
  CHECK_FALSE(usage.any());
}

}  // namespace gproxy::gateway
