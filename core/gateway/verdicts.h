// What a verdict does to the credential that failed. On the loop of the request.
#pragma once

#include <string_view>

#include "config/schema.h"
#include "config/snapshot.h"
#include "gateway/worker_context.h"
#include "modhost/verdict.h"
#include "translate/protocol.h"
#include "upstream/client.h"

namespace gproxy::gateway {

// The operator's bounds on rests.
modhost::CoolDownLimits cool_down_limits(const config::Retry& retry);

struct Judged {
  const modhost::Verdict& verdict;
  int status;  // of the failure; 0 = no answer came
  std::string_view model;
  translate::Operation operation;
};
// Puts the credential to rest, or out of use, where the verdict says so.
void apply_verdict(WorkerContext& context, const config::ProviderEntry& provider,
                   const config::CredentialEntry& credential, const Judged& judged);

// A transport's failure as modules know it; none = an answer came.
modhost::FailureKind failure_kind(upstream::FailureKind kind);

// Such a failure cannot have been billed: nobody was reached, or the credential was turned away.
bool is_unbilled(const modhost::Failure& failure);

}  // namespace gproxy::gateway
