// Model names of the operator's own: what they may look like, and which one takes a model.
#include <doctest/doctest.h>

#include "config/model_route.h"

using namespace gproxy;
using namespace gproxy::config;

namespace {

ModelRoute route(std::string name, std::string body) {
  auto parsed = parse_route({1, std::move(name), std::move(body), true, Origin::db});
  REQUIRE(parsed.ok());
  return *parsed;
}
constexpr const char* kBody = R"({"tiers":[[{"provider":"p"}]]})";

}  // namespace

TEST_CASE("what is wrong with a route is told by its place") {
  const auto param = [](const char* name, const char* body) {
    return parse_route({1, name, body, true, Origin::db}).error().param;
  };
  CHECK(param("a/b", kBody) == "name");
  CHECK(param("a**", kBody) == "name");
  CHECK(param("a", R"({})") == "tiers");
  CHECK(param("a", R"({"tiers":[[]]})") == "tiers[0]");
  CHECK(param("a", R"({"tiers":[[{"model":"m"}]]})") == "tiers[0][0].provider");
  CHECK(param("a", R"({"tiers":[[{"provider":"p","weight":5000}]]})") == "tiers[0][0].weight");
  CHECK(param("a", R"({"tiers":[[{"provider":"p","model":"x-*"}]]})") == "tiers[0][0].model");
  CHECK(param("a", R"({"tiers":[[{"provider":"p"}]],"alias":[]})") == "alias");
  CHECK(param("a", R"({"tiers":[[{"provider":"p"}]],"aliases":["x*"]})") == "aliases[0]");
  CHECK(param("a", R"({"tiers":[[{"provider":"p"}]],"keys":[1,"laptop"]})") == "keys[1]");
}

TEST_CASE("a route reads back as it was written") {
  const auto one = route(
      "claude-*",
      R"({"aliases":["c"],"tiers":[[{"provider":"p","model":"m-*","weight":3}],[{"provider":"q"}]],"users":["alice"],"keys":[7,"alice/laptop"],"listed":false})");
  const auto two = route("claude-*", route_body_json(one));
  CHECK(route_body_json(two) == route_body_json(one));
  CHECK(two.tiers.size() == 2);
  CHECK(two.keys == std::vector<int64_t>{7});
  CHECK(two.key_names == std::vector<std::string>{"alice/laptop"});
  CHECK(two.tiers[0][0].weight == 3);
  CHECK_FALSE(two.listed);
}

TEST_CASE("exact names go before patterns, longer patterns before shorter ones") {
  RouteIndex index;
  auto off = route("off", kBody);
  off.enabled = false;
  CHECK(index
            .build({route("m-*", kBody), route("m-large-*", kBody),
                    route("m-large-1", R"({"aliases":["big"],"tiers":[[{"provider":"p"}]]})"), off})
            .empty());
  CHECK(index.find("m-large-1").route->name == "m-large-1");
  CHECK(index.find("big").route->name == "m-large-1");
  CHECK(index.find("m-large-2").route->name == "m-large-*");
  CHECK(index.find("m-large-2").taken == "2");
  CHECK(index.find("m-small").taken == "small");
  CHECK(index.find("m").route == nullptr);
  CHECK(index.find("off").route == nullptr);
  RouteIndex twice;
  CHECK(twice
            .build({route("a", kBody),
                    route("b", R"({"aliases":["a"],"tiers":[[{"provider":"p"}]]})")})
            .size() == 1);
}
