#include <doctest/doctest.h>

#include "modhost/step_machine.h"
#include "stub_module.h"

using namespace gproxy;
using namespace gproxy::modhost;
using test::str;
using test::Stub;

namespace {

bool has(const std::string& text, std::string_view word) {
  return text.find(word) != std::string::npos;
}
constexpr const char* kSecret = R"({"Stub":{"api_key":"old"}})";

struct AMachine : Stub {
  Arena arena;
  std::shared_ptr<const Provider> p;
  AMachine() {
    extensions = {GP_EXT_CREDENTIAL, GP_EXT_OAUTH, GP_EXT_QUOTA};
    routes.push_back({GP_PROTOCOL_NONE, GP_OP_OAUTH_START, GP_ROUTE_NATIVE, 0});
    routes.push_back({GP_PROTOCOL_NONE, GP_OP_OAUTH_CALLBACK, GP_ROUTE_NATIVE, 0});
    routes.push_back({GP_PROTOCOL_NONE, GP_OP_USAGE, GP_ROUTE_NATIVE, 0});
  }
  StepMachine refresh(int32_t cause = 0) {
    p = good_provider();
    auto credential = p->open_credential(kSecret);
    auto machine = StepMachine::refresh(p, *credential, Secret(kSecret), cause);
    REQUIRE(machine.ok());
    return std::move(*machine);
  }
};

void fetch(gp_step_in const* in, gp_step* out) {
  auto* up =
      static_cast<gp_upstream*>(reinterpret_cast<Arena*>(in->arena)->alloc(sizeof(gp_upstream)));
  *up = {};
  up->size = sizeof *up;
  up->method = str("POST");
  up->url = str("https://auth.example.com/token");
  up->body = str("grant_type=refresh_token");
  out->kind = GP_STEP_FETCH;
  out->fetch = up;
}

}  // namespace

TEST_CASE("a refresh fetches, keeps its flow and ends with a new credential") {
  AMachine stub;
  stub.step = [](const gp_step_in* in, gp_step* out) {
    if (in->step == 0) {
      CHECK(in->cause == 1);
      CHECK(std::string_view(in->credential_json.ptr, in->credential_json.len) == kSecret);
      fetch(in, out);
      out->flow = str("pkce");
      return GP_OK;
    }
    CHECK(std::string_view(in->flow.ptr, in->flow.len) == "pkce");
    CHECK(in->reply->status == 200);
    CHECK(std::string_view(in->reply->body.ptr, in->reply->body.len) == "{\"token\":1}");
    out->kind = GP_STEP_DONE;
    out->credential_json = str(R"({"Stub":{"api_key":"new"}})");
    out->identity = str("acct");
    return GP_OK;
  };
  auto machine = stub.refresh(1);
  auto first = machine.next(stub.arena, nullptr);
  REQUIRE_MESSAGE(first.ok(), first.error().message);
  CHECK(first->kind == StepKind::fetch);
  CHECK(first->fetch.method == "POST");
  CHECK(first->fetch.url == "https://auth.example.com/token");
  CHECK_FALSE(machine.finished());
  StepReply reply{FailureKind::status, 200, {}, "{\"token\":1}"};
  auto last = machine.next(stub.arena, &reply);
  REQUIRE_MESSAGE(last.ok(), last.error().message);
  CHECK(last->kind == StepKind::done);
  CHECK(last->credential_json.reveal() == R"({"Stub":{"api_key":"new"}})");
  CHECK(last->identity == "acct");
  CHECK(machine.finished());
  CHECK_FALSE(machine.next(stub.arena, nullptr).ok());
}

TEST_CASE("a fetch that brought no answer is told by its kind") {
  AMachine stub;
  stub.step = [](const gp_step_in* in, gp_step* out) {
    if (in->step == 0) {
      fetch(in, out);
      return GP_OK;
    }
    CHECK(in->reply == nullptr);
    CHECK(in->failure == GP_FAILURE_CONNECT_TIMEOUT);
    out->kind = GP_STEP_FAIL;
    out->code = str("unreachable");
    out->message = str("the issuer does not answer");
    return GP_OK;
  };
  auto machine = stub.refresh();
  (void)machine.next(stub.arena, nullptr);
  StepReply reply{FailureKind::connect_timeout, 0, {}, {}};
  auto last = machine.next(stub.arena, &reply);
  REQUIRE(last.ok());
  CHECK(last->kind == StepKind::fail);
  CHECK_FALSE(last->definitive);
  CHECK(last->status == 502);
  CHECK(last->code == "unreachable");
}

TEST_CASE("endless steps end after 32") {
  AMachine stub;
  int calls = 0;
  stub.step = [&](const gp_step_in*, gp_step* out) {
    ++calls;
    out->kind = GP_STEP_WAIT;
    out->wait_ms = 1;
    return GP_OK;
  };
  auto machine = stub.refresh();
  Result<Step> step = machine.next(stub.arena, nullptr);
  while (step.ok()) step = machine.next(stub.arena, nullptr);
  CHECK(calls == 32);
  CHECK(has(step.error().message, "more than 32 steps"));
  CHECK(stub.p->breaches() == 1);
}

TEST_CASE("a flow ends after 120 s") {
  AMachine stub;
  stub.step = [](const gp_step_in*, gp_step* out) {
    out->kind = GP_STEP_COMPUTE;
    return GP_OK;
  };
  auto machine = stub.refresh();
  CHECK(machine.next(stub.arena, nullptr)->kind == StepKind::compute);
  stub.clock.advance_ms(120'001);
  auto late = machine.next(stub.arena, nullptr);
  REQUIRE_FALSE(late.ok());
  CHECK(late.error().kind == ErrorKind::timeout);
  CHECK(machine.finished());
}

TEST_CASE("steps that break the contract are refused and named") {
  auto refusal = [](auto step) {
    AMachine stub;
    stub.step = step;
    auto machine = stub.refresh();
    auto result = machine.next(stub.arena, nullptr);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code == "module_error");
    CHECK(machine.finished());
    return result.error().message;
  };
  CHECK(has(refusal([](auto, gp_step*) { return GP_ERR_INTERNAL; }), "failed (-1)"));
  CHECK(has(refusal([](auto, gp_step* out) {
              out->kind = GP_STEP_FETCH;
              return GP_OK;
            }),
            "without a request"));
  CHECK(has(refusal([](auto, gp_step* out) {
              out->kind = GP_STEP_WAIT;
              return GP_OK;
            }),
            "wait_ms is 0"));
  CHECK(has(refusal([](auto, gp_step* out) {
              out->kind = GP_STEP_WAIT;
              out->wait_ms = 60'001;
              return GP_OK;
            }),
            "wait_ms is 60001"));
  static const std::string kLong(9000, 'f');
  CHECK(has(refusal([](auto, gp_step* out) {
              out->kind = GP_STEP_COMPUTE;
              out->flow = str(kLong);
              return GP_OK;
            }),
            "flow is longer"));
  CHECK(has(refusal([](auto, gp_step* out) {
              out->kind = GP_STEP_DONE;
              out->credential_json = str("{}");
              return GP_OK;
            }),
            "credential_json"));
  CHECK(has(refusal([](auto, gp_step* out) {
              out->kind = GP_STEP_REPLY;
              out->reply_json = str("{");
              return GP_OK;
            }),
            "not valid JSON"));
}

TEST_CASE("a login replies with its flow kept and goes on when the person is back") {
  AMachine stub;
  stub.step = [](const gp_step_in* in, gp_step* out) {
    if (in->flow.len == 0) {
      CHECK(std::string_view(in->state.ptr, in->state.len) == "st");
      out->kind = GP_STEP_REPLY;
      out->flags = GP_STEP_KEEP_FLOW;
      out->flow = str("verifier");
      out->reply_json = str(R"({"auth_url":"https://a"})");
      return GP_OK;
    }
    CHECK(std::string_view(in->query.ptr, in->query.len) == "code=1");
    out->kind = GP_STEP_DONE;
    out->name = str("me@example.com");
    return GP_OK;
  };
  auto p = stub.good_provider();
  auto start = *StepMachine::oauth_start(p, {"mode=browser", "st", "https://gw/cb", {}});
  auto reply = start.next(stub.arena, nullptr);
  REQUIRE(reply.ok());
  CHECK(reply->keep_flow);
  CHECK(reply->status == 200);
  CHECK(start.finished());
  CHECK(start.flow() == "verifier");
  auto callback = *StepMachine::oauth_callback(p, {"code=1", "st", "", {}}, start.flow());
  CHECK(callback.next(stub.arena, nullptr)->name == "me@example.com");
}

TEST_CASE("what the module does not offer is unsupported") {
  Stub stub;
  auto p = stub.good_provider();
  CHECK(StepMachine::refresh(p, nullptr, Secret(), 0).error().http() == 501);
  CHECK(StepMachine::quota(p, nullptr, Secret()).error().code == "provider_unsupported");
  CHECK_FALSE(StepMachine::oauth_start(p, {}).ok());
  CHECK_FALSE(StepMachine::oauth_callback(p, {}, "f").ok());
}
