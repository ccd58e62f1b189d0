// A provider: one configured instance of a kind. Immutable after create and readable on any thread;
// created on the main thread; destroyed there too, by way of the Reaper, whoever lets go last.
// Owned by the snapshots (and opened credentials) that share it.
//
// Everything a module answers is checked here; a broken contract becomes an Error with code
// "module_error", status 502, that names the module, and counts against the provider's health.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "base/clock.h"
#include "base/result.h"
#include "http/headers.h"
#include "modhost/credential.h"
#include "modhost/module.h"
#include "modhost/prepared.h"
#include "modhost/routes.h"
#include "modhost/spans.h"
#include "modhost/verdict.h"

struct gp_provider;
struct gp_call;
struct gp_error;

namespace gproxy::modhost {

class Call;

// What the module is asked, in the protocol it is asked in (already translated). Views live as long
// as the arena.
struct CallRequest {
  translate::Protocol protocol = translate::Protocol::none;
  translate::Operation operation = translate::Operation::none;
  translate::Protocol client_protocol = translate::Protocol::none;
  bool translated = false;     // the client spoke another protocol
  bool needs_sse = false;      // the host reads the stream itself
  bool model_differs = false;  // the body's model is not `model`
  uint32_t attempt = 1;
  std::string_view method;
  std::string_view path;      // as the client sent it, without provider prefix and query
  std::string_view query;     // without any key
  std::string_view model;     // without provider prefix and without models/
  std::string_view resource;  // RESPONSE_* sub-resources: the decoded id
  std::string_view body;
  std::span<const http::HeaderView>
      headers;                       // the client's, without keys, cookies and hop-by-hop fields
  std::span<const FieldSpan> spans;  // ascending; the first is the root
  std::string_view request_id;
  const OpenCredential* credential = nullptr;  // null for LOCAL and for kinds that take none
  Arena* arena = nullptr;
};

struct ProviderSpec {
  std::string name;
  std::string kind;
  std::string settings_json = "{}";  // the kind's channel_settings
};

// Failures of the module itself, not of its upstream: three in a minute make the provider unhealthy
// for a minute after the last. Relaxed atomics: any thread.
class Health {
 public:
  void record(int64_t now_ms);
  bool healthy(int64_t now_ms) const;
  uint64_t breaches() const { return total_.load(std::memory_order_relaxed); }

  static constexpr int64_t kWindowMs = 60'000;
  static constexpr int kBreaches = 3;

 private:
  std::atomic<int64_t> times_[kBreaches] = {};  // ring, now_ms + 1 so that 0 is empty
  std::atomic<uint32_t> at_{0};
  std::atomic<uint64_t> total_{0};
};

class Provider : public std::enable_shared_from_this<Provider> {
 public:
  // Validates the settings against the kind's schema, creates the instance, copies and checks its
  // route table. Error: kind invalid, code "invalid_settings", param = JSON path; or
  // "module_error". [main]
  static Result<std::shared_ptr<const Provider>> create(std::shared_ptr<const Module> module,
                                                        ProviderSpec spec,
                                                        const Clock& clock = Clock::system());
  ~Provider();
  Provider(const Provider&) = delete;
  Provider& operator=(const Provider&) = delete;

  const std::string& name() const { return spec_.name; }
  const std::string& kind() const { return spec_.kind; }
  const std::string& settings_json() const { return spec_.settings_json; }
  const KindInfo& kind_info() const { return *kind_; }
  const Module& module() const { return *module_; }
  const std::shared_ptr<const Module>& module_ptr() const { return module_; }
  const RouteTable& routes() const { return routes_; }
  Resolved route(translate::Protocol protocol, translate::Operation operation) const {
    return routes_.resolve(protocol, operation);
  }
  bool healthy() const { return health_.healthy(clock_.now_ms()); }
  uint64_t breaches() const { return health_.breaches(); }
  // LOCAL count_tokens rows are counted by the host (CountPlan).
  bool can_count() const { return module_->extensions().count != nullptr; }
  bool can_refresh() const { return module_->extensions().credential != nullptr; }

  // The headers of its answers tell of the credential's limits (read_limits).
  bool reads_limits() const { return module_->extensions().limits != nullptr; }

  // Checks a stored secret, {"<tag>": {…}}, without opening it: tag and schema. Error: kind
  // invalid, code "invalid_credential_json" or "credential_kind_mismatch". [any]
  Result<void> check_credential(std::string_view secret_json) const;
  // Opens it. `version` is the slot's count. [any]
  Result<CredentialHandle> open_credential(std::string_view secret_json,
                                           uint64_t version = 0) const;

  // One attempt: what to send, and the Call whose hooks see the answer. Error codes:
  // invalid_request (400), model_not_found (404), request_too_large (413), unsupported_operation
  // (501) are the client's fault; "credential_expired": refresh with *refresh_cause and prepare
  // again, once; "credential_unusable": try another; "module_error" (502): the module's. [loop]
  Result<Call> prepare(const CallRequest& request, int32_t* refresh_cause = nullptr,
                       const PreparedLimits& limits = {}) const;

  // Counts a failure of the module and makes the Error; `what` names the broken rule.
  Error breach(std::string_view hook, std::string_view what) const;
  // What a hook's negative status means: the client's fault, the credential's, or a breach. [loop]
  Error refusal(std::string_view hook, int32_t status, const gp_error& error,
                const Arena& arena) const;
  // Logs a hook that took longer than 5 ms.
  void note_duration(std::string_view hook, int64_t started_us) const;
  const Clock& clock() const { return clock_; }
  gp_provider* handle() const { return handle_; }

 private:
  explicit Provider(const Clock& clock) : clock_(clock) {}
  Result<void> check_abilities() const;

  std::shared_ptr<const Module> module_;
  const KindInfo* kind_ = nullptr;
  ProviderSpec spec_;
  gp_provider* handle_ = nullptr;  // may be null: a stateless instance
  bool created_ = false;
  RouteTable routes_;
  mutable Health health_;
  const Clock& clock_;
};

}  // namespace gproxy::modhost
