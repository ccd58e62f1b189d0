// gproxy: command line and exit codes; everything else is in the floors below.
#include <cstdio>
#include <cstdlib>

#include "app/commands.h"
#include "app/options.h"
#include "app/parts.h"
#include "app/server.h"

using namespace gproxy;
using namespace gproxy::app;

namespace {

int fail(const Error& error) {
  std::fprintf(stderr, "gproxy: %s%s%s\n", error.param.empty() ? "" : (error.param + ": ").c_str(), error.message.c_str(),
               error.code == "usage" ? " (see gproxy --help)" : "");
  return exit_of(error);
}

int serve(const Options& options) {
  auto server = Server::start(options);
  if (!server.ok()) return fail(server.error());
  return (*server)->run();
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  auto options = parse_options(arguments, [](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string(name).c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  });
  if (!options.ok()) {
    fail(options.error());
    return kExitUsage;
  }
  // check prints faults, not what went well.
  const auto level = options->command == Command::check ? log::Level::warn : log::Level::info;
  log::configure(options->log_level.value_or(level), options->log_format.value_or(log::Format::text));
  switch (options->command) {
    case Command::help:
      std::fputs(help_text().c_str(), stdout);
      return kExitOk;
    case Command::version:
      std::fputs(version_text(options->json).c_str(), stdout);
      return kExitOk;
    case Command::check:
      return run_check(*options);
    case Command::module_inspect:
      return run_module(*options);
    case Command::health:
      return run_health(*options);
    case Command::rekey:
      return run_rekey(*options);
    case Command::translate:
      return run_translate(*options);
    case Command::why:
      return run_why(*options);
    case Command::serve:
      break;
  }
  return serve(*options);
}
