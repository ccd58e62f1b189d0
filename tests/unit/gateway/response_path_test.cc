#include "gateway/response_path.h"

#include <doctest/doctest.h>

#include <string>

namespace gproxy::gateway {
namespace {

using translate::Framing;
using translate::Protocol;

struct Collected final : ResponsePath::Receiver {
  std::string bytes;
  int calls = 0;
  const char* last = nullptr;
  void on_response_id(std::string_view) override {}
  void on_answer(std::string_view piece) override {
    bytes += piece;
    ++calls;
    last = piece.data();
  }
};

ResponsePath::Options a_stream(Protocol protocol) {
  ResponsePath::Options options;
  options.protocol = protocol;
  options.framing = Framing::sse;
  options.gate_on_event = true;
  return options;
}

std::string run(ResponsePath::Options options, std::string_view text, size_t piece) {
  Collected out;
  ResponsePath path(std::move(options), out);
  for (size_t at = 0; at < text.size(); at += piece)
    REQUIRE(path.feed(text.substr(at, piece)).ok());
  REQUIRE(path.finish().ok());
  return out.bytes;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

constexpr std::string_view kChat =
    "data: "
    "{\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"\\\"model\\\":\\\"m\\\"\"}}]}\n\n"
    "data: {\"model\":\"m\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: "
    "{\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n"
    "data: [DONE]\n\n";

}  // namespace

TEST_CASE("a native answer passes as the very bytes that came") {
  Collected out;
  ResponsePath path({.protocol = Protocol::openai_chat}, out);
  const std::string body = R"({"model":"m","unknown":[1,2,{"x":"\u00e4"}]})";
  REQUIRE(path.feed(body).ok());
  CHECK(out.last == body.data());
  CHECK(out.bytes == body);
}

TEST_CASE("an unedited stream is byte-identical however it is split") {
  for (size_t piece = 1; piece <= kChat.size(); ++piece) {
    REQUIRE(run(a_stream(Protocol::openai_chat), kChat, piece) == kChat);
  }
}

TEST_CASE("the provider is put before the model of every event, and nothing else changes") {
  const auto expected = replaced(std::string(kChat), "{\"model\":\"m\"", "{\"model\":\"prov/m\"");
  for (size_t piece = 1; piece <= kChat.size(); ++piece) {
    auto options = a_stream(Protocol::openai_chat);
    options.model_provider = "prov";
    CAPTURE(piece);
    REQUIRE(run(std::move(options), kChat, piece) == expected);
  }
}

TEST_CASE("a model that names the provider already stays as it is") {
  for (const std::string_view model : {"", "prov", "prov/m"}) {
    const std::string body = "{\"model\":\"" + std::string(model) + "\",\"x\":1}";
    for (size_t piece = 1; piece <= body.size(); ++piece) {
      ResponsePath::Options options{.protocol = Protocol::claude};
      options.model_provider = "prov";
      REQUIRE(run(std::move(options), body, piece) == body);
    }
  }
  for (const std::string_view model : {"p", "pro", "provider", "prov2/x", "x"}) {
    const std::string body = "{\"model\":\"" + std::string(model) + "\",\"x\":1}";
    for (size_t piece = 1; piece <= body.size(); ++piece) {
      ResponsePath::Options options{.protocol = Protocol::claude};
      options.model_provider = "prov";
      REQUIRE(run(std::move(options), body, piece) ==
              "{\"model\":\"prov/" + std::string(model) + "\",\"x\":1}");
    }
  }
}

TEST_CASE("the usage chunk that only gproxy asked for is taken out again") {
  for (const std::string_view line_end : {"\n", "\r\n", "\r"}) {
    const auto chat = replaced(std::string(kChat), "\n", line_end);
    std::string expected = chat;
    const auto from = expected.find("data: {\"model\":\"m\",\"choices\":[]");
    expected.erase(from, expected.find("data: [DONE]") - from);
    for (size_t piece = 1; piece <= chat.size(); ++piece) {
      auto options = a_stream(Protocol::openai_chat);
      options.strip_usage_chunk = true;
      CAPTURE(piece);
      CAPTURE(line_end.size());
      REQUIRE(run(std::move(options), chat, piece) == expected);
    }
  }
}

TEST_CASE("both edits together, and usage is read all the same") {
  Collected out;
  auto options = a_stream(Protocol::openai_chat);
  options.strip_usage_chunk = true;
  options.model_provider = "a-longer-provider-name";
  ResponsePath path(std::move(options), out);
  for (const char c : kChat) REQUIRE(path.feed(std::string_view(&c, 1)).ok());
  REQUIRE(path.finish().ok());
  CHECK(out.bytes.find("usage") == std::string::npos);
  CHECK(out.bytes.find("\"a-longer-provider-name/m\"") != std::string::npos);
  CHECK(path.scan().usage().output == 2);
  CHECK(path.scan().finished());
}

TEST_CASE("nothing passes before the first event is complete") {
  Collected out;
  ResponsePath path(a_stream(Protocol::claude), out);
  REQUIRE(path.feed("event: message_start\ndata: {\"type\":\"message_start\"}\n").ok());
  CHECK_FALSE(path.open());
  CHECK(out.bytes.empty());
  REQUIRE(path.feed("\n").ok());
  CHECK(path.open());
  CHECK(out.bytes == "event: message_start\ndata: {\"type\":\"message_start\"}\n\n");
}

TEST_CASE("an error event before any content keeps the gate shut") {
  Collected out;
  ResponsePath path(a_stream(Protocol::claude), out);
  REQUIRE(path.feed("event: error\ndata: "
                    "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n")
              .ok());
  CHECK(path.failed_at_gate());
  REQUIRE(path.finish().ok());
  CHECK(out.bytes.empty());
  CHECK(path.held().find("overloaded_error") != std::string::npos);
}

TEST_CASE("a short answer is kept until its brackets close, and is passed as it came") {
  const std::string body = " {\"a\":[{\"b\":\"}\"}]}\n";
  for (size_t piece = 1; piece <= body.size(); ++piece) {
    ResponsePath::Options options{.protocol = Protocol::openai_chat,
                                  .expects = ResponsePath::Expects::object,
                                  .length_known = true};
    Collected out;
    ResponsePath path(std::move(options), out);
    for (size_t at = 0; at < body.size(); at += piece) {
      const bool whole = at + piece >= body.size() - 1;
      REQUIRE(path.feed(std::string_view(body).substr(at, piece)).ok());
      CHECK(path.open() == whole);
    }
    REQUIRE(path.finish().ok());
    CHECK_FALSE(path.garbage());
    CHECK(out.bytes == body);
  }
}

TEST_CASE("what cannot be an answer passes not at all") {
  using Expects = ResponsePath::Expects;
  const auto judged = [](Expects expects, std::string_view text) {
    for (const size_t piece : {size_t{1}, size_t{3}, text.size() + 1}) {
      Collected out;
      ResponsePath path(
          {.protocol = Protocol::openai_chat, .expects = expects, .length_known = true}, out);
      for (size_t at = 0; at < text.size() && !path.garbage(); at += piece)
        REQUIRE(path.feed(text.substr(at, piece)).ok());
      if (!path.garbage()) REQUIRE(path.finish().ok());
      CAPTURE(text);
      if (path.garbage()) CHECK(out.bytes.empty());
      if (!path.garbage()) CHECK(out.bytes == text);
      if (piece > text.size()) return !path.garbage();
    }
    return false;
  };
  CHECK(judged(Expects::object, "{}"));
  CHECK(judged(Expects::object, "{ \"a\":1}"));
  CHECK(judged(Expects::container, "[{\"a\":1}]"));
  CHECK_FALSE(judged(Expects::object, "[{\"a\":1}]"));
  for (const auto expects : {Expects::object, Expects::container, Expects::elements}) {
    for (const auto* bad : {"<html>", "", "{\"a\":", "{a}", "null", "  "})
      CHECK_FALSE(judged(expects, expects == Expects::elements && bad[0] == '{' ? "<" : bad));
  }
  CHECK(judged(Expects::anything, "<html>"));
}

TEST_CASE("a long answer passes before its end, blanks that come by themselves pass at once") {
  Collected out;
  ResponsePath path({.protocol = Protocol::openai_chat, .expects = ResponsePath::Expects::object},
                    out);
  REQUIRE(path.feed("\n").ok());
  CHECK(out.bytes == "\n");  // an upstream that thinks keeps the connection alive
  Collected long_one;
  ResponsePath other({.protocol = Protocol::openai_chat, .expects = ResponsePath::Expects::object},
                     long_one);
  REQUIRE(other.feed("{\"a\":\"").ok());
  CHECK(long_one.bytes.empty());
  REQUIRE(other.feed(std::string(20'000, 'x')).ok());
  CHECK(long_one.bytes.size() == 20'006);
  CHECK_FALSE(other.cut());
  REQUIRE(other.finish().ok());
  CHECK(other.cut());  // its brackets are open
}

TEST_CASE("a stream of something else never opens, however long it is") {
  Collected out;
  auto options = a_stream(Protocol::openai_chat);
  options.expects = ResponsePath::Expects::events;
  ResponsePath path(std::move(options), out);
  for (int i = 0; i < 100 && !path.garbage(); ++i)
    REQUIRE(path.feed("data: <p>" + std::string(1'000, 'x') + "\n\n").ok());
  CHECK(path.garbage());
  CHECK(out.bytes.empty());
}

TEST_CASE("pings fit between events only") {
  Collected out;
  ResponsePath path(a_stream(Protocol::openai_chat), out);
  REQUIRE(path.feed("data: {\"choices\":[{}]}\n\n").ok());
  CHECK(path.at_boundary());
  REQUIRE(path.feed("data: {\"cho").ok());
  CHECK_FALSE(path.at_boundary());
  REQUIRE(path.feed("ices\":[{}]}\n").ok());
  CHECK_FALSE(path.at_boundary());
  REQUIRE(path.feed("\n").ok());
  CHECK(path.at_boundary());
}

TEST_CASE("the id of a single model gets its provider, behind models/ for gemini") {
  CHECK(prefix_model_field(R"({"id":"m","object":"model"})", "id", "p") ==
        R"({"id":"p/m","object":"model"})");
  CHECK(prefix_model_field(R"({"name":"models/m"})", "name", "p") == R"({"name":"models/p/m"})");
  CHECK(prefix_model_field(R"({"name":"models/p/m"})", "name", "p") == R"({"name":"models/p/m"})");
  CHECK(prefix_model_field(R"({"x":1})", "id", "p") == R"({"x":1})");
}

}  // namespace gproxy::gateway
