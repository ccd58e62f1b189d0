// Turning our request and its body index into the ABI's. Internal to modhost, but for spans_of.
#pragma once

#include <span>

#include "base/arena.h"
#include "modhost/provider.h"

struct gp_request;

namespace gproxy::modhost {

// REQUIRES: `out` zeroed. Views of `request` are handed over as they are.
void fill_request(const CallRequest& request, gp_request& out);

}  // namespace gproxy::modhost
