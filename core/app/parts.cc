#include "app/parts.h"

#include <uv.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace gproxy::app {

std::string executable_folder() {
  char path[4096];
  size_t length = sizeof path;
  if (uv_exepath(path, &length) != 0) return ".";
  return std::filesystem::path(std::string(path, length)).parent_path().string();
}

size_t resident_bytes() {
  size_t bytes = 0;
  return uv_resident_set_memory(&bytes) == 0 ? bytes : 0;
}

namespace {

// The private library folder: found from the executable, which is where a build tree and a
// relocatable installation have it, else where the build was told that it will be installed.
std::string default_modules_directory() {
  std::error_code error;
  const auto beside =
      std::filesystem::path(executable_folder()).parent_path() / "lib" / "gproxy" / "modules";
  if (std::filesystem::is_directory(beside, error)) return beside.string();
  if (std::filesystem::is_directory(GPROXY_MODULES_DIR, error)) return GPROXY_MODULES_DIR;
  return {};
}

}  // namespace

std::vector<std::string> module_directories(const Options& options,
                                            const std::vector<std::string>& configured) {
  std::vector<std::string> out;
  std::error_code error;
  const auto add = [&](const std::string& folder) {
    auto absolute = std::filesystem::weakly_canonical(folder, error);
    const std::string text = error ? folder : absolute.string();
    if (std::find(out.begin(), out.end(), text) == out.end()) out.push_back(text);
  };
  for (const auto& given : options.modules_dirs) add(given);
  for (const auto& given : configured) add(given);
  if (const std::string standard = default_modules_directory(); !standard.empty()) add(standard);
  return out;
}

namespace {
config::Origin origin_of(Source source) {
  return source == Source::cli ? config::Origin::cli : config::Origin::env;
}
}  // namespace

std::vector<admin::Override> overrides_of(const Options& o) {
  std::vector<admin::Override> out;
  if (o.host) out.push_back({"host", o.host->value, origin_of(o.host->source)});
  if (o.port) out.push_back({"port", std::to_string(o.port->value), origin_of(o.port->source)});
  if (o.admin_key) out.push_back({"admin_key", o.admin_key->value, origin_of(o.admin_key->source)});
  if (o.proxy) out.push_back({"proxy", o.proxy->value, origin_of(o.proxy->source)});
  if (o.event_redact_sensitive) {
    out.push_back({"event_redact_sensitive", o.event_redact_sensitive->value ? "true" : "false",
                   origin_of(o.event_redact_sensitive->source)});
  }
  return out;
}

Result<storage::Dsn> dsn_of(const Options& options) {
  const std::string text =
      options.dsn ? options.dsn->value : storage::default_dsn(options.data_dir);
  auto dsn = storage::parse_dsn(text);
  if (!dsn.ok()) return with_exit(std::move(dsn).error(), kExitConfig);
  return dsn;
}

storage::StoreOptions store_options_of(const Options& options, const storage::Dsn& dsn) {
  storage::StoreOptions out;
  out.dsn = dsn.text;
  out.master_key.key = Secret(options.master_key);
  out.master_key.key_file = options.master_key_file;
  // systemd puts LoadCredential=gproxy-master-key:… there.
  if (const char* credentials = std::getenv("CREDENTIALS_DIRECTORY");
      credentials != nullptr && options.master_key.empty() && options.master_key_file.empty()) {
    const auto file = std::filesystem::path(credentials) / "gproxy-master-key";
    std::error_code error;
    if (std::filesystem::exists(file, error)) out.master_key.key_file = file.string();
  }
  out.master_key.data_dir = storage::data_directory(dsn, options.data_dir);
  return out;
}

std::vector<std::string> seed_kinds(const modhost::ModuleRegistry& registry) {
  std::vector<std::string> out;
  for (const auto& module : registry.modules()) {
    for (const auto& kind : module->info().kinds) {
      if (kind.seed) out.push_back(kind.name);
    }
  }
  return out;
}

// Exit codes travel in Error::status of start-up errors only: no HTTP status is below 100.
Error with_exit(Error error, int code) {
  error.status = code;
  return error;
}

int exit_of(const Error& error) {
  if (error.status > 0 && error.status < 100) return error.status;
  if (error.code == "config_invalid" || error.kind == ErrorKind::invalid) return kExitConfig;
  return kExitFailure;
}

}  // namespace gproxy::app
