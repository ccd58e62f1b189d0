#include "gateway/pool_metrics.h"

namespace gproxy::gateway {

void pool_gauges(Metrics& into, const config::Snapshot& snapshot, int64_t now_ms) {
  for (const auto& provider : snapshot.providers()) {
    const auto& pool = *provider.pool;
    if (pool.size() == 0) continue;
    size_t ready = 0, resting = 0, dead = 0, scopes = 0;
    for (const auto& member : pool.members()) {
      const auto until = member.slot->until_ms();
      ++(until <= now_ms ? ready : until == INT64_MAX ? dead : resting);
      for (const auto& rest : member.slot->cool_downs(now_ms)) scopes += !rest.scope.empty();
    }
    const auto count = [&](std::string_view state, size_t n) {
      into.gauge("gproxy_pool_credentials", "enabled credentials by what the pool may do with them",
                 {{"provider", provider.name}, {"state", state}})
          .set(static_cast<double>(n));
    };
    count("ready", ready);
    count("resting", resting);
    count("dead", dead);
    into.gauge("gproxy_pool_scope_rests", "rests of a credential for one model or operation",
               {{"provider", provider.name}})
        .set(static_cast<double>(scopes));
    into.gauge("gproxy_pool_in_flight", "requests that hold a credential",
               {{"provider", provider.name}})
        .set(static_cast<double>(pool.in_flight()));
    into.gauge("gproxy_pool_waiting", "requests that wait for a credential",
               {{"provider", provider.name}})
        .set(static_cast<double>(pool.waiting()));
  }
}

}  // namespace gproxy::gateway
