#include "app/options.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

using namespace gproxy;
using namespace gproxy::app;

namespace {
GetEnv env(std::map<std::string, std::string> values) {
  return [values](std::string_view name) -> std::optional<std::string> {
    auto it = values.find(std::string(name));
    if (it == values.end()) return std::nullopt;
    return it->second;
  };
}
}  // namespace

TEST_CASE("no arguments serve with nothing given") {
  auto o = parse_options({}, env({}));
  REQUIRE(o.ok());
  CHECK(o->command == Command::serve);
  CHECK(!o->port);
  CHECK(o->print_admin_key);
}

TEST_CASE("the command line wins over the environment, and each value knows its source") {
  auto o =
      parse_options({"--port", "9000"}, env({{"GPROXY_PORT", "9001"}, {"GPROXY_HOST", "::1"}}));
  REQUIRE(o.ok());
  CHECK(o->port->value == 9000);
  CHECK(o->port->source == Source::cli);
  CHECK(o->host->value == "::1");
  CHECK(o->host->source == Source::env);
}

TEST_CASE("an empty command-line value hides the variable") {
  auto o = parse_options({"--host="}, env({{"GPROXY_HOST", "10.0.0.1"}}));
  REQUIRE(o.ok());
  CHECK(!o->host);
}

TEST_CASE("blank values and unexpanded placeholders count as not given") {
  auto o = parse_options({}, env({{"GPROXY_ADMIN_KEY", "${ADMIN_KEY}"}, {"GPROXY_PROXY", "   "}}));
  REQUIRE(o.ok());
  CHECK(!o->admin_key);
  CHECK(!o->proxy);
}

TEST_CASE("a port must be a 16-bit number; 0 is one") {
  CHECK(parse_options({"--port", "0"}, env({}))->port->value == 0);
  for (auto bad : {"65536", "-1", "80a"}) {
    auto o = parse_options({"--port", bad}, env({}));
    REQUIRE(!o.ok());
    CHECK(o.error().message == std::string("invalid --port value: ") + bad);
  }
  auto o = parse_options({}, env({{"GPROXY_PORT", "x"}}));
  REQUIRE(!o.ok());
  CHECK(o.error().message == "invalid GPROXY_PORT value: x");
}

TEST_CASE("booleans take the reference's words in any case") {
  for (auto yes : {"1", "true", "YES", "On"}) {
    CHECK(parse_options({}, env({{"GPROXY_EVENT_REDACT_SENSITIVE", yes}}))
              ->event_redact_sensitive->value);
  }
  for (auto no : {"0", "False", "no", "OFF"}) {
    CHECK(!parse_options({}, env({{"GPROXY_EVENT_REDACT_SENSITIVE", no}}))
               ->event_redact_sensitive->value);
  }
  auto o = parse_options({}, env({{"GPROXY_EVENT_REDACT_SENSITIVE", "maybe"}}));
  REQUIRE(!o.ok());
  CHECK(o.error().message == "invalid GPROXY_EVENT_REDACT_SENSITIVE value: maybe");
}

TEST_CASE("--modules-dir may be repeated and hides its variable, which is separated by colons") {
  auto o = parse_options({"--modules-dir", "/a", "--modules-dir=/b"},
                         env({{"GPROXY_MODULES_DIR", "/c"}}));
  CHECK(o->modules_dirs == std::vector<std::string>{"/a", "/b"});
  o = parse_options({}, env({{"GPROXY_MODULES_DIR", "/c:/d"}}));
  CHECK(o->modules_dirs == std::vector<std::string>{"/c", "/d"});
}

TEST_CASE("unknown options and commands suggest the nearest") {
  auto o = parse_options({"--prot", "1"}, env({}));
  REQUIRE(!o.ok());
  CHECK(o.error().message == "unknown option --prot, did you mean --port?");
  o = parse_options({"chek"}, env({}));
  REQUIRE(!o.ok());
  CHECK(o.error().message == "unknown command 'chek', did you mean 'check'?");
}

TEST_CASE("an option without its value is an error") {
  CHECK(parse_options({"--dsn"}, env({})).error().message == "--dsn needs a value");
  CHECK(parse_options({"--prune=1"}, env({})).error().message == "--prune takes no value");
}

TEST_CASE("sub-commands keep their arguments, translate keeps its options too") {
  auto o = parse_options({"module", "inspect", "x.so", "--json"}, env({}));
  REQUIRE(o.ok());
  CHECK(o->command == Command::module_inspect);
  CHECK(o->arguments == std::vector<std::string>{"inspect", "x.so"});
  CHECK(o->json);
  o = parse_options({"translate", "--from", "claude", "--to", "gemini"}, env({}));
  REQUIRE(o.ok());
  CHECK(o->arguments.size() == 4);
}

TEST_CASE("a word that nobody reads is an error") {
  for (const auto* command : {"serve", "check", "health", "version"}) {
    auto o = parse_options({command, "stray", "--port", "0"}, env({}));
    REQUIRE(!o.ok());
    CHECK(o.error().message == std::string("unexpected 'stray' after ") + command);
  }
}

TEST_CASE("a variable may name a file; one that cannot be read whole is an error") {
  const std::string folder = std::filesystem::temp_directory_path();
  const auto file = folder + "/gproxy-options-" + std::to_string(::getpid());
  std::ofstream(file) << "  the key\n";
  auto o = parse_options({}, env({{"GPROXY_ADMIN_KEY_FILE", file}}));
  REQUIRE(o.ok());
  CHECK(o->admin_key->value == "the key");
  const auto refused = [&](const std::string& name) {
    auto wrong = parse_options({}, env({{"GPROXY_ADMIN_KEY_FILE", name}}));
    return wrong.ok() ? std::string() : wrong.error().message;
  };
  CHECK(refused(folder) == "GPROXY_ADMIN_KEY_FILE: cannot read the file it names");
  CHECK(refused(file + "-none") == "GPROXY_ADMIN_KEY_FILE: cannot read the file it names");
  std::ofstream(file) << std::string(64 * 1024 + 1, 'k');
  CHECK(refused(file) == "GPROXY_ADMIN_KEY_FILE: the file it names is longer than 64 KiB");
  std::filesystem::remove(file);
}

TEST_CASE("the data directory loses its trailing slashes") {
  CHECK(parse_options({}, env({{"GPROXY_DATA_DIR", "/var/lib/gproxy//"}}))->data_dir ==
        "/var/lib/gproxy");
}

TEST_CASE("help names every option and variable") {
  const std::string help = help_text();
  for (auto word :
       {"--dsn", "GPROXY_DSN", "--modules-dir", "--no-print-admin-key", "GPROXY_DATA_DIR"}) {
    CHECK(help.find(word) != std::string::npos);
  }
}
