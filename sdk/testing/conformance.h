// SPDX-License-Identifier: MIT
//
// What a module's answers must fulfil, as functions that name each breach. Used by fake_host;
// stateless.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gproxy/abi.h"

namespace gp::testing {

using Breach = std::function<void(std::string)>;

void check_entry(const gp_entry* entry, const Breach& breach);
void check_info(const gp_info* info, const Breach& breach);
// `has_local`, `has_count`: the module has gproxy.local/1, gproxy.count/1.
struct RouteAbilities {
  bool has_local = false;
  bool has_count = false;
};
void check_routes(std::span<const gp_route> routes, RouteAbilities can, const Breach& breach);
void check_headers(std::span<const gp_header> headers, std::string_view where,
                   const Breach& breach);
// Sorted, inside the body, not overlapping; not beside a replaced body.
void check_upstream(const gp_upstream& upstream, std::string_view request_body,
                    const Breach& breach);
std::string apply_splices(std::string_view body, std::span<const gp_splice> splices);

// The spans that the host would have found in a request body; empty if it is not a JSON object.
std::vector<gp_span> index_body(std::string_view body);

}  // namespace gp::testing
