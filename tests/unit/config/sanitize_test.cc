#include <doctest/doctest.h>

#include <map>

#include "../modhost/temp_folder.h"
#include "config/sanitize.h"
#include "config/settings_table.h"

using namespace gproxy;
using namespace gproxy::config;

namespace {

Environment environment(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    auto at = variables.find(name);
    return at == variables.end() ? std::nullopt : std::optional(at->second);
  };
}

}  // namespace

TEST_CASE("texts are trimmed; empty ones and unexpanded placeholders are unset") {
  CHECK(sanitize("  x y ") == "x y");
  CHECK_FALSE(sanitize(" \t\n").has_value());
  CHECK_FALSE(sanitize(" ${GPROXY_PORT} ").has_value());
  CHECK(sanitize("${a}b") == "${a}b");
}

TEST_CASE("booleans are the reference's eight words without case") {
  for (auto word : {"1", "true", "YES", "On"}) CHECK(parse_bool(word) == true);
  for (auto word : {"0", "False", "no", "OFF"}) CHECK(parse_bool(word) == false);
  for (auto word : {"", "2", "y", "enabled"}) CHECK_FALSE(parse_bool(word).has_value());
}

TEST_CASE("a variable is read directly or from the file that its _FILE twin names") {
  modhost::test::TempFolder folder;
  folder.write("key", "from-file\n");
  CHECK(*read_variable(environment({{"K", " v "}}), "K") == "v");
  CHECK(*read_variable(environment({{"K_FILE", folder.file("key")}}), "K") == "from-file");
  CHECK_FALSE((*read_variable(environment({}), "K")).has_value());
  CHECK(*read_variable(environment({{"K", ""}, {"K_FILE", folder.file("key")}}), "K") ==
        "from-file");
  auto both = read_variable(environment({{"K", "v"}, {"K_FILE", folder.file("key")}}), "K");
  CHECK(both.error().message == "K and K_FILE are both set");
  auto none = read_variable(environment({{"K_FILE", folder.file("missing")}}), "K");
  REQUIRE_FALSE(none.ok());
  CHECK(none.error().message.find("K_FILE") == 0);
}

TEST_CASE("an empty secret file and one that is too long are refused") {
  modhost::test::TempFolder folder;
  folder.write("empty", "\n\n");
  folder.write("long", std::string(70'000, 'x'));
  CHECK_FALSE(read_secret_file(folder.file("empty"), "f").ok());
  CHECK_FALSE(read_secret_file(folder.file("long"), "f").ok());
}

TEST_CASE("each setting has a name of its own, a help line and a default within its bounds") {
  std::map<std::string, int> seen;
  Settings settings;
  for (const auto& row : setting_rows()) {
    CAPTURE(row.name);
    CHECK(++seen[std::string(row.name)] == 1);
    CHECK_FALSE(row.help.empty());
    auto text = setting_json(settings, row);
    if (text == "null") continue;  // secrets show nothing
    Arena arena;
    auto value = json::parse(text, arena);
    REQUIRE(value.ok());
    Settings copy;
    auto applied = apply_setting(copy, row.name, *value, Origin::db);
    CHECK_MESSAGE(applied.ok(), text);
    CHECK(setting_json(copy, row) == text);
  }
}

TEST_CASE("settings are set from text by type, and unset text changes nothing") {
  Settings s;
  CHECK(apply_setting_text(s, "port", " 9000 ", Origin::env).ok());
  CHECK(s.port == 9000);
  CHECK(s.origin_of("port") == Origin::env);
  CHECK(apply_setting_text(s, "port", "${PORT}", Origin::cli).ok());
  CHECK(s.origin_of("port") == Origin::env);
  CHECK(apply_setting_text(s, "event_redact_sensitive", "off", Origin::cli).ok());
  CHECK_FALSE(s.event_redact_sensitive);
  CHECK(apply_setting_text(s, "modules_dirs", "/a: /b :", Origin::cli).ok());
  CHECK(s.modules_dirs == std::vector<std::string>{"/a", "/b"});
  CHECK(apply_setting_text(s, "limits.max_request_bytes", "1048576", Origin::cli).ok());
  CHECK(s.limits.max_request_bytes == 1048576);
  CHECK(s.origin_of("host") == Origin::db);
}

TEST_CASE("a text that does not fit its setting says what would") {
  Settings s;
  auto message = [&](std::string_view name, std::string_view text) {
    auto result = apply_setting_text(s, name, text, Origin::env);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().param == name);
    return result.error().message;
  };
  CHECK(message("port", "99999") == "must be a whole number from 0 to 65535, is `99999`");
  CHECK(message("port", "http") == "must be a whole number from 0 to 65535, is `http`");
  CHECK(message("log_level", "loud") ==
        "must be one of trace debug info warn error off, is `loud`");
  CHECK(message("pings", "maybe").find("true, false") != std::string::npos);
  CHECK(message("limits.max_request_byte", "1") ==
        "unknown setting `limits.max_request_byte`, did you mean `limits.max_request_bytes`?");
  CHECK(message("max_request_bytes", "1").find("did you mean `limits.max_request_bytes`?") !=
        std::string::npos);
}

TEST_CASE("a secret setting never shows its value") {
  Settings s;
  CHECK(apply_setting_text(s, "admin_key", "very-secret", Origin::env).ok());
  CHECK(s.admin_key.reveal() == "very-secret");
  CHECK(setting_json(s, *find_setting("admin_key")) == "null");
}
