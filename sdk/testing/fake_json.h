// SPDX-License-Identifier: MIT
//
// gproxy.json/1 for tests, in plain C++: small rather than fast. Stateless, any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "gproxy/ext/json.h"

namespace gp::testing {

// The table, to be offered as gproxy.json/1. Texts that it makes are in the arena (fake_arena.h).
const gp_json_ext* fake_json();

// For tests themselves. All of them take any text and answer false, npos or "" for invalid JSON.
bool json_valid(std::string_view text);
// The decoded string or raw value at a JSON Pointer; empty if there is none (found = false).
std::string json_at(std::string_view text, std::string_view pointer, bool* found = nullptr);
gp_json_node json_node(std::string_view text, std::string_view pointer);

}  // namespace gp::testing
