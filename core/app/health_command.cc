// gproxy health: asks a running gproxy's /readyz, for containers and service managers.
#include <cstdio>
#include <string>

#include "app/commands.h"
#include "app/local_call.h"

namespace gproxy::app {

int run_health(const Options& options) {
  constexpr int kSeconds = 3;
  const auto answer = local_call(
      options, "GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", kSeconds);
  if (!answer) {
    std::fprintf(stderr, "gproxy: nothing answers on %s port %d\n",
                 options.host ? options.host->value.c_str() : "127.0.0.1",
                 options.port ? options.port->value : 8787);
    return kExitUnavailable;
  }
  const size_t body = answer->find("\r\n\r\n");
  if (body != std::string::npos) std::printf("%s\n", answer->c_str() + body + 4);
  return answer->starts_with("HTTP/1.1 200") ? kExitOk : kExitFailure;
}

}  // namespace gproxy::app
