// What a failed attempt means for its credential and for the next attempt. Modules may judge with
// their classify hook; this is the host's own rule where they do not, and the bounds on what they
// say. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "http/headers.h"
#include "translate/protocol.h"

namespace gproxy::modhost {

class OpenCredential;

enum class FailureKind : uint8_t {
  status,   // the upstream answered with status >= 400
  connect,  // no connection: refused, unreachable
  dns,
  tls,
  connect_timeout,
  first_byte_timeout,
  idle_timeout,
  total_timeout,
  reset,     // connection lost
  protocol,  // not HTTP, or a broken answer
  too_large,
  proxy,
  other,
  stream_error,  // status 2xx, then an error event before any content; body = its data
};
std::string_view name(FailureKind kind);
int32_t abi_number(FailureKind kind);  // GP_FAILURE_*

struct Failure {
  FailureKind kind = FailureKind::status;
  int status = 0;                      // kind == status
  uint64_t bytes_sent_downstream = 0;  // content bytes the client has; > 0: no retry any more
  std::span<const http::HeaderView> headers;
  std::string_view body;  // up to the error body limit
  uint32_t attempt = 1;
  translate::Protocol protocol = translate::Protocol::none;  // of the attempt
  translate::Operation operation = translate::Operation::none;
  std::string_view model;
  const OpenCredential* credential = nullptr;
  // For the host's own rule:
  int consecutive = 0;  // failures of this credential in a row before this one
  int same_status = 0;  // of these, with this very status, counted back from the last
  int auth_rests = 0;   // of this credential after a 401, without a success between them
  bool can_refresh =
      false;  // the kind refreshes credentials, and this one was not refreshed for this request
  int64_t wall_ms = 0;  // now, UTC
};

enum class Action : uint8_t {
  deliver,        // give the client this answer
  retry_same,     // once more, same credential
  retry_patched,  // once more with credential_json as the credential's new version
  refresh,        // refresh the credential, then once more
  next,           // another credential; this one stays eligible
  cool_down,      // another credential; this one rests for cool_down_ms in `scope`
  dead,           // another credential; this one is out of use until it is changed
};
std::string_view name(Action action);

enum class Scope : uint8_t { credential, model, operation };

// The reference's words: rate_limit, timeout, upstream_5xx, auth_invalid, model_disallow, manual,
// unknown (runtime_status shows them).
struct Verdict {
  Action action = Action::deliver;
  Scope scope = Scope::credential;
  int64_t cool_down_ms = 0;
  std::string_view reason;  // static, or in the exchange's arena
  std::string_view
      credential_json;  // retry_patched only: the whole tagged JSON, in the exchange's arena
  int32_t cause = 0;    // refresh only: handed to the refresh machine
};

struct CoolDownLimits {
  int64_t min_ms = 1'000;
  int64_t max_ms = 30LL * 24 * 3600 * 1000;  // what a module may ask for
  int64_t default_max_ms = 3600 * 1000;      // what a Retry-After may cause
  int64_t rate_limit_ms = 30'000;            // after a 429 that says nothing
  int64_t server_error_ms = 10'000;          // after `server_errors` failures in a row
  int server_errors = 3;
  int64_t auth_ms = 30'000;  // after a 401, doubled by each further one in a row
  int auth_failures = 5;     // rests after a 401 in a row, then the credential is dead; 0 = never
  int64_t billing_ms = 600'000;  // after a 402
};

// A 401 that has come back after each of so many rests will not go away by itself: then the verdict
// is dead, whoever has judged. Any other verdict stays.
Verdict give_up_on(const Failure& failure, Verdict verdict, const CoolDownLimits& limits);

Verdict default_verdict(const Failure& failure, const CoolDownLimits& limits = {});

// retry-after-ms, then Retry-After as seconds or HTTP date; nothing when absent or unreadable.
// Never negative.
std::optional<int64_t> retry_after_ms(std::span<const http::HeaderView> headers, int64_t wall_ms);

}  // namespace gproxy::modhost
