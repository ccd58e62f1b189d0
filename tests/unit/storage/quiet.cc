// These tests break things on purpose; what the storage logs about it would bury the report.
#include "base/log.h"

namespace {

const bool kQuiet = [] {
  gproxy::log::set_sink([](std::string_view, void*) {}, nullptr);
  return true;
}();

}  // namespace
