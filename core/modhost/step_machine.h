// What needs I/O outside the proxied request (token refresh, login, quota) is a step machine: the
// module gets the flow bytes and the last reply and returns one step; somebody else performs it.
// This class keeps the bounds (32 steps, 120 s, 8 KiB of flow) and checks every step; it does no
// I/O itself. One thread at a time: the loop's, or the thread pool's after a COMPUTE step. Owned by
// the step runner.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/arena.h"
#include "base/result.h"
#include "base/secret.h"
#include "modhost/credential.h"
#include "modhost/prepared.h"
#include "modhost/provider.h"
#include "modhost/verdict.h"

struct gp_step;
struct gp_step_in;

namespace gproxy::modhost {

// Why a refresh: GP_CAUSE_* (asserted in step_machine.cc). From 1000 on: the module's own.
inline constexpr int32_t kRefreshExpiring = 0;
inline constexpr int32_t kRefreshRejected = 1;
inline constexpr int32_t kRefreshIncomplete = 2;

enum class StepKind : uint8_t {
  fetch,    // send `fetch`, come back with the reply
  wait,     // come back after wait_ms
  compute,  // come back on the thread pool
  reply,    // answer the person (login flows); the flow goes on if keep_flow
  done,
  fail,
};

// Strings are owned: a step outlives the arena it was made in, except `fetch`, whose views live in
// the arena given to next().
struct Step {
  StepKind kind = StepKind::fail;
  Prepared fetch;
  int64_t wait_ms = 0;
  int status = 0;             // reply, fail: HTTP status
  bool keep_flow = false;     // reply
  bool definitive = false;    // fail: trying again will not help
  std::string reply_json;     // reply, done
  Secret credential_json;     // done: the credential's new version, tagged; empty = unchanged
  std::string identity;       // done: account id
  std::string name;           // done: a proposed name for the credential's row
  std::string settings_json;  // done: the credential row's settings; empty = unchanged
  std::string windows_json;   // done of a quota machine
  std::string code;           // fail
  std::string message;        // fail
};

// What the last step brought: a fetched answer, or nothing after wait and compute.
struct StepReply {
  FailureKind failure = FailureKind::status;  // other than `status`: no answer came
  int status = 0;
  std::span<const http::HeaderView> headers;
  std::string_view body;
};

// What a person's request brings into a login flow; stands beside every step of it.
struct FlowRequest {
  std::string query;         // encoded
  std::string state;         // made by the host; goes into the authorisation URL
  std::string redirect_uri;  // gproxy's own callback address, may be empty
  std::span<const http::HeaderView> headers;
};

class StepMachine {
 public:
  static constexpr int kMaxSteps = 32;
  static constexpr int64_t kMaxDurationMs = 120'000;
  static constexpr int64_t kMaxWaitMs = 60'000;
  static constexpr size_t kMaxFlowBytes = 8 * 1024;
  static constexpr size_t kMaxJsonBytes = 256 * 1024;

  // Error: kind unsupported, code "provider_unsupported", status 501, when the module lacks the
  // extension. `cause` is a number of the ABI (GP_CAUSE_*, or the module's own from 1000 on).
  static Result<StepMachine> refresh(std::shared_ptr<const Provider> provider,
                                     CredentialHandle credential, Secret credential_json,
                                     int32_t cause);
  static Result<StepMachine> quota(std::shared_ptr<const Provider> provider,
                                   CredentialHandle credential, Secret credential_json);
  static Result<StepMachine> oauth_start(std::shared_ptr<const Provider> provider,
                                         FlowRequest person);
  // `flow` is what oauth_start's machine left in flow() when it replied.
  static Result<StepMachine> oauth_callback(std::shared_ptr<const Provider> provider,
                                            FlowRequest person, std::string flow);

  // The first call starts the machine, each further one hands over what the last step brought.
  // Errors: the module's breach, its refusal, or a bound. After done, fail, a reply without
  // keep_flow, or an error it may not be called again.
  Result<Step> next(Arena& arena, const StepReply* last);

  const std::string& flow() const { return flow_; }
  int steps() const { return steps_; }
  bool finished() const { return finished_; }

 private:
  enum class What : uint8_t { refresh, quota, oauth_start, oauth_callback };
  using StepFunction = int32_t (*)(const gp_step_in*, gp_step*);
  StepMachine() = default;
  StepFunction function() const;

  What what_ = What::refresh;
  std::shared_ptr<const Provider> provider_;
  CredentialHandle credential_;
  Secret credential_json_;
  FlowRequest person_;
  int32_t cause_ = 0;
  std::string flow_;
  int steps_ = 0;
  int64_t started_ms_ = -1;
  bool computing_ = false;  // the last step was COMPUTE
  bool finished_ = false;
};

}  // namespace gproxy::modhost
