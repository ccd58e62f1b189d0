#include "app/parts.h"

#include <uv.h>

#include <climits>
#include <cstdlib>
#include <filesystem>

namespace gproxy::app {

std::string executable_folder() {
  char path[4096];
  size_t length = sizeof path;
  if (uv_exepath(path, &length) != 0) return ".";
  return std::filesystem::path(std::string(path, length)).parent_path().string();
}

std::vector<std::string> module_directories(const Options& options) {
  std::vector<std::string> out;
  std::error_code error;
  for (const auto& given : options.modules_dirs) {
    const auto absolute = std::filesystem::absolute(given, error);
    out.push_back(error ? given : absolute.lexically_normal().string());
  }
  if (!out.empty()) return out;
  const std::filesystem::path beside = std::filesystem::path(executable_folder()).parent_path();
#ifdef GPROXY_MODULES_DIR
  // The private library folder of the installation (packages set it when they configure the build).
  if (std::filesystem::is_directory(GPROXY_MODULES_DIR, error)) return {GPROXY_MODULES_DIR};
#endif
  return {(beside / "lib" / "gproxy" / "modules").string()};
}

namespace {
config::Origin origin_of(Source source) { return source == Source::cli ? config::Origin::cli : config::Origin::env; }
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
  const std::string text = options.dsn ? options.dsn->value : storage::default_dsn(options.data_dir);
  auto dsn = storage::parse_dsn(text);
  if (!dsn.ok()) return with_exit(std::move(dsn).error(), kExitConfig);
  return dsn;
}

storage::StoreOptions store_options_of(const Options& options, const storage::Dsn& dsn) {
  storage::StoreOptions out;
  out.dsn = dsn.text;
  out.master_key.key = Secret(options.master_key);
  out.master_key.key_file = options.master_key_file;
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
