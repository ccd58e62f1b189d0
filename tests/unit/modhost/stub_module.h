// A module made of lambdas, linked into the test: each test sets the hooks it needs. Its tables are
// rebuilt by entry(), so a test may also break them.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "gproxy/abi.h"
#include "gproxy/ext/credential.h"
#include "gproxy/ext/limits.h"
#include "gproxy/ext/local.h"
#include "gproxy/ext/oauth.h"
#include "gproxy/ext/quota.h"
#include "gproxy/ext/usage.h"
#include "modhost/call.h"
#include "modhost/module.h"
#include "modhost/provider.h"

namespace gproxy::modhost::test {

inline gp_str str(std::string_view text) {
  return {text.data(), text.size()};
}

// What the stub answers. Plain C functions read the one instance of the running test.
struct Stub {
  Stub();
  ~Stub();

  std::vector<gp_route> routes = {
      {GP_PROTOCOL_OPENAI_CHAT, GP_OP_GENERATE, GP_ROUTE_NATIVE, 0},
      {GP_PROTOCOL_OPENAI_CHAT, GP_OP_STREAM_GENERATE, GP_ROUTE_NATIVE, 0}};
  std::string settings_schema = R"({"type":"object","properties":{"base_url":{"type":"string"}}})";
  std::string credential_schema =
      R"({"type":"object","required":["api_key"],"properties":{"api_key":{"type":"string","minLength":1}}})";
  std::string seen_settings;  // by create

  std::function<gp_status(gp_instance*, gp_error*)> create;
  std::function<gp_status(gp_str json, gp_credential_info*, gp_error*)> open;
  std::function<gp_status(const gp_request*, gp_upstream*, gp_call**, gp_error*)> prepare;
  std::function<gp_status(gp_call*, const gp_head*, gp_head*)> head;
  std::function<gp_status(gp_call*, gp_str, uint32_t, const gp_sink*)> data;
  std::function<gp_status(gp_call*, const gp_reply*, gp_reply*, gp_error*)> body;
  std::function<gp_status(const gp_failure*, gp_verdict*)> classify;
  std::function<gp_status(const gp_request*, gp_local*, gp_call**, gp_error*)> respond;
  std::function<gp_status(gp_call*, gp_piece*)> next;
  std::function<gp_status(const gp_step_in*, gp_step*)>
      step;  // every function of oauth, credential, quota

  std::function<gp_status(gp_str, gp_usage*)> usage;
  std::function<gp_status(const gp_limits_in*, gp_limit*, size_t room, size_t*)> limits;

  std::atomic<int> created = 0, destroyed = 0, opened = 0, closed = 0, released = 0, inits = 0,
                   deinits = 0;
  const gp_host* host = nullptr;

  // The tables; change them to break them. `extensions` are the ids that are answered.
  gp_entry table{};
  gp_info info{};
  gp_kind kind{};
  gp_provider_vt vt{};
  std::vector<std::string> extensions;

  std::shared_ptr<Reaper> reaper = std::make_shared<Reaper>();
  Result<std::shared_ptr<const Module>> module();
  Result<std::shared_ptr<const Provider>> provider(std::string settings = "{}");
  // REQUIRES: they succeed.
  std::shared_ptr<const Provider> good_provider(std::string settings = "{}");

  FakeClock clock;
  Stub* outer = nullptr;  // of an enclosing scope; the innermost answers
};

// A request that has everything prepare needs, with the good defaults of a chat completion.
struct ARequest {
  Arena arena;
  std::string body = R"({"model":"m","messages":[]})";
  CallRequest request();
};

// An upstream that passes every check.
gp_status good_upstream(gp_upstream* out);

}  // namespace gproxy::modhost::test
