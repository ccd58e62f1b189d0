// What the command line and the environment say: pure parsing, no effect. Main thread, at start.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/result.h"

namespace gproxy::app {

// Exit codes, after sysexits.h; docs/operations.md lists them.
enum Exit : int {
  kExitOk = 0,
  kExitFailure = 1,
  kExitUsage = 64,
  kExitUnavailable = 69,
  kExitCannotCreate = 73,
  kExitIo = 74,
  kExitPermission = 77,
  kExitConfig = 78,
};

enum class Command : uint8_t {
  serve,
  check,
  module_inspect,
  translate,
  health,
  why,
  rekey,
  help,
  version
};

// Where a value came from.
enum class Source : uint8_t { cli, env };
template <class T>
struct Given {
  T value{};
  Source source = Source::cli;
};

struct Options {
  Command command = Command::serve;
  std::vector<std::string> arguments;  // of the sub-command: everything after its name

  std::optional<Given<std::string>> dsn;
  std::optional<Given<std::string>> host;
  std::optional<Given<uint16_t>> port;
  std::optional<Given<std::string>> admin_key;
  std::optional<Given<std::string>> proxy;
  std::optional<Given<bool>> event_redact_sensitive;

  std::string data_dir;                   // GPROXY_DATA_DIR, without trailing slashes
  std::vector<std::string> modules_dirs;  // empty = the default folder
  std::string config_file;
  std::string master_key;                 // GPROXY_MASTER_KEY
  std::string master_key_file;
  std::optional<unsigned> workers;
  std::optional<log::Level> log_level;    // absent: the setting decides
  std::optional<log::Format> log_format;
  bool print_admin_key = true;
  bool prune = false;                     // delete rows whose declaration left the file
  bool json = false;                      // sub-commands: machine-readable output
};

using GetEnv = std::function<std::optional<std::string>(std::string_view name)>;

// `arguments` without the program's name. A command-line value hides the variable even when it is
// empty; an empty value, and an unexpanded placeholder `${…}`, counts as not given (reference 1.2).
// Errors: kind invalid, with the option's or variable's name.
Result<Options> parse_options(const std::vector<std::string>& arguments, const GetEnv& env);

std::string help_text();

}  // namespace gproxy::app
