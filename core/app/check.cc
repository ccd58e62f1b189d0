// gproxy check: everything that can be said about options, configuration file and modules without
// touching the database or a socket. Exit 0, or 78 with one line per fault.
#include <cstdio>
#include <string>
#include <vector>

#include "app/commands.h"
#include "app/parts.h"
#include "app/prices.h"
#include "base/json.h"
#include "config/parse.h"
#include "config/settings_table.h"
#include "config/validate.h"
#include "modhost/provider.h"

namespace gproxy::app {
namespace {

std::string text_of(const Error& error) {
  return error.param.empty() || error.message.find(error.param) != std::string::npos ? error.message
                                                                                      : error.param + ": " + error.message;
}

void check_declared_with_modules(const config::Declared& declared, const modhost::ModuleRegistry& registry,
                                 std::vector<std::string>& faults) {
  for (const auto& provider : declared.providers) {
    const std::string where = "provider " + provider.name + ": ";
    auto module = registry.find_kind(provider.kind);
    if (module == nullptr) {
      faults.push_back(where + "no loaded module offers kind " + provider.kind);
      continue;
    }
    auto made = modhost::Provider::create(std::move(module), {provider.name, provider.kind, provider.settings_json});
    if (!made.ok()) {
      faults.push_back(where + text_of(made.error()));
      continue;
    }
    for (const auto& credential : provider.credentials) {
      auto opened = (*made)->open_credential(credential.secret_json.reveal());
      if (!opened.ok()) faults.push_back(where + "credential " + credential.name + ": " + text_of(opened.error()));
    }
  }
}

}  // namespace

int run_check(const Options& options) {
  std::vector<std::string> faults;
  if (auto dsn = dsn_of(options); !dsn.ok()) faults.push_back(text_of(dsn.error()));

  modhost::ModuleRegistry registry;
  registry.set_directories(module_directories(options));
  registry.load_all();
  for (const auto& fault : registry.faults()) faults.push_back(fault.path + ": " + fault.message);

  config::Settings settings;
  if (!options.config_file.empty()) {
    auto file = config::load_config(options.config_file, settings);
    if (!file.ok()) {
      faults.push_back(file.error().message);
    } else {
      settings = file->settings;
      if (auto r = config::check_declared(file->declared); !r.ok()) faults.push_back(text_of(r.error()));
      check_declared_with_modules(file->declared, registry, faults);
    }
  }
  for (const auto& o : overrides_of(options)) {
    if (auto r = config::apply_setting_text(settings, o.setting, o.text, o.origin); !r.ok()) faults.push_back(text_of(r.error()));
  }
  if (auto r = config::check_settings(settings); !r.ok()) faults.push_back(text_of(r.error()));
  if (auto r = check_prices(settings); !r.ok()) faults.push_back(text_of(r.error()));

  if (options.json) {
    std::string out;
    json::Writer w(out);
    w.begin_object();
    w.field("ok", faults.empty());
    w.key("modules");
    w.integer(static_cast<int64_t>(registry.modules().size()));
    w.key("faults");
    w.begin_array();
    for (const auto& fault : faults) w.string(fault);
    w.end_array();
    w.end_object();
    std::printf("%s\n", out.c_str());
  } else {
    for (const auto& fault : faults) std::fprintf(stderr, "%s\n", fault.c_str());
    if (faults.empty()) std::printf("ok: %zu modules, configuration valid\n", registry.modules().size());
  }
  return faults.empty() ? kExitOk : kExitConfig;
}

}  // namespace gproxy::app
