// GET /{provider}/usage: what an account has left, asked of the vendor now, by the module's step
// machine; raw, or with ?normalized=1 in one shape for all. On the call's loop.
#pragma once

#include <memory>

#include "gateway/http_handler.h"
#include "gateway/worker_context.h"

namespace gproxy::gateway {

void serve_live_usage(WorkerContext& context, std::shared_ptr<HttpCall> call);

}  // namespace gproxy::gateway
