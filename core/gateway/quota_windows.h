// A vendor's quota in one shape for all vendors. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "config/limit_windows.h"

namespace gproxy::gateway {

// From gproxy.quota/1's windows_json (an empty text is none) to an array of
//   {"name", "scope", "used_percent", "remaining", "reset_at", "unit"?, "used"?, "limit"?}
// used_percent is computed where only amounts are told, remaining where used and limit are; null =
// not known. reset_at is RFC 3339, UTC.
std::string normalized_windows(std::string_view windows_json);

// What answers' headers have told, in the same shape and with "seen_at": the time of the answer.
void write_seen_limits(json::Writer& w, std::span<const config::SeenLimit> limits);

}  // namespace gproxy::gateway
