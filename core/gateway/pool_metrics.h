// The credential pools as gauges, for one scrape. On the loop that serves it.
#pragma once

#include <cstdint>

#include "base/metrics.h"
#include "config/snapshot.h"

namespace gproxy::gateway {

void pool_gauges(Metrics& into, const config::Snapshot& snapshot, int64_t now_ms);

}  // namespace gproxy::gateway
