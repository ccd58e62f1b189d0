// gproxy --version [--json]
#include <uv.h>

#include <fmt/core.h>

#include "app/commands.h"
#include "base/digest.h"
#include "base/json.h"
#include "base_version.h"
#include "http/parser.h"
#include "modhost/abi_check.h"
#include "storage/version.h"
#include "upstream/version.h"

namespace gproxy::app {

std::string version_text(bool json) {
  const std::string abi = modhost::host_abi_version();
  const std::vector<std::string> libraries = {
      std::string("libuv ") + uv_version_string(),
      upstream::library_version(),
      http::library_version(),
      storage::library_version(),
      crypto_library_version(),
      fmt::format("fmt {}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100),
      json::library_version(),
  };
  std::string out;
  if (json) {
    json::Writer w(out);
    w.begin_object();
    w.field("gproxy", GPROXY_VERSION);
    w.field("abi", abi);
    w.key("libraries");
    w.begin_array();
    for (const auto& l : libraries) w.string(l);
    w.end_array();
    w.end_object();
    return out + "\n";
  }
  out = std::string("gproxy ") + GPROXY_VERSION + "\nmodule abi " + abi + "\n";
  for (const auto& l : libraries) out += l + "\n";
  return out;
}

}  // namespace gproxy::app
