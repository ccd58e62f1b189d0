// gproxy module inspect FILE [--json]
#include <cstdio>
#include <filesystem>

#include "app/commands.h"
#include "base/json.h"
#include "modhost/registry.h"

namespace gproxy::app {

int run_module(const Options& options) {
  if (options.arguments.size() != 2 || options.arguments[0] != "inspect") {
    std::fprintf(stderr, "usage: gproxy module inspect FILE [--json]\n");
    return kExitUsage;
  }
  std::error_code error;
  const auto path = std::filesystem::absolute(options.arguments[1], error);
  auto reaper = std::make_shared<modhost::Reaper>();
  {
    auto module = modhost::Module::load(error ? options.arguments[1] : path.string(), 1, reaper);
    if (!module.ok()) {
      if (options.json) {
        std::string out;
        json::Writer json(out);
        json.begin_object();
        json.field("error", module.error().message);
        json.end_object();
        std::printf("%s\n", out.c_str());
      } else {
        std::fprintf(stderr, "gproxy: %s\n", module.error().message.c_str());
      }
      return kExitConfig;
    }
    const auto inspection = modhost::inspect(*module);
    const std::string text = options.json ? modhost::inspection_json(inspection) + "\n" : modhost::inspection_text(inspection);
    std::fputs(text.c_str(), stdout);
  }
  reaper->drain();
  return kExitOk;
}

}  // namespace gproxy::app
