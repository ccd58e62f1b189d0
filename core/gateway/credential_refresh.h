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

struct RefreshWanted {
  const config::ProviderEntry& provider;      // of the snapshot
  const config::CredentialEntry& credential;  // the provider's
  modhost::CredentialHandle handle;           // the version that will not do; never null
  int32_t cause = 0;                          // GP_CAUSE_*, or the module's own
  // Before it is needed: a failure then takes nothing out of use, the old version still serves.
  enum class Need : uint8_t { now, ahead } need = Need::now;
  std::string trace_id = {};  // of the request that needs it, for the log; empty: none does
};

// Must this version be refreshed before anything is sent with it? `cause` is set if so. Cheap.
bool needs_refresh(const modhost::OpenCredential& credential, const Clock& clock, int32_t& cause);

// Joins the running refresh of this credential, or runs it; when a newer version than the handle's
// is in force already, that is the answer. `done` is called on this loop, later. A refusal for good
// marks the credential dead, any other failure lets it rest for a while.
void refresh_credential(WorkerContext& context, const config::LoopSnapshotPtr& snapshot,
                        RefreshWanted wanted, RefreshDone done);

// Stores a version that the module has made of `wanted.handle`'s and puts it in force; the same
// exclusion holds, so that it cannot overwrite what a refresh has brought. `done` on this loop,
// later.
void patch_credential(WorkerContext& context, const config::LoopSnapshotPtr& snapshot,
                      RefreshWanted wanted, Secret secret, RefreshDone done);

}  // namespace gproxy::gateway
