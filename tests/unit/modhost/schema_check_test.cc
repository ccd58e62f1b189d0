#include <doctest/doctest.h>

#include "modhost/schema_check.h"

using namespace gproxy;
using namespace gproxy::modhost;

namespace {

struct Checked {
  bool ok;
  std::string message, param, code;
};

Checked check(std::string_view schema_text, std::string_view value_text,
              SchemaOptions options = {}) {
  Arena arena;
  auto schema = parse_schema(schema_text, arena);
  REQUIRE_MESSAGE(schema.ok(), schema.error().message);
  auto value = json::parse(value_text, arena);
  REQUIRE(value.ok());
  auto result = check_schema(*schema, *value, options);
  if (result.ok()) return {true, {}, {}, {}};
  return {false, result.error().message, result.error().param, std::string(result.error().code)};
}

constexpr const char* kDispatch = R"({"type":"object","required":["base_url"],"properties":{
  "base_url":{"type":"string","minLength":8,"maxLength":20},
  "mode":{"enum":["a","b"]},
  "count":{"type":"integer","minimum":1,"maximum":5},
  "models":{"type":"array","minItems":1,"maxItems":2,"items":{"type":"object","required":["id"],"properties":{"id":{"type":"string"}}}},
  "free":{"type":"object"}}})";

}  // namespace

TEST_CASE("a value that fits its schema passes") {
  CHECK(
      check(
          kDispatch,
          R"({"base_url":"https://x","mode":"a","count":3,"models":[{"id":"m"}],"free":{"any":1}})")
          .ok);
}

TEST_CASE("each broken keyword is named with the path of the value") {
  auto broken = [](const char* value) { return check(kDispatch, value); };
  CHECK(broken(R"({})").param == "base_url");
  CHECK(broken(R"({"base_url":1})").message == "must be of type string, is a number");
  CHECK(broken(R"({"base_url":"short"})").message == "must have at least 8 characters, has 5");
  CHECK(broken(R"({"base_url":"https://much-too-long.example"})").message.find("at most 20") !=
        std::string::npos);
  CHECK(broken(R"({"base_url":"https://x","mode":"c"})").message == R"(must be one of "a", "b")");
  CHECK(broken(R"({"base_url":"https://x","count":0})").message == "must be at least 1, is 0");
  CHECK(broken(R"({"base_url":"https://x","count":6})").param == "count");
  CHECK(broken(R"({"base_url":"https://x","count":1.5})").message ==
        "must be of type integer, is a number");
  CHECK(broken(R"({"base_url":"https://x","models":[]})").message ==
        "must have at least 1 elements, has 0");
  CHECK(broken(R"({"base_url":"https://x","models":[{"id":"a"},{}]})").param == "models[1].id");
  CHECK(broken(R"({"base_url":"https://x","models":[{"id":"a"},{"id":2}]})").param ==
        "models[1].id");
}

TEST_CASE("an unknown setting is refused with a did-you-mean") {
  auto result = check(kDispatch, R"({"base_ulr":"https://x","base_url":"https://x"})");
  CHECK(result.message == "unknown member `base_ulr`, did you mean `base_url`?");
  CHECK(result.param == "base_ulr");
  CHECK(result.code == "invalid_settings");
}

TEST_CASE("unknown members of a credential are kept and ignored") {
  CHECK(check(kDispatch, R"({"base_url":"https://x","other":1})",
              {UnknownMembers::ignore, "Tag", "invalid_credential_json"})
            .ok);
  auto strict = check(R"({"type":"object","properties":{},"additionalProperties":false})",
                      R"({"x":1})", {UnknownMembers::ignore, "Tag", "c"});
  CHECK(strict.param == "Tag.x");
}

TEST_CASE("an empty string and a null count as absent") {
  CHECK(check(kDispatch, R"({"base_url":"https://x","mode":"","count":null})").ok);
  CHECK(check(kDispatch, R"({"base_url":""})").message == "required member `base_url` is missing");
  CHECK(check(R"({"type":"object","properties":{"a":{"enum":["","x"]}}})", R"({"a":""})").ok);
}

TEST_CASE("what counts as absent is left out of what the module gets") {
  Arena arena;
  auto schema = parse_schema(kDispatch, arena);
  auto value = json::parse(
      R"({"base_url":"https://x","mode":"","models":[{"id":"","x":""}],"count":1.0})", arena);
  CHECK(json::write(without_absent(*schema, *value, arena)) ==
        R"({"base_url":"https://x","models":[{"x":""}],"count":1.0})");
}

TEST_CASE("anyOf takes the first that fits and explains the one that got furthest") {
  constexpr auto kSchema = R"({"anyOf":[{"type":"string","enum":["native"]},
    {"type":"object","required":["transform"],"properties":{"transform":{"type":"object","required":["target"],
     "properties":{"target":{"enum":["claude","gemini"]}}}}}]})";
  CHECK(check(kSchema, R"("native")").ok);
  CHECK(check(kSchema, R"({"transform":{"target":"claude"}})").ok);
  auto result = check(kSchema, R"({"transform":{"target":"cluade"}})");
  CHECK(result.param == "transform.target");
}

TEST_CASE("oneOf refuses what fits twice, allOf what fits not all") {
  CHECK_FALSE(check(R"({"oneOf":[{"type":"integer"},{"type":"number"}]})", "1").ok);
  CHECK(check(R"({"oneOf":[{"type":"integer"},{"type":"number"}]})", "1.5").ok);
  CHECK_FALSE(check(R"({"allOf":[{"minimum":1},{"maximum":3}]})", "4").ok);
}

TEST_CASE("an empty schema is an object without members") {
  CHECK(check("", "{}").ok);
  CHECK_FALSE(check("", R"({"a":1})").ok);
}

TEST_CASE("definitions can be referred to, and schemas outside the subset are refused") {
  constexpr auto kSchema =
      R"({"type":"object","definitions":{"u":{"type":"string","minLength":2}},"properties":{"a":{"$ref":"#/definitions/u"}}})";
  CHECK(check(kSchema, R"({"a":"xy"})").ok);
  CHECK_FALSE(check(kSchema, R"({"a":"x"})").ok);
  Arena arena;
  for (auto bad : {R"({"type":"strnig"})", R"({"$ref":"http://elsewhere"})", R"({"properties":[]})",
                   R"({"pattern":"a"})", R"([])", R"({"required":"a"})", R"({"minLength":-1})",
                   R"({"anyOf":[]})", R"(nonsense)"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_schema(bad, arena).ok());
  }
}

TEST_CASE("a reference in a circle ends") {
  CHECK(check(R"({"$ref":"#/definitions/a","definitions":{"a":{"$ref":"#/definitions/a"}}})",
              R"({"x":1})")
            .ok);
}
