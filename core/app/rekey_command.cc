// gproxy rekey [FILE]: seals the database with another master key, FILE's or a new one of its own.
// Where a gproxy has the database open, that one does it, asked over its admin API.
#include <cstdio>
#include <filesystem>
#include <string>

#include "app/commands.h"
#include "app/local_call.h"
#include "app/parts.h"
#include "base/json.h"
#include "storage/secrets.h"
#include "storage/store.h"

namespace gproxy::app {
namespace {

int fail(const std::string& message, int code) {
  std::fprintf(stderr, "gproxy: %s\n", message.c_str());
  return code;
}

int fail(const Error& error) {
  const int code = storage::exit_code(error);
  constexpr int kAnyOther = 74;
  return fail(error.message, code == kAnyOther ? exit_of(error) : code);
}

int told(const storage::RekeyReport& report) {
  std::printf("sealed with the master key %s: %lld records", report.fingerprint.c_str(),
              static_cast<long long>(report.records));
  if (report.unreadable > 0) {
    std::printf(", %lld that do not open stay as they are",
                static_cast<long long>(report.unreadable));
  }
  std::printf("\n%s%s\n",
              report.key_file.empty() ? "from now on every start must be given this key"
                                      : "the next start finds it in ",
              report.key_file.c_str());
  return kExitOk;
}

int rekey_here(storage::Store& store, const std::string& file) {
  std::optional<Secret> key;
  if (!file.empty()) {
    storage::MasterKeySource source;
    source.key_file = file;
    auto read = storage::read_master_key(source);
    if (!read.ok()) return fail(read.error());
    key = std::move(*read);
  }
  auto report = store.begin_rekey(key);
  while (report.ok() && !report->done) report = store.rekey_step();
  return report.ok() ? told(*report) : fail(report.error());
}

int rekey_there(const Options& options, const std::string& file) {
  if (!options.admin_key) {
    return fail("a gproxy has the database open: give its admin key, GPROXY_ADMIN_KEY", kExitUsage);
  }
  std::string body;
  json::Writer w(body);
  w.begin_object();
  if (!file.empty()) w.field("key_file", file);
  w.end_object();
  const std::string request =
      "POST /admin/system/rekey HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
      "content-type: application/json\r\nx-admin-key: " +
      options.admin_key->value + "\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" +
      body;
  constexpr int kSeconds = 600;
  const auto answer = local_call(options, request, kSeconds);
  if (!answer) {
    return fail("a gproxy has the database open and does not answer: give its --host and --port",
                kExitUnavailable);
  }
  const size_t end = answer->find("\r\n\r\n");
  const std::string text = end == std::string::npos ? std::string() : answer->substr(end + 4);
  Arena arena;
  const auto json = json::parse(text, arena);
  if (!answer->starts_with("HTTP/1.1 200") || !json.ok()) {
    return fail("the running gproxy refused: " + (text.empty() ? answer->substr(9, 3) : text),
                kExitFailure);
  }
  storage::RekeyReport report;
  report.fingerprint = (*json)["fingerprint"].str();
  report.records = (*json)["records"].int_or(0);
  report.unreadable = (*json)["unreadable"].int_or(0);
  report.key_file = (*json)["key_file"].str();
  return told(report);
}

}  // namespace

int run_rekey(const Options& options) {
  if (options.arguments.size() > 1) return fail("rekey takes one file at most", kExitUsage);
  // The running gproxy may have another working folder.
  const std::string file = options.arguments.empty()
                               ? std::string()
                               : std::filesystem::absolute(options.arguments.front()).string();
  auto dsn = dsn_of(options);
  if (!dsn.ok()) return fail(dsn.error().message, kExitConfig);
  auto store = storage::open_store(store_options_of(options, *dsn));
  if (store.ok()) return rekey_here(**store, file);
  return store.error().code == "database_in_use" ? rekey_there(options, file) : fail(store.error());
}

}  // namespace gproxy::app
