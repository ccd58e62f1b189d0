// The SQLite that is loaded, for --version. Any thread.
#pragma once

#include <string>

namespace gproxy::storage {
std::string library_version();  // "sqlite 3.40.1"
}
