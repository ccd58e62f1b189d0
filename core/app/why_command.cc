// gproxy why TRACE_ID [--json]: why a request went the way it went. The gproxy that runs here is
// asked; where none does, or without its admin key, the database is read.
#include <cstdio>
#include <optional>

#include "app/commands.h"
#include "app/local_call.h"
#include "app/parts.h"
#include "app/why_text.h"
#include "base/json.h"
#include "base/strings.h"
#include "storage/look.h"

namespace gproxy::app {
namespace {

constexpr int kSeconds = 10;

// What may stand in a path as it is; ids of clients' own are rarely more.
bool is_plain(std::string_view id) {
  if (id.empty() || id.size() > 128) return false;
  for (const char c : id) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '-' || c == '_' || c == '.' || c == '~' || c == ':' || c == '@';
    if (!plain) return false;
  }
  return true;
}

int fail(int code, const std::string& what) {
  std::fprintf(stderr, "gproxy: %s\n", what.c_str());
  return code;
}

int tell(const Options& options, const std::string& decision) {
  Arena arena;
  const auto parsed = json::parse(decision, arena);
  if (!parsed.ok() || !parsed->is_object())
    return fail(kExitUnavailable, "the answer cannot be read");
  const auto text = options.json ? decision + "\n" : why_text(*parsed);
  std::fputs(text.c_str(), stdout);
  return kExitOk;
}

int nothing_kept() {
  return fail(kExitFailure, "no decision is kept for this request (see decision_log)");
}

// Nothing when nobody answers.
std::optional<int> ask_running(const Options& options) {
  const auto& key = options.admin_key->value;
  if (key.find_first_of("\r\n") != std::string::npos)
    return fail(kExitUsage, "--admin-key holds a line break");
  const auto answer = local_call(options,
                                 "GET /admin/requests/" + options.arguments[0] +
                                     "/why HTTP/1.1\r\nhost: localhost\r\nx-admin-key: " + key +
                                     "\r\nconnection: close\r\n\r\n",
                                 kSeconds);
  if (!answer) return std::nullopt;
  const auto end = answer->find("\r\n\r\n");
  const auto status =
      answer->size() > 12 ? parse_int(std::string_view(*answer).substr(9, 3)).value_or(0) : 0;
  if (status == 401) return fail(kExitPermission, "the admin key is not the one in force");
  if (status == 404) return nothing_kept();
  if (status != 200 || end == std::string::npos)
    return fail(kExitUnavailable, "the answer cannot be read");
  return tell(options, answer->substr(end + 4));
}

int read_database(const Options& options) {
  const auto dsn = dsn_of(options);
  if (!dsn.ok()) return fail(kExitConfig, dsn.error().message);
  const std::string nobody = options.admin_key ? "no gproxy answers there (--host, --port), and "
                                               : "without --admin-key no gproxy is asked "
                                                 "(GPROXY_ADMIN_KEY, GPROXY_ADMIN_KEY_FILE), and ";
  auto reader = storage::open_reader_alone(dsn->text, kSeconds * 1000);
  if (!reader.ok()) {
    const auto& error = reader.error();
    return fail(error.code == "bad_dsn" ? kExitUsage : kExitUnavailable, nobody + error.message);
  }
  auto found = (*reader)->decision_of(options.arguments[0]);
  if (!found.ok()) return fail(kExitUnavailable, nobody + found.error().message);
  return *found ? tell(options, **found) : nothing_kept();
}

}  // namespace

int run_why(const Options& options) {
  if (options.arguments.size() != 1 || !is_plain(options.arguments[0]))
    return fail(kExitUsage,
                "usage: gproxy why TRACE_ID [--json] [--host H] [--port P] [--dsn DSN]");
  if (options.admin_key) {
    if (const auto done = ask_running(options)) return *done;
  }
  return read_database(options);
}

}  // namespace gproxy::app
