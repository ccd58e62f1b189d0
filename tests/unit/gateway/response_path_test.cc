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
  std::string expected(kChat);
  const auto from = expected.find("data: {\"model\":\"m\",\"choices\":[]");
  expected.erase(from, expected.find("data: [DONE]") - from);
  for (size_t piece = 1; piece <= kChat.size(); ++piece) {
    auto options = a_stream(Protocol::openai_chat);
    options.strip_usage_chunk = true;
    CAPTURE(piece);
    REQUIRE(run(std::move(options), kChat, piece) == expected);
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
