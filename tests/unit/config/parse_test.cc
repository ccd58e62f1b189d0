#include <doctest/doctest.h>

#include "../modhost/temp_folder.h"
#include "config/json_place.h"
#include "config/parse.h"
#include "config/validate.h"

using namespace gproxy;
using namespace gproxy::config;

namespace {

ConfigFile good(std::string_view text, std::string path = "/etc/gproxy.jsonc") {
  auto file = parse_config(text, {std::move(path), {}});
  REQUIRE_MESSAGE(file.ok(), file.error().message);
  return std::move(*file);
}

std::string refusal(std::string_view text) {
  auto file = parse_config(text, {"f", {}});
  REQUIRE_FALSE(file.ok());
  CHECK(file.error().code == "config_invalid");
  return file.error().message;
}

}  // namespace

TEST_CASE("a file declares settings, providers, credentials, users and keys") {
  auto file = good(R"({
    // comments and trailing commas are fine
    "settings": {
      "port": 9000, "host": "127.0.0.1", "admin_key": "admin-key-1",
      "limits": {"max_request_bytes": 1048576},
      "timeouts": {"first_byte_ms": 5000,},
    },
    "providers": [{
      "name": "main", "kind": "openai", "enabled": false, "channel_settings": {"base_url": "https://x"},
      "credentials": [{"name": "k1", "secret": {"OpenAI": {"api_key": "sk-1"}}, "settings": {"a": 1}}],
    }],
    "users": [{"name": "alice", "keys": [{"label": "laptop", "key": "alice-key-1", "permissions": ["quota"]}]}],
  })");
  CHECK(file.settings.port == 9000);
  CHECK(file.settings.limits.max_request_bytes == 1048576);
  CHECK(file.settings.timeouts.first_byte_ms == 5000);
  CHECK(file.settings.origin_of("timeouts.first_byte_ms") == Origin::file);
  REQUIRE(file.declared.providers.size() == 1);
  const auto& p = file.declared.providers[0];
  CHECK(p.kind == "openai");
  CHECK_FALSE(p.enabled);
  CHECK(p.settings_json == R"({"base_url":"https://x"})");
  CHECK(p.origin == Origin::file);
  CHECK(p.credentials[0].secret_json.reveal() == R"({"OpenAI":{"api_key":"sk-1"}})");
  CHECK(p.credentials[0].settings_json == R"({"a":1})");
  const auto& key = file.declared.users[0].keys[0];
  CHECK(key.key.reveal() == "alice-key-1");
  CHECK(key.permissions == Permissions{false, true});
  CHECK(check_declared(file.declared).ok());
}

TEST_CASE("a file's settings go over the given ones") {
  Settings base;
  base.port = 1234;
  base.origins["port"] = Origin::db;
  auto file = parse_config(R"({"settings":{"host":"::1"}})", {"f", base});
  CHECK(file->settings.port == 1234);
  CHECK(file->settings.host == "::1");
}

TEST_CASE("a provider without a kind has its name as kind") {
  CHECK(good(R"({"providers":[{"name":"claude"}]})").declared.providers[0].kind == "claude");
}

TEST_CASE("an unknown member is refused with line, column and a did-you-mean") {
  CHECK(
      refusal(
          "{\n  \"settings\": {\n    // a comment with \"prot\": in it\n    \"prot\": 1\n  }\n}") ==
      "f:4:5: settings.prot: unknown member `prot`, did you mean `port`?");
  CHECK(refusal(R"({"provider": []})") ==
        "f:1:2: provider: unknown member `provider`, did you mean `providers`?");
  CHECK(refusal("{\"providers\":[{\"name\":\"a\"},\n {\"name\":\"b\",\"chanel_settings\":{}}]}") ==
        "f:2:14: providers[1].chanel_settings: unknown member `chanel_settings`, did you mean "
        "`channel_settings`?");
  CHECK(refusal(R"({"settings":{"max_request_bytes":1}})")
            .find("did you mean `settings.limits.max_request_bytes`?") != std::string::npos);
  CHECK(refusal(R"({"settings":{"limit":{}}})").find("did you mean `limits`?") !=
        std::string::npos);
}

TEST_CASE("a member that occurs twice is refused where it occurs again") {
  CHECK(refusal("{\"users\": [],\n\"users\": []}") == "f:2:1: users: occurs twice");
  CHECK(refusal(R"({"settings":{"port":1,"port":2}})") == "f:1:23: settings.port: occurs twice");
}

TEST_CASE("syntax errors have a place") {
  CHECK(refusal("{\n  \"settings\": {,}\n}").find("f:2:") == 0);
  CHECK(refusal("[]").find("must be an object") != std::string::npos);
}

TEST_CASE("values of the wrong type or range have a place") {
  CHECK(refusal("{\"settings\":{\n\"port\": 70000}}") ==
        "f:2:9: settings.port: must be a whole number from 0 to 65535, is 70000");
  CHECK(refusal(R"({"settings":{"pings":"yes"}})").find("must be true or false") !=
        std::string::npos);
  CHECK(refusal(R"({"providers":{}})").find("must be a list") != std::string::npos);
  CHECK(refusal(R"({"providers":[1]})").find("providers[0]: must be an object") !=
        std::string::npos);
  CHECK(refusal(R"({"providers":[{"name":"a","enabled":1}]})").find("must be true or false") !=
        std::string::npos);
  CHECK(refusal(R"({"providers":[{}]})").find("`name` is missing") != std::string::npos);
  CHECK(refusal(R"({"providers":[{"name":"a","credentials":[{"name":"c"}]}]})")
            .find("one of `secret` and `secret_file`") != std::string::npos);
  CHECK(refusal(R"({"users":[{"name":"a","keys":[{"label":"l"}]}]})")
            .find("one of `key` and `key_file`") != std::string::npos);
  CHECK(
      refusal(
          R"({"users":[{"name":"a","keys":[{"label":"l","key":"12345678","permissions":["all"]}]}]})")
          .find("permissions[0]: must be one of") != std::string::npos);
}

TEST_CASE("an unset text sets nothing, an unexpanded secret is an error") {
  CHECK(good(R"({"settings":{"proxy":"${HTTP_PROXY}","host":""}})").settings.host == "0.0.0.0");
  CHECK(refusal(R"({"users":[{"name":"a","keys":[{"label":"l","key":"${KEY}"}]}]})")
            .find("unexpanded placeholder") != std::string::npos);
  CHECK(
      refusal(
          R"({"providers":[{"name":"a","credentials":[{"name":"c","secret":{"T":{"k":"${K}"}}}]}]})")
          .find("unexpanded placeholder") != std::string::npos);
}

TEST_CASE("secrets are read from files beside the configuration") {
  modhost::test::TempFolder folder;
  folder.write("admin", "admin-from-file\n");
  folder.write("api", "sk-from-file");
  folder.write("user", "user-from-file\n");
  folder.write("service.json", R"({"Vertex":{"project_id":"p"}})");
  auto file = good(R"({"settings":{"admin_key_file":"admin"},
    "providers":[{"name":"a","credentials":[{"name":"c","secret":{"T":{"api_key_file":"api","x":1}}},{"name":"d","secret_file":"service.json"}]}],
    "users":[{"name":"u","keys":[{"label":"l","key_file":"user"}]}]})",
                   folder.file("gproxy.jsonc"));
  CHECK(file.settings.admin_key.reveal() == "admin-from-file");
  CHECK(file.declared.providers[0].credentials[0].secret_json.reveal() ==
        R"({"T":{"api_key":"sk-from-file","x":1}})");
  CHECK(file.declared.providers[0].credentials[1].secret_json.reveal() ==
        R"({"Vertex":{"project_id":"p"}})");
  CHECK(file.declared.users[0].keys[0].key.reveal() == "user-from-file");
}

TEST_CASE("a secret beside its file, a missing file and a file without JSON are errors") {
  CHECK(refusal(R"({"settings":{"admin_key":"x","admin_key_file":"y"}})").find("stands beside") !=
        std::string::npos);
  CHECK(refusal(R"({"users":[{"name":"u","keys":[{"label":"l","key_file":"/nonexistent/x"}]}]})")
            .find("cannot be opened") != std::string::npos);
  CHECK(refusal(R"({"settings":{"port_file":"x"}})").find("unknown member") != std::string::npos);
  modhost::test::TempFolder folder;
  folder.write("s", "sk-secret-not-json");
  auto text = R"({"providers":[{"name":"a","credentials":[{"name":"c","secret_file":")" +
              folder.file("s") + R"("}]}]})";
  auto message = refusal(text);
  CHECK(message.find("does not hold a JSON object") != std::string::npos);
  CHECK(message.find("sk-secret") == std::string::npos);
}

TEST_CASE("a place is found whatever stands around it") {
  constexpr std::string_view text =
      "/* {\"a\": */ {\"x\": [1, {\"a\\u0062\": \"}\"}, // ]\n [] ], \"y\": {}, }";
  CHECK(text.substr(*find_place(text, {PlaceStep::member("y")}, PlaceOf::value), 2) == "{}");
  CHECK(text.substr(
            *find_place(text,
                        {PlaceStep::member("x"), PlaceStep::element(1), PlaceStep::member("ab")},
                        PlaceOf::value),
            3) == "\"}\"");
  CHECK(text.substr(
            *find_place(text, {PlaceStep::member("x"), PlaceStep::element(2)}, PlaceOf::key), 2) ==
        "[]");
  CHECK_FALSE(find_place(text, {PlaceStep::member("z")}, PlaceOf::key).has_value());
  CHECK_FALSE(find_place(text, {PlaceStep::element(0)}, PlaceOf::key).has_value());
  for (auto bad : {"", "{", "{\"", "{\"x", "{\"x\":", "/*", "//", "{\"x\":[", "{\"x\":{\"", "[[[",
                   "{\"x\":\"\\"}) {
    (void)find_place(bad, {PlaceStep::member("x"), PlaceStep::element(1)}, PlaceOf::value);
    (void)find_place(bad, {PlaceStep::member("y")}, PlaceOf::key);
  }
}

TEST_CASE("what the file declares is checked, and each fault has its place") {
  modhost::test::TempFolder folder;
  const auto loaded = [&](std::string_view text) -> std::string {
    folder.write("c", std::string(text));
    auto file = load_config(folder.file("c"), {});
    if (file.ok()) return "ok";
    CHECK(file.error().message.starts_with(folder.file("c") + ":"));
    return file.error().message.substr(folder.file("c").size() + 1);
  };
  CHECK(loaded("{\"providers\":[{\"name\":\"a\",\n \"pool\":{\n  \"stratgy\":\"x\"}}]}") ==
        "3:3: providers[0].pool.stratgy: unknown member, did you mean `strategy`?");
  CHECK(loaded("{\"providers\":[{\"name\":\"a\",\n \"pool\":{\"queue\":\n{\"maxx\":1}}}]}") ==
        "3:2: providers[0].pool.queue.maxx: unknown member, did you mean `max`?");
  CHECK(loaded("{\"routes\":[{\"name\":\"r\",\"tiers\":[[\n{\"provder\":\"x\"}]]}]}") ==
        "2:2: routes[0].tiers[0][0].provder: unknown member, did you mean `provider`?");
  CHECK(loaded("{\"settings\":{\"limits.max_json_dept\":9}}") ==
        "1:14: settings.limits.max_json_dept: unknown member `limits.max_json_dept`, did you mean "
        "`limits.max_json_depth`?");
  CHECK(loaded("{\"providers\":[\n{\"name\":\"a b\"}]}")
            .starts_with("2:2: providers[0].name: a provider's name is"));
  CHECK(loaded("{\"users\":[{\"name\":\"u\"},\n{\"name\":\"u\"}]}") ==
        "2:2: users[1].name: the user `u` occurs twice");
  CHECK(loaded("\xEF\xBB\xBF{}") == "ok");
  CHECK(place_in_config(folder.file("c"), "providers[0]") == "");
  folder.write("c", "{\"providers\":[{\n\"channel_settings\":{\"base_ul\":1}}]}");
  CHECK(place_in_config(folder.file("c"), "providers[0].channel_settings.base_ul") ==
        folder.file("c") + ":2:21: ");
  CHECK(place_in_config(folder.file("c"), "providers[0].kind") == folder.file("c") + ":1:15: ");
}

TEST_CASE("rules about models are checked where they stand") {
  auto good = parse_config(R"({"settings":{"translation":{"lossless":true,"model_profiles":[
      {"match":["x-*"],"set":{"cl.prefill":true}}]}}})",
                           {.path = "f", .base = {}});
  REQUIRE(good.ok());
  CHECK(good->settings.translation.lossless);
  CHECK(good->settings.translation.model_profiles.json ==
        R"([{"match":["x-*"],"set":{"cl.prefill":true}}])");
  for (const auto* wrong : {R"({})", R"([1])", R"([{"match":["x"],"set":{"cl.nothing":1}}])",
                            R"([{"match":["x"],"sets":{}}])", R"([{"match":[1]}])"}) {
    auto bad = parse_config(
        R"({"settings":{"translation":{"model_profiles":)" + std::string(wrong) + "}}}",
        {.path = "f", .base = {}});
    CAPTURE(wrong);
    REQUIRE_FALSE(bad.ok());
    CHECK(bad.error().message.find("f:1:") == 0);
  }
}

TEST_CASE("the example configuration is valid") {
  auto file = load_config(std::string(GPROXY_SOURCE_DIR) + "/config/gproxy.example.jsonc", {});
  REQUIRE_MESSAGE(file.ok(), file.error().message);
  CHECK(check_settings(file->settings).ok());
  CHECK(check_declared(file->declared).ok());
  CHECK(file->declared.providers.size() >= 2);
}
