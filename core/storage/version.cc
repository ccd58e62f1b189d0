#include "storage/version.h"

#include <sqlite3.h>

namespace gproxy::storage {

std::string library_version() {
  return std::string("sqlite ") + sqlite3_libversion();
}

}  // namespace gproxy::storage
