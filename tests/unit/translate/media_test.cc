#include "translate/media.h"

#include <doctest/doctest.h>

#include "translate/arguments.h"
#include "translate/schema.h"

namespace gproxy::translate {
namespace {

std::string pieces(std::string_view url) {
  Arena arena;
  auto parsed = parse_data_url(url, arena);
  return parsed ? std::string(parsed->mime) + "|" + std::string(parsed->base64) : "none";
}

TEST_CASE("data URLs of every shape") {
  CHECK(pieces("data:image/png;base64,iVBORw0KGgo=") == "image/png|iVBORw0KGgo=");
  CHECK(pieces("DATA:Image/PNG;charset=utf-8;name=a.png;BASE64,iVBO Rw0K\nGgo") ==
        "image/png|iVBORw0KGgo=");
  CHECK(pieces("data:;base64,aGk") == "text/plain|aGk=");
  CHECK(pieces("data:,hi%20there") == "text/plain|aGkgdGhlcmU=");
  CHECK(pieces("data:text/html,<b>") == "text/html|PGI+");
  CHECK(pieces("data:a/b;base64,-_-_") == "a/b|+/+/");
  CHECK(pieces("https://e.x/a.png") == "none");
  CHECK(pieces("data:image/png;base64") == "none");
}

TEST_CASE("types by name") {
  CHECK(mime_of_name("a/b.PNG?x=1#y") == "image/png");
  CHECK(mime_of_name("doc.pdf") == "application/pdf");
  CHECK(mime_of_name("noext") == "");
  CHECK(chat_audio_format("audio/mpeg") == "mp3");
  CHECK(chat_audio_format("audio/ogg") == "");
}

std::string object_of(std::string_view text) {
  Arena arena;
  return json::write(args_object(text, arena));
}

TEST_CASE("arguments are always an object and keep their digits") {
  CHECK(object_of("") == "{}");
  CHECK(object_of(" \n") == "{}");
  CHECK(object_of(R"({ "a" : 12345678901234567890123 , "b":1.10})") ==
        R"({"a":12345678901234567890123,"b":1.10})");
  CHECK(object_of("[1, 2]") == R"({"value":[1,2]})");
  CHECK(object_of("\"x\"") == R"({"value":"x"})");
  CHECK(object_of("{\"a\":") == R"({"_raw_arguments":"{\"a\":"})");
}

TEST_CASE("custom tools' text as function arguments and back") {
  Arena arena;
  auto wrapped = json::write(wrap_input("line\n\"q\"", arena));
  CHECK(wrapped == R"({"input":"line\n\"q\""})");
  CHECK(unwrap_input(wrapped, arena) == "line\n\"q\"");
  CHECK(unwrap_input("{}", arena).empty());
  CHECK(unwrap_input("plain text", arena) == "plain text");
}

std::string openapi(std::string_view schema) {
  Arena arena;
  auto parsed = json::parse(schema, arena);
  REQUIRE(parsed.ok());
  return json::write(to_openapi(*parsed, arena));
}

TEST_CASE("JSON Schema becomes Gemini's subset") {
  CHECK(openapi(R"({"type":"object"})") == "null");
  CHECK(openapi(R"({"type":"object","properties":{}})") == "null");
  CHECK(openapi(R"({"type":["integer","null"],"exclusiveMaximum":5})") ==
        R"({"type":"INTEGER","maximum":4,"nullable":true})");
  CHECK(openapi(R"({"type":"number","exclusiveMinimum":0.5})") ==
        R"({"type":"NUMBER","minimum":0.5})");
  CHECK(
      openapi(
          R"({"allOf":[{"properties":{"a":{"type":"string"}},"required":["a"]},{"properties":{"b":{"type":"string"}},"required":["b"]}]})") ==
      R"({"type":"OBJECT","properties":{"a":{"type":"STRING"},"b":{"type":"STRING"}},"required":["a","b"]})");
  CHECK(
      openapi(
          R"({"type":"string","format":"email","pattern":"x","examples":[1],"default":"d","readOnly":true})") ==
      R"({"type":"STRING","pattern":"x"})");
  CHECK(openapi(R"({"enum":["a",null]})") == R"({"type":"STRING","enum":["a"],"nullable":true})");
  CHECK(openapi(R"({"type":["string","integer"]})") ==
        R"({"anyOf":[{"type":"STRING"},{"type":"INTEGER"}]})");
}

TEST_CASE("references that grow without end are cut") {
  std::string bomb = R"({"$defs":{"d0":{"type":"string"})";
  for (int i = 1; i < 40; ++i) {
    auto below = std::to_string(i - 1);
    bomb += R"(,"d)" + std::to_string(i) + R"(":{"properties":{"a":{"$ref":"#/$defs/d)" + below +
            R"("},"b":{"$ref":"#/$defs/d)" + below + R"("}}})";
  }
  bomb += R"(},"$ref":"#/$defs/d39"})";
  CHECK(openapi(bomb).size() < 4000000);
}

TEST_CASE("strict schemas are recognised and made") {
  Arena arena;
  auto open = json::parse(
      R"({"type":"object","properties":{"a":{"type":"object","properties":{"b":{"type":"string"}}}},"required":["a"]})",
      arena);
  REQUIRE(open.ok());
  CHECK(!strict_ready(*open));
  bool changed = false;
  auto made = closed(*open, arena, &changed);
  CHECK(changed);
  CHECK(
      json::write(made) ==
      R"({"type":"object","properties":{"a":{"type":"object","properties":{"b":{"type":"string"}},"additionalProperties":false}},"required":["a"],"additionalProperties":false})");
  CHECK(!strict_ready(made));  // b is not required
}

}  // namespace
}  // namespace gproxy::translate
