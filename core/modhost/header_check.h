// Header lists from modules: tokens, values, bounds, and what a module may not set because message
// framing is the host's. Internal to modhost; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/arena.h"
#include "base/result.h"
#include "http/headers.h"

struct gp_header;

namespace gproxy::modhost {

enum class Direction : uint8_t {
  up,    // towards the upstream: framing fields are refused, connection fields and host left out
  down,  // towards the client: framing and connection fields are left out
};

// The list as it may be used: the module's own array, or a shorter copy in the arena. Errors have
// code "module_error", status 502; values never stand in messages.
Result<std::span<const http::HeaderView>> check_headers(const gp_header* headers, size_t count,
                                                        Direction direction, Arena& arena);

}  // namespace gproxy::modhost
