// SPDX-License-Identifier: MIT
//
// Drives one module with recorded inputs and no network, and notes every breach of the ABI's
// contract it sees (FakeHost::breaches): sizes not stamped, routes that lead nowhere, headers that
// could smuggle a request, splices that overlap, calls not released, results of a sink ignored. A
// test of a module reads its answers and then expects breaches() to be empty. One thread; standard
// library only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gproxy/abi.h"
#include "gproxy/ext/count.h"
#include "gproxy/ext/limits.h"
#include "gproxy/ext/local.h"
#include "gproxy/ext/oauth.h"
#include "testing/fake_arena.h"

namespace gp::testing {

using Headers = std::vector<std::pair<std::string, std::string>>;
// The first value of that name (case ignored), or "".
std::string header(const Headers& headers, std::string_view name);
bool has_header(const Headers& headers, std::string_view name);

// The host's side of the ABI.
class FakeHost {
 public:
  FakeHost();
  FakeHost(const FakeHost&) = delete;
  FakeHost& operator=(const FakeHost&) = delete;
  ~FakeHost();

  const gp_host* table() const { return &table_.host; }
  // What gp_host.now_ms answers, for all fake hosts of the process.
  static void set_now_ms(int64_t now);
  // Takes an extension of the host away, for tests of modules without it.
  void withhold(std::string_view extension_id) { withheld_.emplace_back(extension_id); }

  const std::vector<std::string>& logs() const { return logs_; }
  const std::vector<std::string>& breaches() const { return breaches_; }
  void breach(std::string what) { breaches_.push_back(std::move(what)); }

 private:
  struct Table {
    gp_host host;
    FakeHost* self;
  };
  Table table_;
  std::vector<std::string> withheld_, logs_, breaches_;
};

// A request as the host would give it; member spans are found by the fake. Build with designated
// initialisers.
struct RequestSpec {
  int32_t protocol = GP_PROTOCOL_OPENAI_CHAT;
  int32_t operation = GP_OP_GENERATE;
  std::string model{};
  std::string body{};
  std::string resource{};
  std::string query{};
  std::string method{};  // empty: POST with a body, else GET
  std::string path = "/";
  Headers headers{};
  uint32_t flags = 0;
  int32_t client_protocol = 0;  // 0: as protocol
  uint32_t attempt = 1;
};

// What prepare asked for. `body` is what would be sent, splices applied.
struct Sent {
  gp_status status = GP_OK;
  std::string message, param;
  int32_t cause = 0;
  uint32_t flags = 0;
  std::string method, url, secret_query, body;
  bool has_body = false;
  size_t splices = 0;
  Headers headers;
};

struct Answer {
  gp_status status_code = GP_OK;
  std::string message;
  int status = 0;
  Headers headers;
  std::string body;                 // all pieces together
  std::vector<std::string> pieces;  // of a streamed answer
  std::vector<int64_t> delays_ms;   // before each of them
  bool streamed = false;
};

// With what a count is made.
struct CountPlanned {
  gp_status status = GP_OK;
  std::string message, param;
  int32_t source = 0;  // GP_COUNT_*
  std::string name, bearer;
};

struct Judged {
  gp_status status = GP_OK;
  int32_t action = 0, scope = 0, cause = 0;
  int64_t until_ms = 0;
  std::string reason, credential_json;
  // The hook leaves it to the host.
  bool as_usual() const { return status != GP_OK; }
};

struct FailureSpec {
  int32_t kind = GP_FAILURE_HTTP;
  int32_t status = 0;
  Headers headers{};
  std::string body{};
  std::string model = "m";
  int32_t protocol = GP_PROTOCOL_OPENAI_CHAT;
  int32_t operation = GP_OP_GENERATE;
  uint32_t attempt = 1;
};

// One window that an answer's headers told of.
struct LimitSeen {
  std::string name, subject, unit;
  int64_t used_ppm = -1, limit = -1, remaining = -1, resets_at_ms = 0;
  int32_t scope = 0;
  bool rest = false;
};

class Credential;
class Call;

// One instance of a kind.
class Instance {
 public:
  ~Instance();
  const std::vector<gp_route>& routes() const { return routes_; }
  const gp_provider* handle() const { return provider_; }
  // GP_ROUTE_* of a row, UNSUPPORTED if there is none; target gets a TRANSLATE row's protocol.
  int32_t mode(int32_t protocol, int32_t operation, int32_t* target = nullptr) const;

  // Null with `message` and `param` filled if the module refused it.
  std::unique_ptr<Credential> open(std::string_view credential_json, std::string* message = nullptr,
                                   std::string* param = nullptr);
  Sent prepare(const RequestSpec& spec, const Credential* credential = nullptr);
  // The same, and the call stays open for the answer's hooks.
  std::unique_ptr<Call> begin(const RequestSpec& spec, const Credential* credential = nullptr);
  // Asks gproxy.local/1; reads a stream to its end, or `most_pieces` of it (a client that leaves).
  Answer respond(const RequestSpec& spec, size_t most_pieces = SIZE_MAX);
  bool has_count() const { return count_ != nullptr; }
  // Asks gproxy.count/1; the operation is COUNT_TOKENS.
  CountPlanned count_plan(const RequestSpec& spec);
  Judged classify(const FailureSpec& spec, const Credential* credential = nullptr);
  bool has_limits() const { return limits_ != nullptr; }
  // Asks gproxy.limits/1 about an answer's headers.
  std::vector<LimitSeen> limits(const Headers& headers, const Credential& credential,
                                int32_t status = 200);

 private:
  friend class Module;
  friend class Credential;
  friend class Call;
  Instance() = default;
  FakeHost* host_ = nullptr;
  const gp_provider_vt* vt_ = nullptr;
  const gp_local_ext* local_ = nullptr;
  const gp_count_ext* count_ = nullptr;
  const gp_limits_ext* limits_ = nullptr;
  gp_provider* provider_ = nullptr;
  std::vector<gp_route> routes_;
};

class Credential {
 public:
  ~Credential();
  const gp_credential* handle() const { return handle_; }
  std::string identity, display_name;
  int64_t expires_at_ms = 0;
  uint32_t flags = 0;

 private:
  friend class Instance;
  Credential() = default;
  const gp_provider_vt* vt_ = nullptr;
  gp_credential* handle_ = nullptr;
};

// One attempt between prepare and release.
class Call {
 public:
  ~Call();
  const Sent& sent() const { return sent_; }
  // Runs a 2xx answer through head and data (or body, with BUFFER). `pieces` is how it arrived.
  Answer answer(int status, const Headers& headers, const std::vector<std::string>& pieces);
  // The same with a reader that leaves after so many writes: data must stop writing then.
  Answer answer_cancelled_after(size_t writes, const std::vector<std::string>& pieces);
  Judged classify(const FailureSpec& spec);

 private:
  friend class Instance;
  Call() = default;
  void run_data(const std::vector<std::string>& pieces, size_t most_writes, Answer& out);
  Instance* instance_ = nullptr;
  gp_call* call_ = nullptr;
  Sent sent_;
  const Credential* credential_ = nullptr;
  std::unique_ptr<FakeArena> arena_;
};

struct KindSeen {
  std::string name, title, credential_tag, gen_ai_name, settings_schema, credential_schema;
  uint32_t flags = 0;
};

// A module: its entry checked, init called; deinit on destruction.
class Module {
 public:
  // `entry` from gproxy_entry_1 or a static twin. Check ok() before use; `host` outlives the
  // Module.
  Module(FakeHost& host, const gp_entry* entry);
  ~Module();

  bool ok() const { return ok_; }
  const std::string& refusal() const { return refusal_; }
  const std::string& id() const { return id_; }
  const std::vector<KindSeen>& kinds() const { return kinds_; }
  const KindSeen* kind(std::string_view name) const;
  // Null with `message` and `param` filled if the module refused the settings.
  std::unique_ptr<Instance> create(std::string_view kind, std::string_view settings_json,
                                   std::string* message = nullptr, std::string* param = nullptr,
                                   std::string_view name = "p");
  // A table of the module by id; its step machines are driven by testing/fake_steps.h.
  const void* extension(std::string_view id) const;

 private:
  void read_info(const gp_info& info);
  FakeHost& host_;
  const gp_entry* entry_;
  bool ok_ = false;
  bool started_ = false;
  std::string refusal_, id_;
  std::vector<KindSeen> kinds_;
};

}  // namespace gp::testing
