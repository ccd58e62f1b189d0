#include "translate/stream.h"

#include <doctest/doctest.h>

#include "answer_support.h"
#include "translate/bridge.h"
#include "translate/models.h"

using namespace gproxy;
using namespace gproxy::translate;
using namespace gproxy::translate::test;

namespace {

constexpr std::string_view kRole =
    R"({"id":"chatcmpl-1","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]})";
constexpr std::string_view kText =
    R"({"id":"chatcmpl-1","choices":[{"index":0,"delta":{"content":"hello"}}]})";
constexpr std::string_view kStop =
    R"({"id":"chatcmpl-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})";

std::string event(std::string_view data) {
  return "data: " + std::string(data) + "\n\n";
}

struct Running {
  explicit Running(Protocol upstream, Protocol client) {
    context.upstream = upstream;
    context.client = client;
    context.stream = true;
  }
  StreamTranslator& translator() {
    if (!made) made = std::make_unique<StreamTranslator>(context, options, ids);
    return *made;
  }
  Result<void> feed(std::string_view bytes) { return translator().feed(bytes, out); }
  RequestContext context;
  Options options;
  FixedIds ids;
  std::unique_ptr<StreamTranslator> made;
  std::string out;
};

}  // namespace

TEST_CASE("the translator tells how far an answer has come") {
  using Progress = StreamTranslator::Progress;
  Running run(Protocol::openai_chat, Protocol::claude);
  CHECK(run.translator().progress() == Progress::nothing);
  REQUIRE(run.feed(": comment\n\n").ok());
  CHECK(run.translator().progress() == Progress::nothing);
  REQUIRE(run.feed(event(kRole)).ok());
  CHECK(run.translator().progress() == Progress::begun);
  REQUIRE(run.feed(event(kText)).ok());
  CHECK(run.translator().progress() == Progress::content);
  REQUIRE(run.feed(event(kStop)).ok());
  CHECK(run.translator().progress() == Progress::content);
  CHECK(run.translator().finish_reason() == FinishReason::stop);
  REQUIRE(run.feed(event("[DONE]")).ok());
  CHECK(run.translator().progress() == Progress::ended);
}

TEST_CASE("an error in the first event leaves nothing behind, so a plain HTTP error can be sent") {
  for (const auto client : kProtocols) {
    Running run(Protocol::gemini, client);
    const auto result = run.feed(event(
        R"({"candidates":[{"content":{"parts":[]},"finishReason":"MALFORMED_FUNCTION_CALL"}],"responseId":"r"})"));
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().http() == 502);
    CHECK(run.out.empty());
    CHECK(run.translator().progress() == StreamTranslator::Progress::nothing);
  }
}

TEST_CASE("text goes out in the call that brought it") {
  for (const auto client : kProtocols) {
    Running run(Protocol::openai_chat, client);
    REQUIRE(run.feed(event(kRole)).ok());
    run.out.clear();
    REQUIRE(run.feed(event(kText)).ok());
    CHECK(run.out.find("hello") != std::string::npos);
  }
}

TEST_CASE("an event beyond the size limit is an upstream error") {
  Running run(Protocol::openai_chat, Protocol::claude);
  run.options.max_event_bytes = 1000;
  REQUIRE(run.feed(event(kRole)).ok());
  const auto result = run.feed("data: " + std::string(2000, 'x'));
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().http() == 502);
  Running array(Protocol::gemini, Protocol::claude);
  array.options.max_event_bytes = 1000;
  CHECK_FALSE(array.feed("[{\"text\":\"" + std::string(2000, 'x')).ok());
}

TEST_CASE("a Responses answer beyond max_response_bytes fails instead of growing") {
  Running run(Protocol::openai_chat, Protocol::openai_response);
  run.options.max_response_bytes = 64 * 1024;
  Result<void> result;
  for (int i = 0; i < 100000 && result.ok(); ++i) {
    run.out.clear();
    result = run.feed(event(kText));
  }
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code == "response_too_large");
  run.translator().fail(result.error(), run.out);
  CHECK(run.out.find("response.failed") != std::string::npos);
}

TEST_CASE("a collected answer is bounded as well") {
  RequestContext context;
  context.upstream = Protocol::openai_chat;
  context.client = Protocol::claude;
  Options options;
  options.max_response_bytes = 64 * 1024;
  FixedIds ids;
  StreamCollector collector(context, options, ids);
  Result<void> result;
  for (int i = 0; i < 100000 && result.ok(); ++i) result = collector.feed(event(kText));
  REQUIRE_FALSE(result.ok());
  CHECK(collector.finish().status == 502);
}

TEST_CASE("usage is known to the gateway, whatever the client asked for") {
  Running run(Protocol::openai_chat, Protocol::openai_chat);
  REQUIRE(run.feed(event(kText) + event(kStop)).ok());
  REQUIRE(
      run.feed(event(R"({"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}})")).ok());
  REQUIRE(run.feed(event("[DONE]")).ok());
  CHECK(run.translator().usage().in_total == 7);
  CHECK(run.translator().usage().out_total == 3);
  CHECK(run.out.find("usage") == std::string::npos);
}

TEST_CASE("a silent stream is kept alive in the client's own way") {
  CHECK(StreamTranslator::keepalive(Protocol::claude) ==
        "event: ping\ndata: {\"type\":\"ping\"}\n\n");
  CHECK(StreamTranslator::keepalive(Protocol::openai_chat) == ": keepalive\n\n");
  CHECK(StreamTranslator::keepalive(Protocol::openai_response) == ": keepalive\n\n");
  CHECK(StreamTranslator::keepalive(Protocol::gemini).empty());
}

TEST_CASE("fail() writes one error and nothing after it") {
  Running run(Protocol::openai_chat, Protocol::openai_chat);
  REQUIRE(run.feed(event(kText)).ok());
  Error error;
  error.kind = ErrorKind::timeout;
  error.message = "the upstream went silent";
  run.translator().fail(error, run.out);
  const auto size = run.out.size();
  run.translator().fail(error, run.out);
  REQUIRE(run.feed(event(kStop) + event("[DONE]")).ok());
  REQUIRE(run.translator().finish(run.out).ok());
  CHECK(run.out.size() == size);
  CHECK(run.out.find("\"code\":\"timeout\"") != std::string::npos);
  CHECK(run.out.find("[DONE]") == std::string::npos);
}

TEST_CASE("calls of several chunks with one index but their own ids are several calls") {
  Running run(Protocol::openai_chat, Protocol::openai_chat);
  for (const auto* id : {"a", "b"}) {
    REQUIRE(
        run.feed(
               event(R"({"id":"x","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":")" +
                     std::string(id) +
                     R"(","type":"function","function":{"name":"f","arguments":"{}"}}]}}]})"))
            .ok());
  }
  REQUIRE(run.feed(event(kStop) + event("[DONE]")).ok());
  Arena arena;
  const auto read = accumulate(Protocol::openai_chat, run.out, arena);
  CHECK(read.broken.empty());
  CHECK(read.answer["choices"][0]["message"]["tool_calls"].size() == 2);
}

TEST_CASE("opaque state is kept for calls whose client has no place for it") {
  struct Cache final : OpaqueCache {
    std::string_view find(std::string_view) override { return {}; }
    void keep(std::string_view call_id, std::string_view seal) override {
      kept += std::string(call_id) + "=" + std::string(seal) + ";";
    }
    std::string kept;
  } cache;
  Running run(Protocol::gemini, Protocol::claude);
  run.options.opaque_cache = &cache;
  REQUIRE(
      run
          .feed(event(
              R"({"candidates":[{"content":{"parts":[{"functionCall":{"id":"c1","name":"f","args":{}},"thoughtSignature":"QUJD"}]},"finishReason":"STOP"}]})"))
          .ok());
  REQUIRE(run.translator().finish(run.out).ok());
  CHECK(cache.kept == "c1=gp1.gm.UVVKRA;");
  CHECK(run.out.find("gp1.") == std::string::npos);
}

TEST_CASE("emulated stop sequences cut the text wherever the pieces fall") {
  const std::string text = "one STO two STOP three";
  for (size_t cut = 1; cut < text.size(); ++cut) {
    Running run(Protocol::openai_response, Protocol::claude);
    run.context.emulated_stop = {"STOP", "never"};
    const auto delta = [](std::string_view piece) {
      return event(
          R"({"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":")" +
          std::string(piece) + "\"}");
    };
    REQUIRE(run.feed(delta(text.substr(0, cut)) + delta(text.substr(cut))).ok());
    CHECK(run.translator().ended());
    Arena arena;
    const auto read = accumulate(Protocol::claude, run.out, arena);
    CHECK(read.broken.empty());
    CHECK(read.answer["content"][0]["text"].str() == "one STO two ");
    CHECK(read.answer["stop_reason"].str() == "stop_sequence");
    CHECK(read.answer["stop_sequence"].str() == "STOP");
  }
}

TEST_CASE("a Responses stream collected for a Responses client keeps what only Responses has") {
  RequestContext context;
  context.upstream = context.client = Protocol::openai_response;
  context.requested_model = "asked";
  Options options;
  FixedIds ids;
  StreamCollector collector(context, options, ids);
  REQUIRE(
      collector
          .feed(event(
              R"({"type":"response.completed","response":{"id":"resp_1","status":"completed","model":"up","output":[{"type":"mcp_call","id":"mcp_1","output":"x"}],"x_new":1,"usage":{"input_tokens":3,"output_tokens":4}}})"))
          .ok());
  const auto answer = collector.finish();
  Arena arena;
  const auto doc = parse_or_null(answer.body, arena);
  CHECK(doc["output"][0]["type"].str() == "mcp_call");
  CHECK(doc["x_new"].int_or(0) == 1);
  CHECK(doc["model"].str() == "asked");
  CHECK(answer.usage.out_total == 4);
}

TEST_CASE("thinking that the client wants omitted leaves its signature") {
  Running run(Protocol::gemini, Protocol::claude);
  run.context.thinking_enabled = run.context.thinking_hidden = true;
  REQUIRE(
      run
          .feed(event(
              R"({"candidates":[{"content":{"parts":[{"text":"secret plan","thought":true,"thoughtSignature":"QUJD"},{"text":"answer"}]},"finishReason":"STOP"}]})"))
          .ok());
  REQUIRE(run.translator().finish(run.out).ok());
  Arena arena;
  const auto read = accumulate(Protocol::claude, run.out, arena);
  CHECK(read.broken.empty());
  CHECK(read.answer["content"][0]["thinking"].str().empty());
  CHECK(read.answer["content"][0]["signature"].str() == "gp1.gm.UVVKRA");
  CHECK(read.answer["content"][1]["text"].str() == "answer");
}

TEST_CASE("Chat clients get no reasoning where the extension is off") {
  Running run(Protocol::claude, Protocol::openai_chat);
  run.options.chat_reasoning_ext = false;
  const auto answer =
      R"({"id":"msg_1","content":[{"type":"thinking","thinking":"hidden","signature":"S"},{"type":"text","text":"shown"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}})";
  REQUIRE(run.feed(answer).ok());
  REQUIRE(run.translator().finish(run.out).ok());
  CHECK(run.out.find("hidden") == std::string::npos);
  CHECK(run.out.find("shown") != std::string::npos);
  CHECK_FALSE(run.translator().losses().empty());
}

TEST_CASE("the dialect of GET /v1/models follows the headers") {
  CHECK(models_dialect(true, true, "/v1/models") == Protocol::claude);
  CHECK(models_dialect(false, true, "/v1/models") == Protocol::gemini);
  CHECK(models_dialect(false, false, "/v1/models") == Protocol::openai);
  CHECK(models_dialect(false, false, "/v1beta/models") == Protocol::gemini);
}

TEST_CASE("a list of many pages says where the next one is") {
  auto page =
      read_models(Protocol::claude, R"({"data":[{"id":"a b"}],"has_more":true,"last_id":"a b"})");
  REQUIRE(page.ok());
  CHECK(page->next == "after_id=a%20b");
  page = read_models(Protocol::gemini, R"({"models":[{"name":"models/x"}],"nextPageToken":"t/1"})");
  REQUIRE(page.ok());
  CHECK(page->next == "pageToken=t%2F1");
  CHECK(page->models[0].id == "x");
  CHECK_FALSE(read_models(Protocol::openai, "[]").ok());
}
