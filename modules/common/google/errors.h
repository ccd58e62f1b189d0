// What Google's errors mean for a credential. A google.rpc.Status: error.status is the word,
// error.details hold the reason (ErrorInfo), the wait (RetryInfo, quotaResetDelay) and which quota
// (QuotaFailure). Pure; the loop's thread.
// https://cloud.google.com/apis/design/errors#error_details
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "gproxy/module.hpp"
#include "gproxy/verdicts.hpp"

namespace gproxy_google {

struct ErrorDetails {
  std::string_view status;         // "RESOURCE_EXHAUSTED"
  std::string_view reason;         // ErrorInfo.reason
  std::optional<int64_t> wait_ms;  // RetryInfo.retryDelay, or until the quota is full again
  bool per_day = false;            // QuotaFailure names a daily quota
};

// Reads the failure's body; empty where it is not such an error. `failure` outlives the views.
ErrorDetails read_error(const gp::Failure& failure);

// What to do about a credential that the vendor refuses as such (401).
enum class Rejected {
  dead,     // a key: nothing but another key helps
  refresh,  // a token: gproxy.credential/1 makes a new one
};

// The verdict that all Google kinds share; what the reason leaves open is the host's to judge. A
// 400 and a 404 without a known reason are the client's.
gp::Status judge(const gp::Failure& failure, gp::Verdict& verdict, Rejected rejected);

}  // namespace gproxy_google
