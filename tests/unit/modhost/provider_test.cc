#include <doctest/doctest.h>

#include "modhost/usage_hook.h"
#include "stub_module.h"

using namespace gproxy;
using namespace gproxy::modhost;
using test::ARequest;
using test::str;
using test::Stub;

namespace {

bool has(const std::string& text, std::string_view word) {
  return text.find(word) != std::string::npos;
}

constexpr const char* kSecret = R"({"Stub":{"api_key":"sk-secret","note":"kept"}})";

gp_call* const kCall = reinterpret_cast<gp_call*>(0x1000);

}  // namespace

TEST_CASE("a provider is created with its settings, absent ones left out") {
  Stub stub;
  auto p = stub.good_provider(R"({"base_url":""})");
  CHECK(stub.seen_settings == "{}");
  CHECK(p->name() == "p");
  CHECK(p->route(translate::Protocol::openai_chat, translate::Operation::generate).supported());
}

TEST_CASE("settings that the schema refuses never reach the module") {
  Stub stub;
  auto p = stub.provider(R"({"base_ulr":"x"})");
  REQUIRE_FALSE(p.ok());
  CHECK(p.error().kind == ErrorKind::invalid);
  CHECK(p.error().code == "invalid_settings");
  CHECK(p.error().param == "base_ulr");
  CHECK(has(p.error().message, "did you mean `base_url`?"));
  CHECK(stub.seen_settings.empty());
  CHECK_FALSE(stub.provider("[]").ok());
  CHECK_FALSE(stub.provider("{").ok());
}

TEST_CASE("settings that create refuses are the operator's fault, with the module's words") {
  Stub stub;
  stub.create = [](gp_instance*, gp_error* error) {
    error->message = str("no such region");
    error->param = str("base_url");
    return GP_ERR_INVALID;
  };
  auto p = stub.provider();
  REQUIRE_FALSE(p.ok());
  CHECK(p.error().message == "no such region");
  CHECK(p.error().param == "base_url");
  CHECK(p.error().code == "invalid_settings");
  stub.reaper->drain();
  CHECK(stub.destroyed == 0);
}

TEST_CASE("a route table with a mistake refuses the instance and destroys it") {
  auto refusal = [](std::vector<gp_route> routes) {
    Stub stub;
    stub.routes = std::move(routes);
    auto p = stub.provider();
    REQUIRE_FALSE(p.ok());
    CHECK(p.error().code == "module_error");
    CHECK(has(p.error().message, "dev.gproxy.test.stub"));
    stub.reaper->drain();
    CHECK(stub.destroyed == 1);
    return p.error().message;
  };
  CHECK(has(refusal({}), "0 rows"));
  CHECK(has(refusal({{99, GP_OP_GENERATE, GP_ROUTE_NATIVE, 0}}), "unknown number"));
  CHECK(has(refusal({{GP_PROTOCOL_CLAUDE, 99, GP_ROUTE_NATIVE, 0}}), "unknown number"));
  CHECK(has(refusal({{GP_PROTOCOL_CLAUDE, GP_OP_GENERATE, GP_ROUTE_TRANSLATE, 42}}),
            "unknown number"));
  CHECK(has(refusal({{GP_PROTOCOL_CLAUDE, GP_OP_GENERATE, GP_ROUTE_TRANSLATE, GP_PROTOCOL_GEMINI}}),
            "neither native nor local"));
  CHECK(
      has(refusal({{GP_PROTOCOL_OPENAI, GP_OP_MODEL_LIST, GP_ROUTE_LOCAL, 0}}), "gproxy.local/1"));
  CHECK(has(refusal({{GP_PROTOCOL_NONE, GP_OP_USAGE, GP_ROUTE_NATIVE, 0}}), "gproxy.quota/1"));
  CHECK(has(
      refusal(std::vector<gp_route>(200, {GP_PROTOCOL_CLAUDE, GP_OP_GENERATE, GP_ROUTE_NATIVE, 0})),
      "200 rows"));
}

TEST_CASE("an unknown mode means unsupported, and a newer module's unknown rows are skipped") {
  Stub stub;
  stub.routes.push_back({GP_PROTOCOL_CLAUDE, GP_OP_GENERATE, 77, 0});
  CHECK_FALSE(stub.good_provider()
                  ->route(translate::Protocol::claude, translate::Operation::generate)
                  .supported());
  Stub newer;
  newer.table.abi_minor = GP_ABI_MINOR + 1;
  newer.routes.push_back({99, GP_OP_GENERATE, GP_ROUTE_NATIVE, 0});
  CHECK(newer.good_provider()->routes().rows().size() == 2);
}

TEST_CASE("the instance is destroyed on the main thread, whoever lets go last") {
  Stub stub;
  auto p = stub.good_provider();
  p.reset();
  CHECK(stub.destroyed == 0);
  CHECK(stub.reaper->drain() >= 1);
  CHECK(stub.destroyed == 1);
  CHECK(stub.deinits == stub.inits);
}

TEST_CASE("a credential is checked for its tag and schema before the module sees it") {
  Stub stub;
  auto p = stub.good_provider();
  auto code = [&](const char* secret) {
    auto result = p->check_credential(secret);
    return result.ok() ? std::string("ok") : std::string(result.error().code);
  };
  CHECK(code(kSecret) == "ok");
  CHECK(code(R"({"Other":{"api_key":"x"}})") == "credential_kind_mismatch");
  CHECK(code(R"({"Stub":{}})") == "invalid_credential_json");
  CHECK(code(R"({"Stub":{"api_key":""}})") == "invalid_credential_json");
  CHECK(code(R"({"Stub":{"api_key":"x"},"Other":{}})") == "invalid_credential_json");
  CHECK(code("nonsense") == "invalid_credential_json");
  CHECK(p->check_credential(R"({"Stub":{"api_key":1}})").error().param == "Stub.api_key");
}

TEST_CASE("an opened credential carries what the module says about it and closes once") {
  Stub stub;
  stub.open = [&](gp_str json, gp_credential_info* out, gp_error*) {
    CHECK(std::string_view(json.ptr, json.len) == kSecret);
    ++stub.opened;
    out->expires_at_ms = 42;
    out->identity = str("acct");
    out->display_name = str("sk-…");
    out->flags = GP_CREDENTIAL_REFRESHABLE | GP_CREDENTIAL_INCOMPLETE;
    return GP_OK;
  };
  auto p = stub.good_provider();
  auto c = p->open_credential(kSecret, 7);
  REQUIRE(c.ok());
  CHECK((*c)->expires_at_ms() == 42);
  CHECK((*c)->identity() == "acct");
  CHECK((*c)->version() == 7);
  CHECK_FALSE((*c)->refreshable());  // no gproxy.credential/1 here
  CHECK((*c)->incomplete());
  p.reset();
  stub.reaper->drain();
  CHECK(stub.destroyed == 0);  // the credential keeps its instance
  *c = nullptr;
  stub.reaper->drain();
  CHECK(stub.closed == 1);
  CHECK(stub.destroyed == 1);
}

TEST_CASE("a credential that the module refuses never shows the secret in the error") {
  Stub stub;
  stub.open = [](gp_str, gp_credential_info*, gp_error* error) {
    error->message = str("not a key");
    error->param = str("api_key");
    return GP_ERR_INVALID;
  };
  auto p = stub.good_provider();
  auto c = p->open_credential(kSecret);
  REQUIRE_FALSE(c.ok());
  CHECK(c.error().message == "not a key");
  CHECK_FALSE(has(c.error().message, "sk-secret"));
}

TEST_CASE("prepare gets the request as views and its answer becomes what to send") {
  Stub stub;
  ARequest a;
  stub.prepare = [&](const gp_request* r, gp_upstream* out, gp_call** call, gp_error*) {
    CHECK(r->body.ptr == a.body.data());
    CHECK(r->protocol == GP_PROTOCOL_OPENAI_CHAT);
    CHECK(std::string_view(r->model.ptr, r->model.len) == "m");
    *call = kCall;
    return test::good_upstream(out);
  };
  auto p = stub.good_provider();
  {
    auto call = p->prepare(a.request());
    REQUIRE(call.ok());
    CHECK(call->upstream().url == "https://api.example.com/v1/chat/completions");
    auto moved = std::move(*call);
    CHECK(stub.released == 0);
    moved.release();
    CHECK(stub.released == 1);
  }
  CHECK(stub.released == 1);
}

TEST_CASE("what prepare refuses is the client's fault where it says so") {
  Stub stub;
  ARequest a;
  gp_status status = GP_OK;
  stub.prepare = [&](const gp_request*, gp_upstream*, gp_call** call, gp_error* error) {
    *call = kCall;
    error->message = str("no\nsuch model");
    error->param = str("model");
    error->code = 1000;
    return status;
  };
  auto p = stub.good_provider();
  auto refused = [&](gp_status s) {
    status = s;
    int32_t cause = -1;
    auto call = p->prepare(a.request(), &cause);
    REQUIRE_FALSE(call.ok());
    CHECK(cause == (s == GP_ERR_CREDENTIAL_EXPIRED ? 1000 : 0));
    return call.error();
  };
  CHECK(refused(GP_ERR_INVALID).http() == 400);
  CHECK(refused(GP_ERR_INVALID).message == "no such model");
  CHECK(refused(GP_ERR_INVALID).param == "model");
  CHECK(refused(GP_ERR_NOT_FOUND).http() == 404);
  CHECK(refused(GP_ERR_TOO_LARGE).http() == 413);
  CHECK(refused(GP_ERR_UNSUPPORTED).http() == 501);
  CHECK(refused(GP_ERR_CREDENTIAL_EXPIRED).code == "credential_expired");
  CHECK(refused(GP_ERR_CREDENTIAL).code == "credential_unusable");
  CHECK(p->breaches() == 0);
  CHECK(p->healthy());
  CHECK(stub.released == 8);  // also after a failure
}

TEST_CASE("three failures of the module in a minute make the provider unhealthy for a minute") {
  Stub stub;
  ARequest a;
  stub.prepare = [](const gp_request*, gp_upstream*, gp_call**, gp_error*) {
    return GP_ERR_INTERNAL;
  };
  auto p = stub.good_provider();
  auto fail = [&] {
    auto call = p->prepare(a.request());
    CHECK(call.error().code == "module_error");
    CHECK(call.error().http() == 502);
    CHECK(has(call.error().message, "dev.gproxy.test.stub"));
  };
  fail();
  stub.clock.advance_ms(40'000);
  fail();
  stub.clock.advance_ms(40'000);
  fail();
  CHECK(p->healthy());  // spread over more than a minute
  fail();
  CHECK_FALSE(p->healthy());
  stub.clock.advance_ms(61'000);
  CHECK(p->healthy());
  CHECK(p->breaches() == 4);
}

TEST_CASE("a broken contract in prepare is named and counted, and the call released") {
  Stub stub;
  ARequest a;
  stub.prepare = [](const gp_request*, gp_upstream* out, gp_call** call, gp_error*) {
    *call = kCall;
    test::good_upstream(out);
    static const gp_header header = {str("x-a"), str("1\r\nx-b: 2")};
    out->headers = &header;
    out->header_count = 1;
    return GP_OK;
  };
  auto p = stub.good_provider();
  auto call = p->prepare(a.request());
  REQUIRE_FALSE(call.ok());
  CHECK(has(call.error().message, "prepare: the value of header x-a has a control character"));
  CHECK(p->breaches() == 1);
  CHECK(stub.released == 1);
}

TEST_CASE("BUFFER without the body hook is a broken contract") {
  Stub stub;
  ARequest a;
  stub.prepare = [](const gp_request*, gp_upstream* out, gp_call**, gp_error*) {
    out->flags = GP_UPSTREAM_BUFFER;
    return test::good_upstream(out);
  };
  CHECK(has(stub.good_provider()->prepare(a.request()).error().message, "hook body is null"));
}

TEST_CASE("a module's own reading of usage keeps what it does not tell") {
  Stub stub;
  stub.extensions = {GP_EXT_USAGE};
  int64_t says = 7;
  stub.usage = [&](gp_str bytes, gp_usage* out) {
    if (bytes.len == 0) return GP_ERR_NOT_FOUND;
    CHECK(out->input_tokens == 3);
    out->output_tokens = says;
    return GP_OK;
  };
  auto p = stub.good_provider();
  REQUIRE(has_usage_hook(*p));
  ModuleUsage usage;
  usage.input_tokens = 3;
  CHECK(*extract_usage(*p, translate::Protocol::claude, "", usage) == false);
  CHECK(*extract_usage(*p, translate::Protocol::claude, "x", usage) == true);
  CHECK(usage.output_tokens == 7);
  CHECK(usage.input_tokens == 3);
  CHECK(usage.reasoning_tokens == -1);
  says = -5;
  CHECK(extract_usage(*p, translate::Protocol::claude, "x", usage).error().code == "module_error");
  CHECK(usage.output_tokens == 7);
}

TEST_CASE("a credential of another instance is never handed to a module") {
  Stub stub;
  ARequest a;
  auto one = stub.good_provider(), two = stub.good_provider();
  auto credential = *one->open_credential(kSecret);
  auto request = a.request();
  request.credential = credential.get();
  CHECK_FALSE(two->prepare(request).ok());
  CHECK(one->prepare(request).ok());
}
