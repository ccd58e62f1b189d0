#include <doctest/doctest.h>

#include "config/validate.h"

using namespace gproxy;
using namespace gproxy::config;

TEST_CASE("provider names fit a path segment and shadow no route") {
  for (auto name : {"openai", "My.Provider_2-x", "a", "v1x", "Admin"})
    CHECK(check_provider_name(name).ok());
  for (auto name : {"", "a b", "a/b", "ä", ".", "..", "admin", "assets", "healthz", "readyz",
                    "livez", "metrics", "version", "v1", "v1beta", "favicon.ico"}) {
    CAPTURE(name);
    CHECK_FALSE(check_provider_name(name).ok());
  }
  CHECK(check_provider_name(std::string(64, 'x')).ok());
  CHECK_FALSE(check_provider_name(std::string(65, 'x')).ok());
}

TEST_CASE("hosts are names or addresses") {
  for (auto host : {"0.0.0.0", "::", "[::1]", "localhost", "fe80::1%eth0"})
    CHECK(check_host(host).ok());
  for (auto host : {"", "a b", "[::1", "host:80", "http://x"}) {
    CAPTURE(host);
    CHECK_FALSE(check_host(host).ok());
  }
}

TEST_CASE("proxies are URLs of four schemes; no error quotes one, for its password") {
  for (auto url :
       {"", "http://p:3128", "https://u:p@p", "socks5://127.0.0.1:1080", "socks5h://[::1]:1080/"}) {
    CAPTURE(url);
    CHECK(check_proxy(url).ok());
  }
  for (auto url : {"p:3128", "ftp://p", "http://", "http://p:0", "http://p:x", "http://p/path",
                   "http://a b", "http://u:pass@"}) {
    CAPTURE(url);
    auto result = check_proxy(url);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().param == "proxy");
    CHECK(result.error().message.find("pass@") == std::string::npos);
  }
}

TEST_CASE("limits that contradict each other are refused by name") {
  auto param = [](auto change) {
    Settings s;
    change(s);
    auto result = check_settings(s);
    return result.ok() ? std::string() : result.error().param;
  };
  CHECK(param([](Settings&) {}).empty());
  CHECK(param([](Settings& s) { s.limits.output_low_bytes = s.limits.output_high_bytes; }) ==
        "limits.output_low_bytes");
  CHECK(param([](Settings& s) { s.limits.memory_budget_bytes = 100; }) ==
        "limits.max_request_bytes");
  CHECK(param([](Settings& s) { s.retry.backoff_ms = 999'999; }) == "retry.backoff_ms");
  CHECK(param([](Settings& s) { s.modules_dirs = {"/a", "b"}; }) == "modules_dirs[1]");
  CHECK(param([](Settings& s) { s.admin_key = Secret("two words"); }) == "admin_key");
}

TEST_CASE("what is declared twice is refused with its path") {
  auto provider = [](std::string name) {
    ProviderConfig p;
    p.name = name;
    p.kind = "k";
    return p;
  };
  Declared d;
  d.providers = {provider("a"), provider("a")};
  CHECK(check_declared(d).error().param == "providers[1].name");
  d.providers = {provider("v1")};
  CHECK(check_declared(d).error().param == "providers[0].name");
  d.providers = {provider("a")};
  d.providers[0].credentials.resize(2);
  d.providers[0].credentials[0].name = d.providers[0].credentials[1].name = "c";
  CHECK(check_declared(d).error().param == "providers[0].credentials[1].name");
  d = {};
  d.users.resize(1);
  d.users[0].name = "u";
  d.users[0].keys.resize(1);
  d.users[0].keys[0].key = Secret("two words");
  CHECK(check_declared(d).error().param == "users[0].keys[0].key");
}

TEST_CASE("user keys fit in a header") {
  CHECK(check_user_key("0123abcd", "key").ok());
  CHECK_FALSE(check_user_key("0123 abcd", "key").ok());
  CHECK_FALSE(check_user_key("", "key").ok());
  CHECK_FALSE(check_user_key("0123abc\xc3\xa4", "key").ok());
  CHECK_FALSE(check_user_key(std::string(513, 'x'), "key").ok());
}
