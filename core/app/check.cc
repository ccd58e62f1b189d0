// gproxy check: everything that can be said about options, configuration file and modules without
// touching the database or a socket. Exit 0, or 78 with one line per fault.
#include <cstdio>
#include <string>
#include <vector>

#include "app/commands.h"
#include "app/parts.h"
#include "app/prices.h"
#include "base/json.h"
#include "base/strings.h"
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

// `file`: where it was declared, for the places of faults.
void check_declared_with_modules(const config::Declared& declared, const std::string& file,
                                 const modhost::ModuleRegistry& registry,
                                 std::vector<std::string>& faults) {
  for (size_t i = 0; i < declared.providers.size(); ++i) {
    const auto& provider = declared.providers[i];
    const std::string path = "providers[" + std::to_string(i) + "]";
    const std::string who = "provider " + provider.name + ": ";
    const auto where = [&](const std::string& member) {
      return config::place_in_config(file, path + member) + who;
    };
    auto module = registry.find_kind(provider.kind);
    if (module == nullptr) {
      const auto kinds = registry.kinds();
      const auto near = nearest(provider.kind, {kinds.begin(), kinds.end()});
      faults.push_back(where(".kind") + "no loaded module offers kind " + provider.kind +
                       (near.empty() ? "" : ", did you mean " + std::string(near) + "?"));
      continue;
    }
    auto made = modhost::Provider::create(std::move(module), {provider.name, provider.kind, provider.settings_json});
    if (!made.ok()) {
      faults.push_back(where(".channel_settings." + made.error().param) + text_of(made.error()));
      continue;
    }
    for (size_t c = 0; c < provider.credentials.size(); ++c) {
      const auto& credential = provider.credentials[c];
      auto opened = (*made)->open_credential(credential.secret_json.reveal());
      if (opened.ok()) continue;
      const auto member = ".credentials[" + std::to_string(c) + "].secret." + opened.error().param;
      faults.push_back(where(member) + "credential " + credential.name + ": " +
                       text_of(opened.error()));
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
      check_declared_with_modules(file->declared, options.config_file, registry, faults);
    }
  }
  for (const auto& o : overrides_of(options)) {
    if (auto r = config::apply_setting_text(settings, o.setting, o.text, o.origin); !r.ok()) faults.push_back(text_of(r.error()));
  }
  if (auto r = config::check_settings(settings); !r.ok()) {
    const auto place = options.config_file.empty()
                           ? std::string()
                           : config::place_in_config(options.config_file, "settings." + r.error().param);
    faults.push_back(place + text_of(r.error()));
  }
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
