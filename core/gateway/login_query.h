// What a person brings back from a vendor's consent page: as query parameters, or pasted as the
// whole address they landed on. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gproxy::gateway {

// A parameter of an encoded query: decoded and trimmed; empty is absent. The first of its name
// counts.
std::optional<std::string> query_parameter(std::string_view query, std::string_view name);

struct CallbackQuery {
  std::optional<std::string> state;
  // The vendor's refusal: error_description, or error.
  std::optional<std::string> error;
};
// From the query, and what is missing there from its `callback_url`: a whole URL or a bare query,
// its fragment cut off.
CallbackQuery read_callback(std::string_view query);

}  // namespace gproxy::gateway
