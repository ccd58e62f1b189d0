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

// Appends to what the log keeps of a body until that is as long as a row holds.
inline constexpr size_t kLoggedBody = size_t{64} * 1024;
void keep_beginning(std::string& kept, std::string_view bytes);

}  // namespace gproxy::gateway
