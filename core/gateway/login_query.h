// What a person brings back from a vendor's consent page: as query parameters, or pasted as the
// whole address they landed on. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "http/headers.h"

namespace gproxy::gateway {

// A parameter of an encoded query: decoded and trimmed; empty is absent. The first of its name
// counts.
std::optional<std::string> query_parameter(std::string_view query, std::string_view name);

struct CallbackQuery {
  std::optional<std::string> state;
  // The vendor's refusal: error_description, or error.
  std::optional<std::string> error;
};
// A state as gproxy makes them: what a person's browser, which has no key, must bring.
inline constexpr size_t kLoginStateBytes = 32;
bool brings_login_state(std::string_view query);

// Where the vendor is to send the person back to, if the caller asked for it with
// `callback=gateway`: gproxy's own callback of `provider`, under the address that the caller has
// used. Empty: the module's own way.
std::string own_callback(std::string_view query, std::string_view provider,
                         std::span<const http::HeaderView> headers);

// From the query, and what is missing there from its `callback_url`: a whole URL or a bare query,
// its fragment cut off.
CallbackQuery read_callback(std::string_view query);

}  // namespace gproxy::gateway
