// A stream collected for a client of the same protocol keeps what this code does not know.
#include <doctest/doctest.h>

#include "answer_support.h"
#include "translate/bridge.h"

using namespace gproxy;
using namespace gproxy::translate;
using namespace gproxy::translate::test;

namespace {

json::Value collected(Protocol protocol, const std::vector<std::string>& events, Arena& arena) {
  RequestContext context;
  context.upstream = context.client = protocol;
  context.requested_model = "asked-for";
  context.include_thoughts = context.thinking_enabled = true;
  Options options;
  FixedIds ids;
  StreamCollector collector(context, options, ids);
  bool fed = true;
  for (const char c : frame(protocol, events)) fed = collector.feed({&c, 1}).ok() && fed;
  CHECK(fed);
  const auto answer = collector.finish();
  CHECK_FALSE(answer.failed);
  return parse_or_null(arena.copy(answer.body), arena);
}

json::Value parsed(std::string_view text, Arena& arena) {
  return parse_or_null(arena.copy(text), arena);
}

}  // namespace

TEST_CASE("a collected Chat stream keeps unknown members") {
  Arena arena;
  const auto got = collected(
      Protocol::openai_chat,
      {R"({"id":"c1","object":"chat.completion.chunk","created":5,"model":"up","x_top":{"a":1},"choices":[{"index":0,"delta":{"role":"assistant","content":"","x_list":[1]},"finish_reason":null}]})",
       R"({"id":"c1","object":"chat.completion.chunk","created":5,"model":"up","choices":[{"index":0,"delta":{"content":"He","x_words":"a","x_list":[2]},"finish_reason":null}]})",
       R"({"id":"c1","object":"chat.completion.chunk","created":5,"model":"up","choices":[{"index":0,"delta":{"content":"llo","x_words":"b"},"x_choice":7,"finish_reason":null}]})",
       R"({"id":"c1","object":"chat.completion.chunk","created":5,"model":"up","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t1","type":"function","x_call":true,"function":{"name":"f","arguments":"{\"a\""}}]},"finish_reason":null}]})",
       R"({"id":"c1","object":"chat.completion.chunk","created":5,"model":"up","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":":12345678901234567890}"}}]},"finish_reason":null}]})",
       R"({"id":"c1","object":"chat.completion.chunk","created":5,"model":"up","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]})",
       R"({"id":"c1","object":"chat.completion.chunk","created":5,"model":"up","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"x_usage":4}})",
       "[DONE]"},
      arena);
  const auto want = parsed(
      R"({"id":"c1","created":5,"model":"asked-for","x_top":{"a":1},"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"x_usage":4},"object":"chat.completion","choices":[{"index":0,"finish_reason":"tool_calls","x_choice":7,"message":{"role":"assistant","x_list":[1,2],"content":"Hello","x_words":"ab","tool_calls":[{"id":"t1","type":"function","x_call":true,"function":{"name":"f","arguments":"{\"a\":12345678901234567890}"}}]}}]})",
      arena);
  CHECK_MESSAGE(got.equals(want), json::write(got));
}

TEST_CASE("a collected Claude stream keeps unknown members and blocks") {
  Arena arena;
  const auto got = collected(
      Protocol::claude,
      {R"({"type":"message_start","message":{"id":"m1","type":"message","role":"assistant","model":"up","content":[],"stop_reason":null,"x_message":1,"usage":{"input_tokens":3,"output_tokens":1,"x_usage":{"b":2}}}})",
       R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":"","x_block":1}})",
       R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}})",
       R"({"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{"type":"x","n":1}}})",
       R"({"type":"content_block_stop","index":0})",
       R"({"type":"content_block_start","index":1,"content_block":{"type":"future_block","z":[1]}})",
       R"({"type":"content_block_stop","index":1})",
       R"({"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"f","input":{},"x_tool":1}})",
       R"({"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1.50}"}})",
       R"({"type":"content_block_stop","index":2})",
       R"({"type":"message_delta","delta":{"stop_reason":"tool_use","x_end":true},"usage":{"output_tokens":9},"context_management":{"x":1}})",
       R"({"type":"message_stop"})"},
      arena);
  const auto want = parsed(
      R"({"id":"m1","type":"message","role":"assistant","model":"asked-for","stop_reason":"tool_use","x_message":1,"x_end":true,"context_management":{"x":1},"content":[{"type":"text","x_block":1,"citations":[{"type":"x","n":1}],"text":"Hi"},{"type":"future_block","z":[1]},{"type":"tool_use","id":"t","name":"f","input":{"a":1.50},"x_tool":1}],"usage":{"input_tokens":3,"output_tokens":9,"x_usage":{"b":2}}})",
      arena);
  CHECK_MESSAGE(got.equals(want), json::write(got));
}

TEST_CASE("a collected Gemini stream keeps unknown members and parts") {
  Arena arena;
  const auto got = collected(
      Protocol::gemini,
      {R"({"candidates":[{"content":{"role":"model","parts":[{"text":"He"}]},"index":0}],"modelVersion":"up","responseId":"r","x_top":1})",
       R"({"candidates":[{"content":{"role":"model","parts":[{"text":"llo","x_part":1},{"futurePart":{"q":1}},{"text":"!"}]},"index":0,"x_candidate":2}],"modelVersion":"up"})",
       R"({"candidates":[{"content":{"role":"model","parts":[]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":1,"x_usage":[1]},"modelVersion":"up"})"},
      arena);
  const auto want = parsed(
      R"({"modelVersion":"asked-for","responseId":"r","x_top":1,"usageMetadata":{"promptTokenCount":1,"x_usage":[1]},"candidates":[{"index":0,"x_candidate":2,"finishReason":"STOP","content":{"role":"model","parts":[{"x_part":1,"text":"Hello"},{"futurePart":{"q":1}},{"text":"!"}]}}]})",
      arena);
  CHECK_MESSAGE(got.equals(want), json::write(got));
}

TEST_CASE("a collected stream is bounded as every answer is") {
  RequestContext context;
  context.upstream = context.client = Protocol::openai_chat;
  Options options;
  options.max_response_bytes = 64 * 1024;
  FixedIds ids;
  StreamCollector collector(context, options, ids);
  const std::string event =
      R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":")" +
      std::string(1000, 'x') + R"("},"finish_reason":null}]})";
  bool fed = true;
  for (int i = 0; i < 200 && fed; ++i)
    fed = collector.feed(frame(Protocol::openai_chat, {event})).ok();
  CHECK_FALSE(fed);
  CHECK(collector.finish().status == 502);
}
