// gproxy why TRACE_ID [--json]: asks the gproxy that runs here why a request went the way it went.
#include <cstdio>

#include "app/commands.h"
#include "app/local_call.h"
#include "app/why_text.h"
#include "base/json.h"
#include "base/strings.h"

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

int fail(int code, const char* what) {
  std::fprintf(stderr, "gproxy: %s\n", what);
  return code;
}

}  // namespace

int run_why(const Options& options) {
  if (options.arguments.size() != 1 || !is_plain(options.arguments[0]))
    return fail(kExitUsage, "usage: gproxy why TRACE_ID [--json] [--host H] [--port P]");
  if (!options.admin_key)
    return fail(kExitUsage, "--admin-key, GPROXY_ADMIN_KEY or GPROXY_ADMIN_KEY_FILE is needed");
  const auto& key = options.admin_key->value;
  if (key.find_first_of("\r\n") != std::string::npos)
    return fail(kExitUsage, "--admin-key holds a line break");
  const auto answer = local_call(options,
                                 "GET /admin/requests/" + options.arguments[0] +
                                     "/why HTTP/1.1\r\nhost: localhost\r\nx-admin-key: " + key +
                                     "\r\nconnection: close\r\n\r\n",
                                 kSeconds);
  if (!answer) return fail(kExitUnavailable, "no gproxy answers there (--host, --port)");
  const auto end = answer->find("\r\n\r\n");
  const std::string_view body =
      end == std::string::npos ? std::string_view() : std::string_view(*answer).substr(end + 4);
  const auto status = answer->size() > 12 ? parse_int(answer->substr(9, 3)).value_or(0) : 0;
  Arena arena;
  const auto parsed = json::parse(body, arena);
  if (status == 401) return fail(kExitPermission, "the admin key is not the one in force");
  if (status == 404)
    return fail(kExitFailure, "no decision is kept for this request (see decision_log)");
  if (status != 200 || !parsed.ok() || !parsed->is_object())
    return fail(kExitUnavailable, "the answer cannot be read");
  const auto text = options.json ? std::string(body) + "\n" : why_text(*parsed);
  std::fputs(text.c_str(), stdout);
  return kExitOk;
}

}  // namespace gproxy::app
