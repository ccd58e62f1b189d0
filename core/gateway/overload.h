// Whether a request may begin: before its body is read. Pure but for the counters it looks at.
#pragma once

#include "base/result.h"
#include "config/schema.h"
#include "gateway/worker_context.h"

namespace gproxy::gateway {

// Error: kind overloaded with a retry hint.
Result<void> admit(const WorkerContext& context, const config::Settings& settings);

}  // namespace gproxy::gateway
