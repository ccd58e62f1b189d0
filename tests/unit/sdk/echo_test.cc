// The echo examples, in C and in C++, under the fake host: both must answer alike, byte for byte.
#include <doctest/doctest.h>

#include "testing/fake_host.h"
#include "testing/fake_json.h"

extern "C" const gp_entry* gproxy_entry_1_echo(void);
extern "C" const gp_entry* gproxy_entry_1_echo_c(void);

using namespace gp::testing;

namespace {

struct Event {
  std::string name, data;
};

std::vector<Event> events_of(const std::string& body) {
  std::vector<Event> events;
  Event event;
  size_t at = 0;
  while (at < body.size()) {
    size_t end = body.find('\n', at);
    REQUIRE(end != std::string::npos);
    std::string line = body.substr(at, end - at);
    at = end + 1;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) {
      events.push_back(event);
      event = {};
    } else if (line.starts_with("event: ")) {
      event.name = line.substr(7);
    } else {
      REQUIRE(line.starts_with("data: "));
      event.data = line.substr(6);
    }
  }
  return events;
}

struct Echo {
  FakeHost host;
  Module module;
  std::unique_ptr<Instance> provider;
  Echo(const gp_entry* entry, const char* kind)
      : module(host, entry), provider(module.create(kind, R"({"delay_ms":5})")) {
    REQUIRE(provider != nullptr);
  }
  ~Echo() { CHECK(host.breaches() == std::vector<std::string>{}); }
};

// Asks both and checks that they agree.
struct Both {
  Echo cpp{gproxy_entry_1_echo(), "echo"};
  Echo c{gproxy_entry_1_echo_c(), "echo-c"};
  Answer ask(const RequestSpec& spec) {
    Answer one = cpp.provider->respond(spec);
    Answer two = c.provider->respond(spec);
    CHECK(one.status_code == GP_OK);
    CHECK(one.status == two.status);
    CHECK(one.headers == two.headers);
    CHECK(one.body == two.body);
    CHECK(one.pieces == two.pieces);
    CHECK(one.delays_ms == two.delays_ms);
    return one;
  }
};

constexpr const char* kChat =
    R"({"model":"echo","stream":true,"messages":[{"role":"user","content":"first"},{"role":"assistant","content":"x"},)"
    R"({"role":"user","content":[{"type":"text","text":"Hi \"there\""},{"type":"image_url"},{"type":"text","text":"b\u00e9\n"}]}]})";
constexpr const char* kText = "Hi \"there\"\nb\xc3\xa9\n";

}  // namespace

TEST_CASE("echo: the kinds need no credential and are made by the operator") {
  Both echo;
  CHECK(echo.cpp.module.kind("echo")->credential_tag.empty());
  CHECK(echo.cpp.module.kind("echo")->flags == GP_KIND_USER_CREATED);
  CHECK(echo.c.module.kind("echo-c") != nullptr);
  CHECK(echo.cpp.module.id() != echo.c.module.id());
}

TEST_CASE("echo: Chat Completions, whole and streamed") {
  Both echo;
  RequestSpec spec{.protocol = GP_PROTOCOL_OPENAI_CHAT, .model = "echo", .body = kChat};
  Answer whole = echo.ask(spec);
  CHECK(json_at(whole.body, "/choices/0/message/content") == kText);
  CHECK(json_at(whole.body, "/object") == "chat.completion");

  spec.operation = GP_OP_STREAM_GENERATE;
  Answer stream = echo.ask(spec);
  CHECK(header(stream.headers, "content-type") == "text/event-stream");
  CHECK(stream.pieces.size() > 3);
  CHECK(stream.delays_ms.front() == 0);
  CHECK(stream.delays_ms.back() == 5);
  auto events = events_of(stream.body);
  std::string text;
  for (size_t i = 0; i + 1 < events.size(); ++i) {
    CHECK(json_valid(events[i].data));
    text += json_at(events[i].data, "/choices/0/delta/content");
  }
  CHECK(text == kText);
  CHECK(json_at(events.front().data, "/choices/0/delta/role") == "assistant");
  CHECK(json_at(events[events.size() - 2].data, "/choices/0/finish_reason") == "stop");
  CHECK(events.back().data == "[DONE]");

  spec.body =
      R"({"stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"a"}]})";
  events = events_of(echo.ask(spec).body);
  CHECK(json_at(events[events.size() - 2].data, "/usage/total_tokens") == "2");
  CHECK(json_at(events.front().data, "/usage") == "null");
}

TEST_CASE("echo: Responses number their events and end with the whole response") {
  Both echo;
  RequestSpec spec{.protocol = GP_PROTOCOL_OPENAI_RESPONSE,
                   .operation = GP_OP_STREAM_GENERATE,
                   .model = "echo",
                   .body = R"({"input":"one two three"})"};
  const auto events = events_of(echo.ask(spec).body);
  std::string text;
  for (size_t i = 0; i < events.size(); ++i) {
    CHECK(json_at(events[i].data, "/sequence_number") == std::to_string(i));
    CHECK(json_at(events[i].data, "/type") == events[i].name);
    if (events[i].name == "response.output_text.delta") text += json_at(events[i].data, "/delta");
  }
  CHECK(text == "one two three");
  CHECK(events.front().name == "response.created");
  CHECK(events.back().name == "response.completed");
  CHECK(json_at(events.back().data, "/response/output/0/content/0/text") == "one two three");
  spec.operation = GP_OP_GENERATE;
  spec.body = R"({"input":[{"role":"user","content":[{"type":"input_text","text":"deep"}]}]})";
  CHECK(json_at(echo.ask(spec).body, "/output/0/content/0/text") == "deep");
}

TEST_CASE("echo: Messages") {
  Both echo;
  RequestSpec spec{
      .protocol = GP_PROTOCOL_CLAUDE,
      .operation = GP_OP_STREAM_GENERATE,
      .model = "m",
      .body = R"({"messages":[{"role":"user","content":[{"type":"text","text":"one two"}]}]})"};
  const auto events = events_of(echo.ask(spec).body);
  std::vector<std::string> names;
  for (const Event& event : events) {
    names.push_back(event.name);
    CHECK(json_at(event.data, "/type") == event.name);
  }
  CHECK(names == std::vector<std::string>{"message_start", "content_block_start", "ping",
                                          "content_block_delta", "content_block_delta",
                                          "content_block_stop", "message_delta", "message_stop"});
  CHECK(json_at(events[0].data, "/message/model") == "m");
  spec.operation = GP_OP_GENERATE;
  CHECK(json_at(echo.ask(spec).body, "/content/0/text") == "one two");
}

TEST_CASE("echo: generateContent streams as events or as one array") {
  Both echo;
  RequestSpec spec{.protocol = GP_PROTOCOL_GEMINI,
                   .operation = GP_OP_STREAM_GENERATE,
                   .model = "echo",
                   .body = R"({"contents":[{"parts":[{"text":"one two"}]}]})"};
  Answer array = echo.ask(spec);
  CHECK(header(array.headers, "content-type") == "application/json");
  CHECK(json_valid(array.body));
  CHECK(json_at(array.body, "/0/candidates/0/content/parts/0/text") == "one ");
  CHECK(json_at(array.body, "/2/candidates/0/finishReason") == "STOP");
  spec.query = "alt=sse";
  Answer sse = echo.ask(spec);
  CHECK(events_of(sse.body).size() == 3);
  spec.query.clear();
  spec.flags = GP_REQUEST_NEEDS_SSE;
  CHECK(echo.ask(spec).body == sse.body);
  spec.body = "{}";
  CHECK(events_of(echo.ask(spec).body).size() == 1);
  spec.flags = 0;
  CHECK(json_valid(echo.ask(spec).body));
}

TEST_CASE("echo: lists, gets and counts in the three shapes") {
  Both echo;
  auto ask = [&](int32_t protocol, int32_t operation, std::string model = "",
                 std::string body = "") {
    return echo.ask({.protocol = protocol,
                     .operation = operation,
                     .model = std::move(model),
                     .body = std::move(body)});
  };
  CHECK(json_at(ask(GP_PROTOCOL_OPENAI, GP_OP_MODEL_LIST).body, "/data/0/id") == "echo");
  CHECK(json_at(ask(GP_PROTOCOL_CLAUDE, GP_OP_MODEL_LIST).body, "/last_id") == "echo");
  CHECK(json_at(ask(GP_PROTOCOL_GEMINI, GP_OP_MODEL_LIST).body, "/models/0/name") == "models/echo");
  CHECK(json_at(ask(GP_PROTOCOL_GEMINI, GP_OP_MODEL_GET, "echo").body, "/displayName") == "Echo");
  for (int32_t protocol : {GP_PROTOCOL_OPENAI, GP_PROTOCOL_CLAUDE, GP_PROTOCOL_GEMINI}) {
    CHECK(ask(protocol, GP_OP_MODEL_GET, "other").status == 404);
    CHECK(ask(protocol, GP_OP_MODEL_GET, "echo").status == 200);
  }
  CHECK(ask(GP_PROTOCOL_CLAUDE, GP_OP_COUNT_TOKENS, "m",
            R"({"messages":[{"role":"user","content":"12345678"}]})")
            .body == R"({"input_tokens":3})");
  CHECK(ask(GP_PROTOCOL_OPENAI, GP_OP_COUNT_TOKENS, "m", R"({"input":"1"})").body ==
        R"({"object":"response.input_tokens","input_tokens":1})");
  CHECK(
      ask(GP_PROTOCOL_GEMINI, GP_OP_COUNT_TOKENS, "m",
          R"({"generateContentRequest":{"contents":[{"role":"user","parts":[{"text":"1234"}]}]}})")
          .body == R"({"totalTokens":2})");
}

TEST_CASE("echo: a client that leaves in the middle ends the call") {
  Both echo;
  const RequestSpec spec{
      .protocol = GP_PROTOCOL_CLAUDE, .operation = GP_OP_STREAM_GENERATE, .body = kChat};
  CHECK(echo.cpp.provider->respond(spec, 1).pieces.size() == 1);
  CHECK(echo.c.provider->respond(spec, 1).pieces.size() == 1);
}

TEST_CASE("echo: a long run without spaces is cut between characters") {
  Both echo;
  std::string run;
  for (int i = 0; i < 100; ++i) run += "\xe6\xbc\xa2";
  const auto events =
      events_of(echo.ask({.protocol = GP_PROTOCOL_OPENAI_CHAT,
                          .operation = GP_OP_STREAM_GENERATE,
                          .body = R"({"messages":[{"role":"user","content":")" + run + R"("}]})"})
                    .body);
  CHECK(events.size() > 5);
  for (size_t i = 0; i + 1 < events.size(); ++i) CHECK(json_valid(events[i].data));
}

TEST_CASE("echo: a delay that is none is refused by name") {
  Both echo;
  std::string message, param;
  for (const char* settings :
       {R"({"delay_ms":-1})", R"({"delay_ms":99999})", R"({"delay_ms":1.5})"}) {
    param.clear();
    CHECK(echo.cpp.module.create("echo", settings, &message, &param) == nullptr);
    CHECK(param == "delay_ms");
    param.clear();
    CHECK(echo.c.module.create("echo-c", settings, &message, &param) == nullptr);
    CHECK(param == "delay_ms");
  }
}
