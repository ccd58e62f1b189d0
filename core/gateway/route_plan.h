// The targets of one of the operator's model names, in the order in which one request tries them.
// Part of its exchange.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/model_route.h"
#include "config/snapshot.h"
#include "gateway/body_buffer.h"

namespace gproxy::gateway {

struct RoutePlan {
  explicit RoutePlan(BlockPool& blocks) : client_body(blocks) {}

  const config::ModelRoute* route = nullptr;  // of the exchange's snapshot
  std::vector<const config::RouteTarget*> order;
  size_t next = 0;
  size_t failures = 0;     // of the present target that are not a credential's doing
  std::string_view asked;  // what the client wrote
  std::string_view taken;  // of it, by the pattern's '*'
  // Where a translated one has taken its place, for the next target; and what of the exchange's
  // charge is for it.
  BodyBuffer client_body;
  size_t charged = 0;
  bool stuck = false;  // there was no memory to keep it: no further target can be asked
};

// Why a target is passed over.
inline constexpr std::string_view kNotAllowed = "not_allowed";  // to this key
inline constexpr std::string_view kNotServed = "protocol_not_served";

// Tier after tier; inside a tier by weight, the same for the same seed.
std::vector<const config::RouteTarget*> order_targets(const config::ModelRoute& route,
                                                      uint64_t seed);
bool route_is_visible(const config::ModelRoute& route, const config::Snapshot& snapshot,
                      const config::KeyEntry* key);

}  // namespace gproxy::gateway
