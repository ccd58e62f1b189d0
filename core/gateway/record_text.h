// What of a request may stand in a stored row: header lists and queries with their secrets taken
// out. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "http/headers.h"

namespace gproxy::gateway {

// A JSON array of [name, value]; values that may be secret are "***". At most 16 KiB.
std::string redacted_headers_json(std::span<const http::HeaderView> headers);

// The query with the values of key, token and code parameters as ***.
std::string_view redacted_query(std::string_view query, Arena& arena);

}  // namespace gproxy::gateway
