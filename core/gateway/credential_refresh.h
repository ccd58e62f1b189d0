// New versions of secrets: refreshed by the module's step machine, once per process and credential,
// and stored before any request uses them. On a worker's loop.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "base/secret.h"
#include "config/publisher.h"
#include "gateway/worker_context.h"

namespace gproxy::gateway {

using RefreshDone = std::function<void(const Result<void>&)>;

// Joins the running refresh of this credential, or runs it. `done` is called on this loop, later.
// A refusal for good marks the credential dead, any other failure lets it rest for a while.
void refresh_credential(WorkerContext& context, const config::LoopSnapshotPtr& snapshot,
                        const config::ProviderEntry& provider,
                        const config::CredentialEntry& credential, modhost::CredentialHandle handle,
                        int32_t cause, RefreshDone done);

// Stores a new version and puts it in force. `done` on this loop, later.
void store_credential(WorkerContext& context, const config::ProviderEntry& provider,
                      const config::CredentialEntry& credential, Secret secret,
                      std::string settings_json, RefreshDone done);

}  // namespace gproxy::gateway
