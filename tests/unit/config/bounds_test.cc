#include "config/bounds.h"

#include <doctest/doctest.h>

#include "base/arena.h"
#include "config/parse.h"

using namespace gproxy;
using namespace gproxy::config;

namespace {

Result<void> apply(Bounds& bounds, std::string_view name, std::string_view text) {
  Arena arena;
  return apply_bound(bounds, name, *json::parse(text, arena));
}

std::string param_of(std::string_view name, std::string_view text) {
  Bounds bounds;
  auto done = apply(bounds, name, text);
  return done.ok() ? "ok" : done.error().param;
}

}  // namespace

TEST_CASE("bounds are stored as they were given, and null takes one away") {
  Bounds b;
  REQUIRE(apply(b, "expires_at", R"("2027-01-01T01:00:00+01:00")"));
  REQUIRE(apply(b, "allowed_providers", R"(["a","b","a"])"));
  REQUIRE(apply(b, "allowed_models", R"(["m*"])"));
  REQUIRE(apply(b, "requests_per_minute", "60"));
  REQUIRE(apply(b, "tokens_per_minute", "1000"));
  REQUIRE(apply(b, "concurrent_requests", "2"));
  CHECK(b.expires_at_us == 1'798'761'600'000'000);
  CHECK(b.providers == std::vector<std::string>{"a", "b"});
  CHECK(read_bounds(stored_bounds(b)) == b);
  for (auto name : bound_names()) REQUIRE(apply(b, name, "null"));
  CHECK(b == Bounds{});
  CHECK(stored_bounds(b) == "{}");
}

TEST_CASE("what a later version stored does not hide the bounds this one knows") {
  CHECK(read_bounds(R"({"budget_usd":5,"requests_per_minute":7})").requests_per_minute == 7);
  CHECK(read_bounds("nonsense") == Bounds{});
}

TEST_CASE("a bad bound is refused by name") {
  CHECK(param_of("expires_at", R"("tomorrow")") == "expires_at");
  CHECK(param_of("expires_at", "5") == "expires_at");
  CHECK(param_of("allowed_providers", "[]") == "allowed_providers");
  CHECK(param_of("allowed_providers", R"("a")") == "allowed_providers");
  CHECK(param_of("allowed_models", R"(["a",3])") == "allowed_models[1]");
  CHECK(param_of("allowed_models", R"(["  "])") == "allowed_models[0]");
  CHECK(param_of("requests_per_minute", "0") == "requests_per_minute");
  CHECK(param_of("tokens_per_minute", "-1") == "tokens_per_minute");
  CHECK(param_of("tokens_per_minute", "1.5") == "tokens_per_minute");
  CHECK(param_of("concurrent_requests", R"("2")") == "concurrent_requests");
  CHECK(param_of("budget", "1") == "budget");
}

TEST_CASE("a star stands for any text, everything else for itself") {
  CHECK(matches_pattern("gpt-4*", "gpt-4o-mini"));
  CHECK(matches_pattern("*-mini", "gpt-4o-mini"));
  CHECK(matches_pattern("a*b*c", "a-b-b-c"));
  CHECK(matches_pattern("*", ""));
  CHECK_FALSE(matches_pattern("gpt-4", "gpt-4o"));
  CHECK_FALSE(matches_pattern("gpt-4*", "GPT-4o"));
  CHECK_FALSE(matches_pattern("a*b", "a-b-c"));
  CHECK_FALSE(matches_pattern("", "a"));
}

TEST_CASE("a model may be named alone or with its provider") {
  Bounds b;
  CHECK(allows_model(b, "p", "anything"));
  b.models = {"small*", "p/large", "vendor/org/name"};
  CHECK(allows_model(b, "q", "small-1"));
  CHECK(allows_model(b, "p", "large"));
  CHECK_FALSE(allows_model(b, "q", "large"));
  CHECK(allows_model(b, "q", "models/small-1"));
  CHECK(allows_model(b, "vendor", "org/name"));
  b.providers = {"p"};
  CHECK(allows_provider(b, "p"));
  CHECK_FALSE(allows_provider(b, "P"));
}

TEST_CASE("the configuration file bounds users and keys, and says where it is wrong") {
  auto file = parse_config(R"({"users":[{"name":"a","requests_per_minute":5,
      "keys":[{"label":"l","key":"k","allowed_models":["m"],"expires_at":"2027-01-01T00:00:00Z"}]}]})",
                           {"f.json", {}});
  REQUIRE(file.ok());
  CHECK(file->declared.users[0].bounds.requests_per_minute == 5);
  CHECK(file->declared.users[0].keys[0].bounds.models == std::vector<std::string>{"m"});
  auto bad = parse_config(R"({"users":[{"name":"a","keys":[
      {"label":"l","key":"k","tokens_per_minute":0}]}]})",
                          {"f.json", {}});
  REQUIRE_FALSE(bad.ok());
  CHECK(bad.error().message.find("f.json:2:") == 0);
  CHECK(bad.error().message.find("users[0].keys[0].tokens_per_minute: must be null or a number") !=
        std::string::npos);
}
