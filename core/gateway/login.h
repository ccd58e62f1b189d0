// GET /{provider}/oauth and /{provider}/oauth/callback: logging an account in, by the module's step
// machine. The flow waits in the store, sealed, bound to provider and opener. On the call's loop;
// what was begun goes on when the client leaves, so that a code that was spent is not lost.
#pragma once

#include <memory>

#include "gateway/http_handler.h"
#include "gateway/worker_context.h"

namespace gproxy::gateway {

void start_login(WorkerContext& context, std::shared_ptr<HttpCall> call);
void finish_login(WorkerContext& context, std::shared_ptr<HttpCall> call);

// The members of `reply_json` that may go out beside `credential_id`: all, unless one of the
// credential's tokens, keys or secrets stands in the text; then none. [pure]
bool holds_secret(std::string_view reply_json, std::string_view credential_json);

}  // namespace gproxy::gateway
