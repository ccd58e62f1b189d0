// A vendor's quota in one shape for all vendors. Pure.
#pragma once

#include <string>
#include <string_view>

namespace gproxy::gateway {

// From gproxy.quota/1's windows_json (an empty text is none) to an array of
//   {"name", "scope", "used_percent", "remaining", "reset_at", "unit"?, "used"?, "limit"?}
// used_percent is computed where only amounts are told, remaining where used and limit are; null =
// not known. reset_at is RFC 3339, UTC.
std::string normalized_windows(std::string_view windows_json);

}  // namespace gproxy::gateway
