// What the operator has done with one credential, outside any request: renew it, or try it. On a
// worker's loop; each ends by calling `done`, once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "gateway/gateway.h"
#include "gateway/worker_context.h"

namespace gproxy::gateway {

// Renews the tokens as an expired one's would be. Answer: {"ok":true}. Errors: not_found
// "credential_not_found", conflict "not_refreshable", or what the refresh failed with.
void refresh_now(WorkerContext& context, int64_t credential_id, CredentialActionDone done);

// Asks the upstream for its models with this credential, whatever it rests for. Changes nothing.
// Answer: {"ok", "status", "duration_ms", "error"}: that the upstream refuses is an answer.
// Errors: "credential_not_found", unsupported "unsupported_operation" where no list can be asked
// for, or the module's.
void test_now(const std::shared_ptr<WorkerContext>& context, int64_t credential_id,
              CredentialActionDone done);

}  // namespace gproxy::gateway
