#include "gateway/overload.h"

#include "gateway/local_reply.h"

namespace gproxy::gateway {

Result<void> admit(const WorkerContext& context, const config::Settings& settings) {
  if (context.draining) return shutting_down();
  // A row of an answered request is never dropped: while the store is behind, nothing new begins.
  if (context.recorder != nullptr && !context.recorder->admits(context.exchanges)) {
    return overloaded_error("the usage journal is full", 2000);
  }
  if (context.shared.memory.used() >= settings.limits.memory_budget_bytes) {
    return overloaded_error("memory for requests is used up", 1000);
  }
  return ok();
}

}  // namespace gproxy::gateway
