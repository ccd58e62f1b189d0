#include "base/json_where.h"

#include <doctest/doctest.h>

#include <string>

#include "base/json_scan.h"

using namespace gproxy;

TEST_CASE("a broken text names the member where it breaks") {
  const auto param = [](std::string_view text) { return json::validate(text).error().param; };
  CHECK(param(R"({"model":"m","messages":[{"role":"user"},{"role":}]})") == "messages[1].role");
  CHECK(param(R"({"a":{"b":[1,2,{"c":tru}]}})") == "a.b[2].c");
  CHECK(param(R"({"a":1,"b":"x)") == "b");
  CHECK(param("{\"a\":{\"b\":\"\xff\"}}") == "a.b");
  CHECK(param(R"([[],[1,]])") == "[1][1]");
  CHECK(param(R"({"a}{[":[0,"}\"]",nul]})") == "a}{[[2]");
  CHECK(param(R"({"a":1,})").empty());
  CHECK(param("").empty());
  CHECK(param("{\"a\":1} x").empty());
  json::Limits limits;
  limits.max_depth = 3;
  CHECK(json::validate(R"({"a":[0,{"b":[1]}]})", limits).error().param == "a[1].b");
}

TEST_CASE("the path of a byte is bounded") {
  CHECK(json::path_at(std::string(200, '['), 200).size() <= 256);
  const std::string key(1000, 'k');
  CHECK(json::path_at("{\"" + key + "\":", key.size() + 4).size() <= 256);
  CHECK(json::path_at("{\"\x01\xc3\xa9\":", 7) == "???");
  const std::string far = "{\"a\":\"" + std::string(5 << 20, 'x');
  CHECK(json::path_at(far, far.size()).empty());
}
