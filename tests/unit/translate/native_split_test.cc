// A whole answer told as a stream of its own protocol keeps what this code does not know.
#include <doctest/doctest.h>

#include "answer_support.h"

using namespace gproxy;
using namespace gproxy::translate;
using namespace gproxy::translate::test;

namespace {

struct Told {
  std::vector<json::Value> events;
  Accumulated read;
  std::string bytes;
};

Told told(Protocol protocol, std::string_view answer, Arena& arena,
          GeminiFraming framing = GeminiFraming::sse) {
  RequestContext context;
  context.upstream = context.client = protocol;
  context.requested_model = "asked-for";
  context.include_usage = context.stream = true;
  context.include_thoughts = context.thinking_enabled = true;
  context.framing = framing;
  Options options;
  FixedIds ids;
  StreamTranslator translator(context, options, ids);
  Told out;
  CHECK(translator.feed(answer, out.bytes).ok());
  CHECK(translator.finish(out.bytes).ok());
  for (const auto& data : unframe(out.bytes)) {
    out.events.push_back(parse_or_null(arena.copy(data), arena));
  }
  out.read = accumulate(protocol, arena.copy(out.bytes), arena);
  CHECK_MESSAGE(out.read.broken.empty(), out.read.broken);
  CHECK(out.read.success);
  return out;
}

// The value at `path` of some event.
bool somewhere(const Told& told, std::string_view path, std::string_view value) {
  for (const auto& event : told.events) {
    if (json::write(at_path(event, path)) == value) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("a Chat answer told as a stream keeps unknown members and words") {
  Arena arena;
  const auto got = told(
      Protocol::openai_chat,
      R"({"id":"c1","object":"chat.completion","created":5,"model":"up","x_top":{"a":1},"choices":[{"index":0,"x_choice":7,"finish_reason":"future_word","message":{"role":"assistant","content":"Hello","x_words":"ab","tool_calls":[{"id":"t1","type":"function","x_call":true,"function":{"name":"f","arguments":"{\"a\":12345678901234567890}"}}]}}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"x_usage":4}})",
      arena);
  CHECK(somewhere(got, "x_top.a", "1"));
  CHECK(somewhere(got, "model", R"("asked-for")"));
  CHECK(somewhere(got, "choices[0].x_choice", "7"));
  CHECK(somewhere(got, "choices[0].delta.x_words", R"("ab")"));
  CHECK(somewhere(got, "choices[0].delta.tool_calls[0].x_call", "true"));
  CHECK(somewhere(got, "choices[0].finish_reason", R"("future_word")"));
  CHECK(somewhere(got, "usage.x_usage", "4"));
  CHECK(got.bytes.ends_with("data: [DONE]\n\n"));
}

TEST_CASE("a Claude answer told as a stream keeps unknown members, blocks and words") {
  Arena arena;
  const auto got = told(
      Protocol::claude,
      R"({"id":"m1","type":"message","role":"assistant","model":"up","x_message":1,"stop_reason":"future_reason","stop_sequence":null,"content":[{"type":"text","text":"Hi","citations":[{"type":"x","n":1}],"x_block":1},{"type":"future_block","z":[1]},{"type":"tool_use","id":"t","name":"f","input":{"a":1.50},"x_tool":1}],"usage":{"input_tokens":3,"output_tokens":9,"x_usage":{"b":2}}})",
      arena);
  CHECK(somewhere(got, "message.x_message", "1"));
  CHECK(somewhere(got, "message.model", R"("asked-for")"));
  CHECK(somewhere(got, "message.usage.input_tokens", "3"));
  CHECK(somewhere(got, "content_block.x_block", "1"));
  CHECK(somewhere(got, "content_block.z", "[1]"));
  CHECK(somewhere(got, "content_block.x_tool", "1"));
  CHECK(somewhere(got, "delta.citation.n", "1"));
  CHECK(somewhere(got, "delta.partial_json", R"("{\"a\":1.50}")"));
  CHECK(somewhere(got, "delta.stop_reason", R"("future_reason")"));
  CHECK(somewhere(got, "usage.x_usage.b", "2"));
}

TEST_CASE("a Responses answer told as a stream keeps unknown members and items") {
  Arena arena;
  const auto got = told(
      Protocol::openai_response,
      R"({"id":"resp_1","object":"response","created_at":5,"status":"completed","model":"up","x_top":1,"error":null,"incomplete_details":null,"output":[{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"s"}],"encrypted_content":"E","x_item":1},{"type":"message","id":"msg_1","role":"assistant","status":"completed","phase":"future","content":[{"type":"output_text","text":"Hi","annotations":[{"type":"x","n":1}],"logprobs":[]},{"type":"future_part","q":1}]},{"type":"future_call","id":"fu_1","z":[1]},{"type":"function_call","id":"fc_1","call_id":"t","name":"f","arguments":"{\"a\":1}","status":"completed"}],"usage":{"input_tokens":1,"input_tokens_details":{"cached_tokens":0},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":3,"x_usage":4}})",
      arena);
  CHECK(somewhere(got, "response.x_top", "1"));
  CHECK(somewhere(got, "item.x_item", "1"));
  CHECK(somewhere(got, "item.phase", R"("future")"));
  CHECK(somewhere(got, "item.z", "[1]"));
  CHECK(somewhere(got, "part.q", "1"));
  CHECK(somewhere(got, "annotation.n", "1"));
  const auto& end = got.events.back();
  CHECK(end["type"].str() == "response.completed");
  CHECK(end["response"]["output"].size() == 4);
  CHECK(json::write(end["response"]["usage"]["x_usage"]) == "4");
  CHECK(end["response"]["model"].str() == "asked-for");
  int64_t number = 0;
  for (const auto& event : got.events) CHECK(event["sequence_number"].int_or(-1) == number++);
}

TEST_CASE("a Gemini answer told as a stream is one chunk with all it had") {
  constexpr std::string_view kAnswer =
      R"({"candidates":[{"index":0,"x_candidate":2,"finishReason":"FUTURE_WORD","content":{"role":"model","parts":[{"text":"Hi","x_part":1},{"futurePart":{"q":1}}]}}],"usageMetadata":{"promptTokenCount":1,"x_usage":[1]},"modelVersion":"up","responseId":"r","x_top":1})";
  for (const auto framing : {GeminiFraming::sse, GeminiFraming::array}) {
    Arena arena;
    const auto got = told(Protocol::gemini, kAnswer, arena, framing);
    REQUIRE(got.events.size() == 1);
    CHECK(somewhere(got, "x_top", "1"));
    CHECK(somewhere(got, "modelVersion", R"("asked-for")"));
    CHECK(somewhere(got, "candidates[0].x_candidate", "2"));
    CHECK(somewhere(got, "candidates[0].finishReason", R"("FUTURE_WORD")"));
    CHECK(somewhere(got, "candidates[0].content.parts[1].futurePart.q", "1"));
    CHECK(somewhere(got, "usageMetadata.x_usage", "[1]"));
    CHECK(got.bytes.starts_with(framing == GeminiFraming::array ? "[{" : "data: {"));
  }
}
