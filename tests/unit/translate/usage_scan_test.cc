#include "translate/usage_scan.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "translate/request.h"

namespace gproxy::translate {
namespace {

// Feeds `text` cut into pieces of `piece` bytes.
void feed(UsageScan& scan, std::string_view text, size_t piece) {
  for (size_t at = 0; at < text.size(); at += piece) scan.feed(text.substr(at, piece));
}

struct Seen {
  Usage usage;
  std::string model;
  bool finished, failed, content, boundary;
};
Seen scan_all(Protocol protocol, Framing framing, std::string_view text, size_t piece) {
  UsageScan scan(protocol, framing);
  feed(scan, text, piece);
  return {scan.usage(),  scan.model(),   scan.finished(),
          scan.failed(), scan.content(), scan.at_boundary()};
}

constexpr std::string_view kChatStream =
    "data: {\"id\":\"c\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"he "
    "said "
    "\\\"usage\\\": {\\\"prompt_tokens\\\":9}\"},\"finish_reason\":null}],\"usage\":null}\n\n"
    "data: "
    "{\"id\":\"c\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":"
    "\"stop\"}]}\n\n"
    "data: "
    "{\"id\":\"c\",\"model\":\"m-1\",\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_"
    "tokens\":20,"
    "\"prompt_tokens_details\":{\"cached_tokens\":40,\"audio_tokens\":0},\"completion_tokens_"
    "details\":"
    "{\"reasoning_tokens\":5}}}\n\n"
    "data: [DONE]\n\n";

constexpr std::string_view kClaudeStream =
    "event: message_start\r\ndata: "
    "{\"type\":\"message_start\",\"message\":{\"id\":\"x\",\"model\":\"cl\",\"content\":[],"
    "\"usage\":{\"input_tokens\":10,\"cache_creation_input_tokens\":3,\"cache_read_input_tokens\":"
    "7,\"output_tokens\":1}}}\r\n\r\n"
    "event: ping\r\ndata: {\"type\":\"ping\"}\r\n\r\n"
    "event: content_block_delta\r\ndata: "
    "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\","
    "\"text\":\"a\\\\\"}}\r\n\r\n"
    "event: message_delta\r\ndata: "
    "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":"
    "{\"output_tokens\":15,\"input_tokens\":null}}\r\n\r\n"
    "event: message_stop\r\ndata: {\"type\":\"message_stop\"}\r\n\r\n";

constexpr std::string_view kResponsesStream =
    "event: response.created\ndata: "
    "{\"type\":\"response.created\",\"response\":{\"id\":\"r\",\"model\":\"rm\",\"usage\":null,"
    "\"error\":null}}\n\n"
    "event: response.output_text.delta\ndata: "
    "{\"type\":\"response.output_text.delta\",\"delta\":\"x\"}\n\n"
    "event: response.completed\ndata: "
    "{\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"output\":[{\"usage\":1}],"
    "\"model\":\"rm\",\"usage\":{\"input_tokens\":50,\"input_tokens_details\":{\"cached_tokens\":"
    "20},"
    "\"output_tokens\":8,\"output_tokens_details\":{\"reasoning_tokens\":2}}}}\n\n";

constexpr std::string_view kGeminiArray =
    "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a]}\"}]}}],\"modelVersion\":\"g\"}\n,"
    "\r\n"
    "{\"candidates\":[{\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":30,"
    "\"cachedContentTokenCount\":10,\"candidatesTokenCount\":4,\"thoughtsTokenCount\":6,"
    "\"toolUsePromptTokenCount\":2}}]";

}  // namespace

TEST_CASE("usage of a chat stream is the same however its bytes are split") {
  for (size_t piece = 1; piece <= kChatStream.size(); ++piece) {
    const auto seen = scan_all(Protocol::openai_chat, Framing::sse, kChatStream, piece);
    CAPTURE(piece);
    REQUIRE(seen.usage.input == 60);  // without the 40 cached ones
    REQUIRE(seen.usage.output == 20);
    REQUIRE(seen.usage.cache_read == 40);
    REQUIRE(seen.usage.reasoning == 5);
    REQUIRE(seen.model == "m-1");
    REQUIRE(seen.finished);
    REQUIRE_FALSE(seen.failed);
    REQUIRE(seen.boundary);
  }
}

TEST_CASE("usage of a claude stream adds up its start and its last delta") {
  for (size_t piece = 1; piece <= kClaudeStream.size(); ++piece) {
    const auto seen = scan_all(Protocol::claude, Framing::sse, kClaudeStream, piece);
    CAPTURE(piece);
    REQUIRE(seen.usage.input == 10);
    REQUIRE(seen.usage.output == 15);
    REQUIRE(seen.usage.cache_read == 7);
    REQUIRE(seen.usage.cache_write == 3);
    REQUIRE(seen.model == "cl");
    REQUIRE(seen.finished);
    REQUIRE(seen.boundary);
  }
}

TEST_CASE("usage of a responses stream comes from its terminal event") {
  for (size_t piece = 1; piece <= kResponsesStream.size(); ++piece) {
    const auto seen = scan_all(Protocol::openai_response, Framing::sse, kResponsesStream, piece);
    CAPTURE(piece);
    REQUIRE(seen.usage.input == 30);
    REQUIRE(seen.usage.output == 8);
    REQUIRE(seen.usage.cache_read == 20);
    REQUIRE(seen.usage.reasoning == 2);
    REQUIRE(seen.finished);
    REQUIRE_FALSE(seen.failed);
  }
}

TEST_CASE("usage of a gemini array counts thoughts as output and tool prompts as input") {
  for (size_t piece = 1; piece <= kGeminiArray.size(); ++piece) {
    UsageScan scan(Protocol::gemini, Framing::json);
    feed(scan, kGeminiArray, piece);
    CAPTURE(piece);
    const auto usage = scan.usage();
    REQUIRE(usage.input == 22);  // 30 + 2 - 10
    REQUIRE(usage.output == 10);
    REQUIRE(usage.cache_read == 10);
    REQUIRE(scan.finished());
    REQUIRE(scan.in_array());
    REQUIRE(scan.model() == "g");
  }
}

TEST_CASE("a stream that is cut before its end marker is not finished") {
  const auto cut = kChatStream.substr(0, kChatStream.find("\"finish_reason\":\"stop\""));
  const auto seen = scan_all(Protocol::openai_chat, Framing::sse, cut, 64);
  CHECK_FALSE(seen.finished);
  CHECK_FALSE(seen.boundary);
  CHECK(seen.content);
}

TEST_CASE("an error event is seen in each protocol") {
  const auto failed = [](Protocol protocol, std::string_view event) {
    const auto seen = scan_all(protocol, Framing::sse, event, 7);
    return seen.failed && !seen.content;
  };
  CHECK(failed(Protocol::openai_chat, "data: {\"error\":{\"message\":\"x\"}}\n\n"));
  CHECK(failed(Protocol::openai_response,
               "event: error\ndata: {\"type\":\"error\",\"code\":\"x\"}\n\n"));
  CHECK(failed(Protocol::openai_response,
               "data: {\"type\":\"response.failed\",\"response\":{}}\n\n"));
  CHECK(failed(
      Protocol::claude,
      "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n"));
  CHECK(failed(Protocol::gemini, "data: {\"error\":{\"code\":503}}\r\n\r\n"));
}

TEST_CASE("the usage chunk of a chat stream is recognised and nothing else is") {
  UsageScan scan(Protocol::openai_chat, Framing::sse);
  std::vector<bool> chunks;
  scan.feed(kChatStream, [&](UsageScan::Mark mark, size_t) {
    if (mark == UsageScan::Mark::event_end) chunks.push_back(scan.was_usage_chunk());
  });
  CHECK(chunks == std::vector<bool>{false, false, true, false});
}

TEST_CASE("model marks stand right behind the opening quote") {
  UsageScan scan(Protocol::openai_response, Framing::sse);
  std::vector<std::string> found;
  scan.feed(kResponsesStream, [&](UsageScan::Mark mark, size_t at) {
    if (mark == UsageScan::Mark::model) found.emplace_back(kResponsesStream.substr(at, 3));
  });
  CHECK(found == std::vector<std::string>{"rm\"", "rm\""});
}

TEST_CASE("a byte order mark, comments and CR line ends do not disturb the scan") {
  const std::string text =
      "\xEF\xBB\xBF: hello\r\r"
      "data: {\"choices\":[],\rdata: \"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\r\r"
      "data: [DONE]\r\r";
  for (size_t piece = 1; piece < text.size(); ++piece) {
    const auto seen = scan_all(Protocol::openai_chat, Framing::sse, text, piece);
    CAPTURE(piece);
    REQUIRE(seen.usage.input == 3);
    REQUIRE(seen.usage.output == 4);
    REQUIRE(seen.finished);
    REQUIRE(seen.boundary);
  }
}

TEST_CASE("an answer's text is measured as it passes, however its bytes are split") {
  struct Case {
    Protocol protocol;
    Framing framing;
    std::string text;
    size_t bytes;  // of text, as JSON spells it
  };
  const std::string first = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n";
  const auto chat = [](const std::string& content) {
    return "data: {\"choices\":[{\"delta\":{\"content\":\"" + content + "\"}}]}\n\n";
  };
  const std::string long_text(400, 'x');
  const Case cases[] = {
      {Protocol::openai_chat, Framing::sse, first + chat("four") + chat("a \\\"content\\\" b"),
       4 + 15},
      {Protocol::openai_chat, Framing::sse,
       first + "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"name\":\"f\","
               "\"arguments\":\"{\\\"a\\\"\"}}]}}]}\n\n",
       6},
      {Protocol::claude, Framing::sse,
       "event: content_block_delta\r\ndata: {\"type\":\"content_block_delta\",\"delta\":"
       "{\"type\":\"text_delta\",\"text\":\"" +
           long_text +
           "\"}}\r\n\r\n"
           "event: content_block_start\ndata: "
           "{\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
           "event: content_block_delta\ndata: {\"delta\":{\"type\":\"thinking_delta\",\"thinking\":"
           "\"hm\"}}\n\n",
       402},
      {Protocol::openai_response, Framing::sse,
       "data: {\"type\":\"response.output_text.delta\",\"delta\":\"abcd\"}\n\n"
       "data: {\"type\":\"response.output_text.done\",\"text\":\"abcd\"}\n\n",
       4},
      {Protocol::gemini, Framing::json,
       "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"" + long_text + "\"}]}}]}]", 400},
      {Protocol::openai_chat, Framing::json,
       "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"" + long_text + "\"}}]}",
       400},
  };
  for (const auto& c : cases) {
    CAPTURE(c.text);
    UsageScan whole(c.protocol, c.framing);
    whole.feed(c.text);
    CHECK(whole.output_estimate() == static_cast<int64_t>((c.bytes + 3) / 4));
    // A name that is cut in two is not seen; a text that is cut is.
    for (size_t at = 0; at < c.text.size(); at += 7) {
      UsageScan cut(c.protocol, c.framing);
      cut.feed(std::string_view(c.text).substr(0, at));
      cut.feed(std::string_view(c.text).substr(at));
      CHECK(cut.output_estimate() <= whole.output_estimate());
    }
    const size_t middle = c.text.find("xxxx");
    if (middle == std::string::npos) continue;
    UsageScan cut(c.protocol, c.framing);
    feed(cut, c.text.substr(0, middle), c.text.size());
    feed(cut, c.text.substr(middle), 33);
    CHECK(whole.output_estimate() - cut.output_estimate() <= 1);  // the short one's name was cut
  }
}

TEST_CASE("a body's tokens are estimated without reading it, images by the piece") {
  CHECK(estimate_body_tokens("") == 0);
  CHECK(estimate_body_tokens("12345678") == 2);
  const std::string prose(40'000, ' ');
  CHECK(estimate_body_tokens(prose) == 10'000);
  const std::string image(1'000'000, 'A');
  const auto with_image = estimate_body_tokens("{\"a\":\"" + image + "\"}");
  CHECK(with_image >= 1'600);
  CHECK(with_image < 4'000);
}

TEST_CASE("counts that are not plain numbers are ignored") {
  const std::string_view text =
      R"({"type":"message","usage":{"input_tokens":-5,"output_tokens":"12","cache_read_input_tokens":7.0}})";
  UsageScan scan(Protocol::claude, Framing::json);
  scan.feed(text);
  CHECK(scan.usage().input == -1);
  CHECK(scan.usage().output == -1);
  CHECK(scan.usage().cache_read == 7);
}

TEST_CASE("a count that no answer can have is ignored, and nothing runs over") {
  UsageScan scan(Protocol::openai_chat, Framing::json);
  scan.feed(R"({"usage":{"prompt_tokens":9223372036854775807,"completion_tokens":1000000000,)"
            R"("prompt_tokens_details":{"cached_tokens":9223372036854775807}}})");
  CHECK(scan.usage().input == -1);
  CHECK(scan.usage().output == kMaxTokens);
  CHECK(scan.usage().cache_read == -1);
}

TEST_CASE("reasoning beside the completion is output where the total says so") {
  struct {
    int completion, reasoning, total, output;
  } const rows[] = {{124, 1097, 1228, 1221},   // beside
                    {1221, 1097, 1228, 1221},  // inside
                    {124, 1097, 131, 124},     // the total disagrees: as it was told
                    {124, 0, 131, 124}};
  for (const auto& row : rows) {
    CAPTURE(row.total);
    UsageScan scan(Protocol::openai_chat, Framing::json);
    scan.feed(
        "{\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":" + std::to_string(row.completion) +
        ",\"total_tokens\":" + std::to_string(row.total) +
        ",\"completion_tokens_details\":{\"reasoning_tokens\":" + std::to_string(row.reasoning) +
        "}}}");
    CHECK(scan.usage().output == row.output);
    CHECK(scan.usage().reasoning == row.reasoning);
  }
}

TEST_CASE("what is written to a cache for an hour is told apart") {
  for (
      const std::string_view text :
      {R"({"type":"message","usage":{"input_tokens":1,"cache_creation_input_tokens":30,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"output_tokens":2}})",
       R"({"type":"message_start","message":{"usage":{"input_tokens":1,"cache_creation_input_tokens":30,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"output_tokens":2}}})"}) {
    UsageScan scan(Protocol::claude, Framing::json);
    scan.feed(text);
    CHECK(scan.usage().cache_write == 30);
    CHECK(scan.usage().cache_write_1h == 20);
  }
}

TEST_CASE("random bytes never disturb the scanner beyond wrong answers") {
  uint32_t seed = 12345;
  const std::string_view alphabet = "{}[]\",:\\ndata: \r\n0129truefalsnull\xff";
  for (int round = 0; round < 200; ++round) {
    std::string text;
    for (int i = 0; i < 400; ++i) {
      seed = seed * 1664525 + 1013904223;
      text += alphabet[(seed >> 16) % alphabet.size()];
    }
    scan_all(Protocol::gemini, Framing::json, text, 1 + round % 17);
    scan_all(Protocol::claude, Framing::sse, text, 1 + round % 17);
  }
}

}  // namespace gproxy::translate
