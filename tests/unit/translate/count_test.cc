// What of a count request is text and what is counted by rule.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/base64.h"
#include "translate/count.h"
#include "translate/image_size.h"

namespace gproxy::translate {
namespace {

struct Read {
  std::vector<std::string> texts;
  Countable rest;
};

Read read(Protocol client, std::string_view body) {
  Read out;
  Arena arena;
  auto rest = read_countable(client, body, {}, {}, arena,
                             [&](std::string_view text) { out.texts.emplace_back(text); });
  REQUIRE(rest.ok());
  out.rest = *rest;
  return out;
}

std::string png(uint32_t width, uint32_t height) {
  std::string bytes("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16);
  for (const uint32_t side : {width, height}) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(side >> shift);
  }
  return base64_encode(bytes + "rest");
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE(
    "texts of all protocols are found, framing is three for a message and three for the request") {
  const auto claude =
      read(Protocol::claude,
           R"({"model":"m","system":"be kind","messages":[{"role":"user","content":"hi"},)"
           R"({"role":"assistant","content":[{"type":"text","text":"ho"}]}]})");
  CHECK(claude.texts == Texts{"be kind", "hi", "ho"});
  CHECK(claude.rest.by_rule == 3 + 3 * 3);
  CHECK_FALSE(claude.rest.guessed);
  const auto responses =
      read(Protocol::openai_response, R"({"model":"m","instructions":"be kind","input":"hi"})");
  CHECK(responses.texts == Texts{"be kind", "hi"});
  const auto gemini = read(
      Protocol::gemini,
      R"({"generateContentRequest":{"model":"models/m","contents":[{"parts":[{"text":"hi"}]}]}})");
  CHECK(gemini.texts == Texts{"hi"});
}

TEST_CASE("a tool is its name, its description, its schema as JSON, and eight") {
  const auto with =
      read(Protocol::claude,
           R"({"model":"m","messages":[{"role":"user","content":"x"}],)"
           R"("tools":[{"name":"f","description":"does","input_schema":{"type":"object"}}]})");
  CHECK(with.texts == Texts{"x", "f", "does", R"({"type":"object"})"});
  CHECK(with.rest.by_rule == 3 + 3 + 8);
}

TEST_CASE("calls and their results are text") {
  const auto calls = read(
      Protocol::claude,
      R"({"model":"m","messages":[{"role":"user","content":"x"},)"
      R"({"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{"a":1}}]},)"
      R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"out"}]}]})");
  CHECK(calls.texts == Texts{"x", "f", R"({"a":1})", "out"});
}

TEST_CASE("an image counts by its size and by the protocol") {
  const auto image = [](uint32_t width, uint32_t height) { return png(width, height); };
  const auto claude = [&](uint32_t w, uint32_t h) {
    return read(Protocol::claude,
                R"({"model":"m","messages":[{"role":"user","content":[{"type":"image","source":)"
                R"({"type":"base64","media_type":"image/png","data":")" +
                    image(w, h) + R"("}}]}]})")
        .rest;
  };
  CHECK(claude(750, 100).by_rule == 6 + 100);
  CHECK(claude(10000, 10000).by_rule == 6 + 1533);  // fitted into 1.15 megapixels
  CHECK_FALSE(claude(10, 10).guessed);
  const auto openai = [&](uint32_t w, uint32_t h, std::string_view detail) {
    return read(
               Protocol::openai_response,
               R"({"model":"m","input":[{"role":"user","content":[{"type":"input_image","detail":")" +
                   std::string(detail) + R"(","image_url":"data:image/png;base64,)" + image(w, h) +
                   R"("}]}]})")
        .rest;
  };
  CHECK(openai(1024, 1024, "high").by_rule == 6 + 765);
  CHECK(openai(2048, 4096, "auto").by_rule == 6 + 1105);
  CHECK(openai(4000, 4000, "low").by_rule == 6 + 85);
  const auto gemini = [&](uint32_t w, uint32_t h) {
    return read(Protocol::gemini,
                R"({"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":")" +
                    image(w, h) + R"("}}]}]})")
        .rest;
  };
  CHECK(gemini(384, 384).by_rule == 6 + 258);
  CHECK(gemini(800, 700).by_rule == 6 + 2 * 258);
}

TEST_CASE("what has no size to be read is guessed, and says so") {
  const auto by_url = read(
      Protocol::claude,
      R"({"model":"m","messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://h/x.png"}}]}]})");
  CHECK(by_url.rest.by_rule == 6 + 1600);
  CHECK(by_url.rest.guessed);
}

TEST_CASE("sizes of the common formats are read from their first bytes") {
  const auto size = [](std::string_view bytes) { return image_size(base64_encode(bytes)); };
  CHECK(size(std::string_view("GIF89a\x10\x01\x20\x00\x00\x00", 12))->width == 272);
  const std::string_view jpeg(
      "\xff\xd8\xff\xe0\x00\x04\x01\x02\xff\xc0\x00\x11\x08\x01\x00\x02\x00\x03\x01\x22", 20);
  CHECK(size(jpeg)->height == 256);
  CHECK(size(jpeg)->width == 512);
  std::string webp("RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0", 24);
  webp += std::string("\x63\x00\x00\x31\x00\x00", 6);
  CHECK(size(webp)->width == 100);
  CHECK(size(webp)->height == 50);
  CHECK_FALSE(size("nothing of the kind, but long enough").has_value());
  CHECK_FALSE(size(jpeg.substr(0, 9)).has_value());
  CHECK_FALSE(image_size("not base64!").has_value());
}

}  // namespace gproxy::translate
