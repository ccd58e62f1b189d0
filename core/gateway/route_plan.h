// The targets of one of the operator's model names, in the order in which one request tries them.
// Part of its exchange.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/model_route.h"
#include "config/snapshot.h"

namespace gproxy::gateway {

struct RoutePlan {
  const config::ModelRoute* route = nullptr;  // of the exchange's snapshot
  std::vector<const config::RouteTarget*> order;
  size_t next = 0;
  size_t failures = 0;      // of the present target that are not a credential's doing
  std::string_view asked;   // what the client wrote
  std::string_view taken;   // of it, by the pattern's '*'
  std::string client_body;  // where a translated one has taken its place
};

// Tier after tier; inside a tier by weight, the same for the same seed.
std::vector<const config::RouteTarget*> order_targets(const config::ModelRoute& route,
                                                      uint64_t seed);
bool route_is_visible(const config::ModelRoute& route, const config::Snapshot& snapshot,
                      const config::KeyEntry* key);

}  // namespace gproxy::gateway
