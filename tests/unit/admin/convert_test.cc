#include "admin/convert.h"

#include <doctest/doctest.h>

using namespace gproxy;
using namespace gproxy::admin;

TEST_CASE(
    "a masked secret shows the last four characters of long texts and nothing of short ones") {
  CHECK(mask_text("") == "");
  CHECK(mask_text("short") == "****");
  CHECK(mask_text("sk-0123456789abcd") == "****abcd");
  CHECK(mask_json(
            R"({"OpenAI":{"api_key":"sk-0123456789abcd","n":7,"list":["abcdefghijklmnop"]}})") ==
        R"({"OpenAI":{"api_key":"****abcd","n":7,"list":["****mnop"]}})");
}

TEST_CASE("a mask that comes back keeps the stored text, another text replaces it") {
  const std::string stored = R"({"OpenAI":{"api_key":"sk-0123456789abcd","org":"organisation-1"}})";
  CHECK(unmask_json(mask_json(stored), stored) == stored);
  CHECK(unmask_json(R"({"OpenAI":{"api_key":"sk-new","org":"****on-1"}})", stored) ==
        R"({"OpenAI":{"api_key":"sk-new","org":"organisation-1"}})");
}

TEST_CASE("settings survive the way into the store and back, with their origins") {
  config::Settings s;
  s.host = "127.0.0.1";
  s.port = 9000;
  s.admin_key = Secret("key");
  s.limits.max_request_bytes = 1234;
  s.timeouts.drain_ms = 5;
  s.origins = {{"host", config::Origin::cli},
               {"port", config::Origin::env},
               {"limits.max_request_bytes", config::Origin::file},
               {"timeouts.drain_ms", config::Origin::db}};
  const auto row = row_of(s, "sqlite://x", {{"openai/main", "00ff"}});
  config::Settings back;
  size_t dropped = 0;
  overlay_row(row, back, dropped);
  CHECK(dropped == 0);
  CHECK(back.host == "127.0.0.1");
  CHECK(back.port == 9000);
  CHECK(back.limits.max_request_bytes == 1234);
  CHECK(back.timeouts.drain_ms == 5);
  CHECK(back.origin_of("host") == config::Origin::cli);
  CHECK(back.origin_of("limits.max_request_bytes") == config::Origin::file);
  CHECK(declared_secrets_of(row) == DeclaredSecrets{{"openai/main", "00ff"}});
}

TEST_CASE("secret settings go into the sealed part, with their origins") {
  config::Settings s;
  s.metrics_token = Secret("scrape-me");
  s.origins = {{"metrics_token", config::Origin::db}};
  const auto row = row_of(s, "sqlite://x", {});
  CHECK(row.extra_json.find("scrape-me") == std::string::npos);
  config::Settings back;
  size_t dropped = 0;
  overlay_row(row, back, dropped);
  CHECK(dropped == 0);
  CHECK(back.metrics_token.equals("scrape-me"));
  CHECK(back.origins.contains("metrics_token"));
}

TEST_CASE("a stored setting that nobody knows any more is dropped and counted, the others stay") {
  storage::SettingsRow row;
  row.extra_json =
      R"({"limits.of_yesterday":{"value":1,"origin":"db"},"limits.max_request_bytes":{"value":4096,"origin":"db"}})";
  config::Settings s;
  size_t dropped = 0;
  overlay_row(row, s, dropped);
  CHECK(dropped == 1);
  CHECK(s.limits.max_request_bytes == 4096);
}

TEST_CASE("settings are shown with their secrets masked, and a mask that comes back keeps them") {
  const std::string stored =
      R"({"base_url":"http://h","hf_token":"hf_0123456789abcd","token_url":"http://t",)"
      R"("count_tokens":"upstream","extra_headers":{"Authorization":"Bearer abc","x-team":"t"}})";
  const std::string shown = mask_settings(stored);
  CHECK(shown ==
        R"({"base_url":"http://h","hf_token":"****abcd","token_url":"http://t",)"
        R"("count_tokens":"upstream","extra_headers":{"Authorization":"****","x-team":"t"}})");
  CHECK(unmask_json(shown, stored) == stored);
  CHECK(unmask_json(R"({"hf_token":"new"})", stored) == R"({"hf_token":"new"})");
}
