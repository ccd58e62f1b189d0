// Reads a module's entry table with suspicion: sizes and the major version before anything else,
// then everything the host will rely on, copied. A refusal names the module's path and both
// versions. Main thread.
#pragma once

#include <string>

#include "base/result.h"
#include "modhost/info.h"

struct gp_entry;

namespace gproxy::modhost {

// Error code "module_refused", kind server. `path` goes into messages and into the info.
Result<ModuleInfo> check_entry(const gp_entry* entry, const std::string& path);

// The versions this host speaks, for messages and --version: "0.3".
std::string host_abi_version();

}  // namespace gproxy::modhost
