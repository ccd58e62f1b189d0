// What comes after a failed attempt. Pure: a verdict and what is left of the budget in, a decision
// out.
#pragma once

#include <cstdint>

#include "config/schema.h"
#include "modhost/verdict.h"

namespace gproxy::gateway {

// Refusals of credentials and connections that never came to be, of one request.
inline constexpr size_t kMaxUnbilled = 32;

struct Budget {
  size_t attempts = 0;  // made so far
  size_t unbilled = 0;  // of these, ended before anything can have been billed: bound by kMaxUnbilled
  size_t max_attempts = 8;
  int64_t now_ms = 0;
  int64_t deadline_ms = 0;    // no attempt begins after it; 0 = none
  bool content_sent = false;  // the client has content: nothing is tried again
  bool same_tried = false;    // this credential was tried a second time already
  bool patched = false;       // and its secret was patched for this request
  bool refreshed = false;     // and refreshed
};

struct Decision {
  enum class Next : uint8_t {
    deliver,  // the client gets this failure
    same,     // once more with this credential
    patch,    // store the changed secret, then once more
    refresh,  // refresh the secret, then once more
    other,    // the next credential; if there is none, deliver
  };
  Next next = Next::deliver;
  int64_t delay_ms = 0;
};

// `jitter` is 0 .. 1.
Decision decide(const modhost::Verdict& verdict, const modhost::Failure& failure,
                const Budget& budget, const config::Retry& retry, double jitter);

bool is_timeout(modhost::FailureKind kind);

// min(base * 2^(attempt-1) + jitter * base, max); attempt from 1.
int64_t backoff_ms(size_t attempt, const config::Retry& retry, double jitter);

}  // namespace gproxy::gateway
