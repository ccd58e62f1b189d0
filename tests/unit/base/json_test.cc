#include <doctest/doctest.h>

#include <string>

#include "base/json.h"

using namespace gproxy;
using json::Value;

namespace {
std::string round_trip(std::string_view text) {
  Arena arena;
  auto value = json::parse(text, arena);
  return value.ok() ? json::write(*value) : "error: " + value.error().message;
}
}  // namespace

TEST_CASE("numbers keep their text and members their order") {
  for (const char* text :
       {"1", "-0", "1.0", "1e3", "1E+3", "0.10", "123456789012345678901234567890",
        "{\"b\":1,\"a\":2,\"b\":3}", "[]", "{}", "[[],{}]", "null", "true", "false", "\"\"",
        "[1,2.50,\"x\",null,true,{\"k\":[0]}]"}) {
    CHECK(round_trip(text) == text);
  }
  CHECK(round_trip(" [ 1 , { \"a\" : \"b\" } ] \n") == "[1,{\"a\":\"b\"}]");
}

TEST_CASE("strings are decoded and encoded again") {
  CHECK(round_trip(R"("\u0041\/\"\\\b\f\n\r\t\u0001\u00e9\ud83d\ude00")") ==
        "\"A/\\\"\\\\\\b\\f\\n\\r\\t\\u0001\u00e9\U0001F600\"");
  CHECK(round_trip("\"\\u0000\"") == "\"\\u0000\"");
  Arena arena;
  CHECK(json::parse("\"a\\u0000b\"", arena)->str() == std::string_view("a\0b", 3));
}

TEST_CASE("a lone surrogate escape becomes the replacement character") {
  CHECK(round_trip(R"("\ud800")") == "\"\uFFFD\"");
  CHECK(round_trip(R"("\udc00x")") == "\"\uFFFDx\"");
  CHECK(round_trip(R"("\ud800\ud83d\ude00")") == "\"\uFFFD\U0001F600\"");
  CHECK(round_trip(R"("\ud800\u0041")") == "\"\uFFFDA\"");
  CHECK(round_trip(R"("\\ud800")") == "\"\\\\ud800\"");
  CHECK(round_trip(R"({"\ud800":1})") == "{\"\uFFFD\":1}");
}

TEST_CASE("what is not JSON is refused with the place") {
  const std::pair<const char*, const char*> rows[] = {{"", "byte 0"},
                                                      {" ", "byte 1"},
                                                      {"{", "byte 1"},
                                                      {"[1,]", "byte 3"},
                                                      {"{\"a\":1,}", "byte 7"},
                                                      {"[1 2]", "byte 3"},
                                                      {"01", "byte 1"},
                                                      {"1.", "byte 2"},
                                                      {"1e", "byte 2"},
                                                      {"nul", "byte 3"},
                                                      {"+1", "byte 0"},
                                                      {"'a'", "byte 0"},
                                                      {"\"a", ""},
                                                      {"\"\x01\"", "byte 1"},
                                                      {"\"\\x\"", "byte 1"},
                                                      {"\"\\u12g4\"", "byte 1"},
                                                      {"1 1", "byte 2"},
                                                      {"{1:2}", "byte 1"},
                                                      {"{\"a\" 1}", "byte 5"},
                                                      {"// c\n1", "byte 0"},
                                                      {"NaN", "byte 0"},
                                                      {"Infinity", "byte 0"},
                                                      {"\xef\xbb\xbf{}", "byte 0"}};
  for (const auto& [text, place] : rows) {
    CAPTURE(text);
    Arena arena;
    const auto result = json::parse(text, arena);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code == "invalid_json");
    CAPTURE(result.error().message);
    CHECK(result.error().message.find(place) != std::string::npos);
  }
}

TEST_CASE("invalid UTF-8 and NUL bytes are refused where they stand") {
  Arena arena;
  CHECK(json::parse("[\"abc\xff\"]", arena).error().message.find("byte 5") != std::string::npos);
  CHECK(json::parse("\"" + std::string(100, 'x') + "\u00e9\xc3(\"", arena)
            .error()
            .message.find("byte 103 ") != std::string::npos);
  CHECK_FALSE(json::parse(std::string_view("1\0", 2), arena).ok());
  CHECK_FALSE(json::parse(std::string_view("1 \0x", 4), arena).ok());
  CHECK_FALSE(json::parse(std::string_view("\"a\0b\"", 5), arena).ok());
  CHECK_FALSE(json::parse(std::string_view("\0", 1), arena).ok());
}

TEST_CASE("a number no double can hold is refused") {
  Arena arena;
  CHECK(json::parse("1e308", arena).ok());
  CHECK(json::parse("1e-9999", arena).ok());
  CHECK(json::parse("[1e309]", arena).error().message.find("out of range") != std::string::npos);
  CHECK_FALSE(json::parse(std::string(400, '9'), arena).ok());
}

TEST_CASE("line and column are told") {
  Arena arena;
  CHECK(json::parse("{\n  \"a\": x}", arena).error().message ==
        "invalid JSON: expected a value at byte 9 (line 2, column 8)");
  json::Position where;
  CHECK_FALSE(json::parse_with_comments("{\n // c\n \"\u00e9\" 1}", arena, &where).ok());
  CHECK(where.line == 3);
  CHECK(where.column == 6);
}

TEST_CASE("depth and size have limits") {
  Arena arena;
  json::Limits limits;
  limits.max_depth = 3;
  CHECK(json::parse("[[[1]]]", arena, limits).ok());
  CHECK(json::parse("[[[[1]]]]", arena, limits).error().code == "json_too_deep");
  CHECK(json::parse("[{\"a\":[[1]]}]", arena, limits).error().code == "json_too_deep");
  limits.max_bytes = 4;
  CHECK(json::parse("12345", arena, limits).error().kind == ErrorKind::too_large);
  CHECK(json::parse(std::string(1000000, '['), arena).error().code == "json_too_deep");
  Arena small(256, 2000);
  CHECK(json::parse("[" + std::string(1600, ' ') + "]", small).ok());
  std::string many = "[1";
  for (int i = 0; i < 300; ++i) many += ",1";
  CHECK(json::parse(many + "]", small).error().kind == ErrorKind::too_large);
}

TEST_CASE("configuration files may have comments and trailing commas") {
  Arena arena;
  auto value = json::parse_with_comments(
      "// top\n{ /* in */ \"a\": [1, 2, ], // end\n \"b\": {\"c\": 1,},\n}\n// after", arena,
      nullptr);
  REQUIRE(value.ok());
  CHECK(json::write(*value) == R"({"a":[1,2],"b":{"c":1}})");
  CHECK_FALSE(json::parse_with_comments("{,}", arena, nullptr).ok());
  CHECK_FALSE(json::parse_with_comments("/* open", arena, nullptr).ok());
}

TEST_CASE("reading never fails") {
  Arena arena;
  const Value v = *json::parse(R"({"s":"x","n":12,"list":[1,{"k":"v"}],"d":1,"d":2})", arena);
  CHECK(v["s"].str() == "x");
  CHECK(v["s"].as_int() == std::nullopt);
  CHECK(v["n"].str("none") == "none");
  CHECK(v["list"][1]["k"].str() == "v");
  CHECK(v["list"][7]["k"]["q"].is_null());
  CHECK(v["d"].as_int() == 2);  // the last of duplicates
  CHECK(v.size() == 5);
  CHECK(v["list"].items().size() == 2);
  CHECK(v.items().empty());
}

TEST_CASE("integers are read exactly, however they are written") {
  const std::pair<const char*, std::optional<int64_t>> rows[] = {
      {"0", 0},
      {"-0", 0},
      {"1.0", 1},
      {"1e3", 1000},
      {"1.5", std::nullopt},
      {"1.50e1", 15},
      {"100e-2", 1},
      {"-12.300e2", -1230},
      {"1e-1", std::nullopt},
      {"0e999999999999", 0},
      {"0.000", 0},
      {"0.1e1", 1},
      {"1e19", std::nullopt},
      {"9223372036854775807", INT64_MAX},
      {"9223372036854775808", std::nullopt},
      {"-9223372036854775808", INT64_MIN},
      {"-9223372036854775809", std::nullopt},
      {"9.223372036854775807e18", INT64_MAX},
      {"92233720368547758070e-1", INT64_MAX},
      {"1e99999999999", std::nullopt},
      {"10000000000000000000000e-20", 100}};
  for (const auto& [text, expected] : rows) {
    CAPTURE(text);
    CHECK(Value::number_text(text).as_int() == expected);
  }
}

TEST_CASE("doubles are written as the shortest text that reads back") {
  Arena arena;
  for (double d : {0.1, 1.0 / 3, 1e300, 5e-324, 123456789.125, -0.0}) {
    const Value v = Value::number(arena, d);
    CHECK(v.as_double() == d);
    CHECK(json::parse(json::write(v), arena).ok());
  }
  CHECK(json::write(Value::number(arena, 0.1)) == "0.1");
  CHECK(Value::number(arena, 0.0 / 0.0).is_null());
}

TEST_CASE("documents are built, changed and compared") {
  Arena arena;
  Value v = Value::object();
  v.add(arena, "a", Value::integer(arena, -5));
  Value& list = v.add(arena, "list", Value::array());
  for (int i = 0; i < 100; ++i) list.push(arena, Value::integer(arena, i));
  v.set(arena, "a", Value::string("x"));
  v.set(arena, "new", Value::boolean(true));
  CHECK(v["list"].size() == 100);
  CHECK(v["list"][99].as_int() == 99);
  CHECK(v.remove("list"));
  CHECK_FALSE(v.remove("list"));
  CHECK(json::write(v) == R"({"a":"x","new":true})");
  CHECK(v.equals(*json::parse(R"({"new":true,"a":"x"})", arena)));
  CHECK_FALSE(v.equals(*json::parse(R"({"new":true,"a":"y"})", arena)));
  CHECK_FALSE(v.equals(*json::parse(R"({"new":true})", arena)));
  CHECK_FALSE(json::parse("[1]", arena)->equals(*json::parse("[1.0]", arena)));
}

TEST_CASE("running out of arena while building does not crash") {
  Arena arena(256, 1024);
  Value v = Value::object();
  for (int i = 0; i < 1000; ++i) v.add(arena, "k", Value::array()).push(arena, Value());
  CHECK(arena.exhausted());
  CHECK(v.size() < 100);
}

TEST_CASE("strings are escaped whatever their length and position") {
  for (size_t before = 0; before < 40; ++before) {
    for (size_t after = 0; after < 20; ++after) {
      const std::string text =
          std::string(before, 'a') + "\"\\\n\x1f\x7f\u00e9" + std::string(after, 'b') + "\"";
      std::string out;
      json::write_string(text, out);
      CHECK(out == "\"" + std::string(before, 'a') + "\\\"\\\\\\n\\u001f\x7f\u00e9" +
                       std::string(after, 'b') + "\\\"\"");
    }
  }
}

TEST_CASE("the writer puts the commas") {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.field("a", "x");
  w.field("n", 5);
  w.field("t", true);
  w.field("d", 0.5);
  w.key("list");
  w.begin_array();
  w.integer(1);
  w.null();
  w.begin_object();
  w.end_object();
  w.raw("[2]");
  w.number(1.0 / 0.0);
  w.end_array();
  w.key("e");
  w.begin_object();
  w.end_object();
  w.end_object();
  CHECK(out == R"({"a":"x","n":5,"t":true,"d":0.5,"list":[1,null,{},[2],null],"e":{}})");
}

TEST_CASE("pretty text reads back equal") {
  Arena arena;
  const Value v = *json::parse(R"({"a":[1,{"b":[]}],"c":{}})", arena);
  const std::string pretty = json::write_pretty(v);
  CHECK(pretty == "{\n  \"a\": [\n    1,\n    {\n      \"b\": []\n    }\n  ],\n  \"c\": {}\n}\n");
  CHECK(json::parse(pretty, arena)->equals(v));
}
