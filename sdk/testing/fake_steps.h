// SPDX-License-Identifier: MIT
//
// Drives a module's step machines (ext/oauth.h, ext/credential.h, ext/quota.h) as the host does,
// with replies written by the test: each step of the module is handed out as StepSeen, what follows
// is told by reply(), broken() or go_on(). Everything given to a step dies after it, so a module
// that keeps a view is caught by the sanitizers. Breaches of the contract are noted in the
// FakeHost. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "testing/fake_host.h"

namespace gp::testing {

// One step, as the module filled it.
struct StepSeen {
  gp_status status = GP_OK;  // the hook's result; the rest counts only with GP_OK
  int32_t kind = GP_STEP_FAIL;
  Sent fetch;  // FETCH
  int64_t wait_ms = 0;
  int32_t http_status = 0;  // REPLY, FAIL
  uint32_t flags = 0;
  std::string flow, reply_json, credential_json, identity, name, settings_json, windows_json;
  std::string code, message;  // FAIL

  bool definitive() const { return (flags & GP_STEP_DEFINITIVE) != 0; }
  bool keeps_flow() const { return (flags & GP_STEP_KEEP_FLOW) != 0; }
};

// What a person's request brings into a login.
struct PersonSpec {
  std::string query{};  // encoded
  std::string state = "state-1";
  std::string redirect_uri{};
  Headers headers{};
};

class StepMachine {
 public:
  // Each begins with the machine's first step. The credential's text is handed to every step.
  static StepMachine oauth_start(FakeHost& host, const Module& module, const Instance& provider,
                                 PersonSpec person);
  static StepMachine oauth_callback(FakeHost& host, const Module& module, const Instance& provider,
                                    PersonSpec person, std::string flow);
  static StepMachine refresh(FakeHost& host, const Module& module, const Instance& provider,
                             const Credential* credential, std::string credential_json,
                             int32_t cause);
  static StepMachine quota(FakeHost& host, const Module& module, const Instance& provider,
                           const Credential* credential, std::string credential_json);

  const StepSeen& step() const { return seen_; }
  // The answer to a FETCH.
  const StepSeen& reply(int status, std::string body, const Headers& headers = {});
  // A FETCH that failed without an answer (GP_FAILURE_*).
  const StepSeen& broken(int32_t failure);
  // After WAIT and COMPUTE.
  const StepSeen& go_on();

 private:
  using Hook = gp_status (*)(const gp_step_in*, gp_step*);
  StepMachine(FakeHost& host, const Instance& provider) : host_(&host), provider_(&provider) {}
  void run(Hook hook, const gp_reply* reply, int32_t failure);
  void check() const;

  FakeHost* host_;
  const Instance* provider_;
  const Credential* credential_ = nullptr;
  Hook resume_ = nullptr;
  std::string credential_json_, flow_;
  PersonSpec person_;
  int32_t cause_ = 0;
  uint32_t steps_ = 0;
  StepSeen seen_;
};

}  // namespace gp::testing
