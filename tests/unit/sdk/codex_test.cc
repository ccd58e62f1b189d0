// The codex module alone, under the fake host: requests, answers, failures.
#include <doctest/doctest.h>

#include "testing/fake_host.h"
#include "testing/fake_json.h"

extern "C" const gp_entry* gproxy_entry_1_codex(void);

using namespace gp::testing;

namespace {

constexpr int64_t kNow = 1'767'225'600'000;

struct Fixture {
  FakeHost host;
  Module module{host, gproxy_entry_1_codex()};
  std::string message, param;
  std::unique_ptr<Instance> provider = make(R"({"base_url":"http://h/api/codex"})");
  std::unique_ptr<Credential> account = provider->open(
      R"({"Codex":{"access_token":"at","refresh_token":"rt","id_token":"it","account_id":"acct",)"
      R"("user_email":"a@b","expires_at":1767229200}})");
  ~Fixture() { CHECK(host.breaches() == std::vector<std::string>{}); }

  std::unique_ptr<Instance> make(const std::string& settings) {
    return module.create("codex", settings, &message, &param);
  }
  Sent responses(std::string body, Instance* which = nullptr, uint32_t flags = 0) {
    return (which != nullptr ? which : provider.get())
        ->prepare({.protocol = GP_PROTOCOL_OPENAI_RESPONSE,
                   .operation = GP_OP_STREAM_GENERATE,
                   .model = "m",
                   .body = std::move(body),
                   .headers = {{"user-agent", "codex_exec/1"},
                               {"originator", "codex_exec"},
                               {"x-codex-window-id", "w:0"},
                               {"session-id", "s"},
                               {"x-other", "1"}},
                   .flags = flags},
                  account.get());
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "codex: an account is opened, named and known when it expires") {
  REQUIRE(account != nullptr);
  CHECK(account->identity == "acct");
  CHECK(account->display_name == "a@b");
  CHECK(account->expires_at_ms == 1767229200000);
  CHECK(account->flags == GP_CREDENTIAL_REFRESHABLE);
  auto flags = [&](const char* text) {
    auto opened = provider->open(text, &message, &param);
    return opened == nullptr ? 999U : opened->flags;
  };
  // As the vendor's client stores it.
  CHECK(
      flags(
          R"({"Codex":{"OPENAI_API_KEY":null,"tokens":{"access_token":"a","account_id":"x"}}})") ==
      0);
  CHECK(flags(R"({"Codex":{"refresh_token":"r"}})") ==
        (GP_CREDENTIAL_REFRESHABLE | GP_CREDENTIAL_INCOMPLETE));
  CHECK(flags(R"({"Codex":{"access_token":"a"}})") == GP_CREDENTIAL_INCOMPLETE);
  CHECK(flags(R"({"Codex":{}})") == 999);
  CHECK(param == "access_token");
  CHECK(flags(R"({"Codex":{"access_token":"a","account_id":"x\r\ny: z"}})") == 999);
  CHECK(param == "account_id");
}

TEST_CASE_FIXTURE(Fixture, "codex: a Responses request becomes what the backend takes") {
  struct Case {
    const char *in, *out;
  };
  const Case cases[] = {
      {R"({"model":"m","input":[{"x":1e400}],"stream":true,"store":false,"instructions":"i"})",
       R"({"model":"m","input":[{"x":1e400}],"stream":true,"store":false,"instructions":"i"})"},
      {R"({"model":"m","input":"h\"i","stream":true})",
       R"({"store":false,"instructions":"","model":"m","input":[{"type":"message","role":"user",)"
       R"("content":[{"type":"input_text","text":"h\"i"}]}],"stream":true})"},
      {R"({"temperature":1,"top_p":0.5, "model":"m","store":true,"input":[],"instructions":null,)"
       R"("max_output_tokens":5,"stream":true,"top_logprobs":2,"stream_options":{"a":[1,2]}})",
       R"({"model":"m","store":false,"input":[],"instructions":"","stream":true})"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.in);
    const Sent sent = responses(c.in);
    CHECK(sent.status == GP_OK);
    CHECK(json_valid(sent.body));
    CHECK(sent.body == c.out);
    CHECK(sent.url == "http://h/api/codex/responses");
    CHECK((sent.flags & GP_UPSTREAM_STREAM) != 0);
  }
  CHECK(responses(R"({"model":"old","input":[],"stream":true,"store":false,"instructions":""})",
                  nullptr, GP_REQUEST_MODEL_DIFFERS)
            .body == R"({"model":"m","input":[],"stream":true,"store":false,"instructions":""})");
}

TEST_CASE_FIXTURE(Fixture, "codex: which parameters go is a setting") {
  auto other = make(R"({"drop_params":["user"]})");
  auto key = other->open(R"({"Codex":{"access_token":"at","account_id":"acct"}})");
  const Sent sent =
      other->prepare({.protocol = GP_PROTOCOL_OPENAI_RESPONSE,
                      .operation = GP_OP_STREAM_GENERATE,
                      .body = R"({"user":"u","temperature":1,"input":[],"instructions":"i"})"},
                     key.get());
  CHECK(sent.body == R"({"store":false,"temperature":1,"input":[],"instructions":"i"})");
}

TEST_CASE_FIXTURE(Fixture,
                  "codex: it says what it is unless the operator wants the vendor's name") {
  const std::string body = R"({"model":"m","input":[],"stream":true})";
  Sent sent = responses(body);
  CHECK(header(sent.headers, "user-agent") == "gproxy/0.0.0-test");
  CHECK(header(sent.headers, "originator") == "gproxy");
  CHECK(header(sent.headers, "authorization") == "Bearer at");
  CHECK(header(sent.headers, "chatgpt-account-id") == "acct");
  CHECK(header(sent.headers, "accept") == "text/event-stream");
  CHECK(header(sent.headers, "x-codex-window-id") == "w:0");
  CHECK(header(sent.headers, "session-id") == "s");
  CHECK_FALSE(has_header(sent.headers, "x-other"));
  auto vendor = make(R"({"client_identity":"vendor","client_version":"1.2.3"})");
  sent = responses(body, vendor.get());
  CHECK(header(sent.headers, "user-agent") == "codex_cli_rs/1.2.3");
  CHECK(header(sent.headers, "originator") == "codex_cli_rs");
}

TEST_CASE_FIXTURE(Fixture,
                  "codex: only streamed Responses are spoken, everything else leads there") {
  int32_t target = 0;
  for (int32_t protocol : {GP_PROTOCOL_CLAUDE, GP_PROTOCOL_GEMINI, GP_PROTOCOL_OPENAI_CHAT}) {
    CHECK(provider->mode(protocol, GP_OP_STREAM_GENERATE, &target) == GP_ROUTE_TRANSLATE);
    CHECK(target == GP_PROTOCOL_OPENAI_RESPONSE);
    CHECK(provider->mode(protocol, GP_OP_GENERATE) == GP_ROUTE_UNSUPPORTED);
  }
  for (int32_t protocol : {GP_PROTOCOL_CLAUDE, GP_PROTOCOL_GEMINI, GP_PROTOCOL_OPENAI}) {
    CHECK(provider->mode(protocol, GP_OP_COUNT_TOKENS) == GP_ROUTE_LOCAL);
    CHECK(provider->count_plan({.protocol = protocol, .model = "m", .body = "{}"}).name ==
          "o200k_base");
  }
}

TEST_CASE_FIXTURE(Fixture, "codex: a response's resources, compaction, memories") {
  auto call = [&](int32_t operation, std::string id, std::string query = "",
                  std::string body = "") {
    const Sent sent = provider->prepare({.protocol = GP_PROTOCOL_OPENAI,
                                         .operation = operation,
                                         .model = "m",
                                         .body = std::move(body),
                                         .resource = std::move(id),
                                         .query = std::move(query)},
                                        account.get());
    return sent.status == GP_OK ? sent.method + " " + sent.url + " " + sent.body : sent.param;
  };
  const std::string at = "http://h/api/codex/responses/";
  CHECK(call(GP_OP_RESPONSE_GET, "resp_1", "stream=true&x=1") ==
        "GET " + at + "resp_1?stream=true ");
  CHECK(call(GP_OP_RESPONSE_DELETE, "resp_1") == "DELETE " + at + "resp_1 ");
  CHECK(call(GP_OP_RESPONSE_CANCEL, "resp_1") == "POST " + at + "resp_1/cancel ");
  CHECK(call(GP_OP_RESPONSE_INPUT_ITEMS, "resp_1", "order=asc") ==
        "GET " + at + "resp_1/input_items?order=asc ");
  CHECK(call(GP_OP_RESPONSE_COMPACT, "", "", R"({"model":"m"})") ==
        "POST " + at + R"(compact {"instructions":"","model":"m"})");
  CHECK(call(GP_OP_MEMORY_TRACE_SUMMARIZE, "", "", R"({"model":"m","traces":[]})") ==
        R"(POST http://h/api/codex/memories/trace_summarize {"model":"m","traces":[]})");
  CHECK(call(GP_OP_RESPONSE_GET, "..") == "response_id");
}

TEST_CASE_FIXTURE(Fixture, "codex: the backend's models in OpenAI's form") {
  const std::string list =
      R"({"models":[{"slug":"one","display_name":"One","created":5},{"id":"two","owned_by":"x"},{}]})";
  auto ask = [&](int32_t operation, std::string model) {
    auto call = provider->begin(
        {.protocol = GP_PROTOCOL_OPENAI, .operation = operation, .model = std::move(model)},
        account.get());
    CHECK(call->sent().url == "http://h/api/codex/models?client_version=0.99.0");
    return call->answer(200, {{"content-type", "application/json"}}, {list});
  };
  CHECK(ask(GP_OP_MODEL_LIST, "").body ==
        R"({"object":"list","data":[{"id":"one","object":"model","created":5,"owned_by":"openai",)"
        R"("display_name":"One"},{"id":"two","object":"model","created":0,"owned_by":"x"}]})");
  CHECK(json_at(ask(GP_OP_MODEL_GET, "two").body, "/id") == "two");
  CHECK(ask(GP_OP_MODEL_GET, "three").status_code == GP_ERR_NOT_FOUND);
  for (const char* garbage : {"<html>", "[]", R"({"models":{}})"}) {
    auto call = provider->begin({.protocol = GP_PROTOCOL_OPENAI, .operation = GP_OP_MODEL_LIST},
                                account.get());
    CHECK(call->answer(200, {}, {garbage}).status_code == GP_ERR_INTERNAL);
  }
  auto table = make(R"({"model_table":{"models":[{"id":"mine"}]}})");
  CHECK(table->mode(GP_PROTOCOL_CLAUDE, GP_OP_MODEL_LIST) == GP_ROUTE_LOCAL);
  CHECK(
      json_at(table->respond({.protocol = GP_PROTOCOL_OPENAI, .operation = GP_OP_MODEL_LIST}).body,
              "/data/0/id") == "mine");
}

TEST_CASE_FIXTURE(Fixture, "codex: settings that do not fit") {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"base_url":"x"})", "base_url"},
      {R"({"issuer":"http://u@h"})", "issuer"},
      {R"({"token_url":"http://h/?a=1"})", "token_url"},
      {R"({"client_identity":"other"})", "client_identity"},
      {R"({"client_version":"1\n2"})", "client_version"},
      {R"({"drop_params":["a","store"]})", "drop_params[1]"},
      {R"({"drop_params":"a"})", "drop_params"},
  };
  for (const auto& [settings, at] : cases) {
    CAPTURE(settings);
    CHECK(make(settings) == nullptr);
    CHECK(param == at);
  }
}

TEST_CASE_FIXTURE(Fixture, "codex: what failures mean") {
  FakeHost::set_now_ms(kNow);
  auto judge = [&](int status, std::string body, Headers headers = {}) {
    return provider->classify(
        {.status = status, .headers = std::move(headers), .body = std::move(body)}, account.get());
  };
  Judged judged = judge(401, "{}");
  CHECK(judged.action == GP_ACTION_REFRESH);
  CHECK(judge(401, R"({"error":{"code":"account_deactivated"}})").action == GP_ACTION_DEAD);
  judged = judge(429, R"({"error":{"type":"usage_limit_reached","resets_in_seconds":600000}})");
  CHECK(judged.action == GP_ACTION_COOL_DOWN);
  CHECK(judged.scope == GP_SCOPE_CREDENTIAL);
  CHECK(judged.until_ms == kNow + 600'000'000);
  judged = judge(429, R"({"error":{"type":"usage_limit_reached","resets_at":1767225660}})");
  CHECK(judged.until_ms == kNow + 60'000);
  judged = judge(429, "{}",
                 {{"x-codex-primary-used-percent", "100.0"},
                  {"x-codex-primary-reset-after-seconds", "1800"},
                  {"x-codex-secondary-used-percent", "40"},
                  {"x-codex-secondary-reset-after-seconds", "9000"}});
  CHECK(judged.until_ms == kNow + 1'800'000);
  CHECK(judged.reason == "usage_limit");
  judged = judge(429, "{}", {{"retry-after", "7"}});
  CHECK(judged.as_usual());
  CHECK(judge(403, R"({"error":{"type":"usage_not_included"}})").scope == GP_SCOPE_CREDENTIAL);
  CHECK(judge(400, R"({"detail":"Unsupported parameter: x"})").action == GP_ACTION_DELIVER);
  judged = provider->classify(
      {.kind = GP_FAILURE_STREAM_ERROR,
       .status = 200,
       .body = R"({"type":"response.failed","response":{"error":{"code":"rate_limit_exceeded"}}})"},
      account.get());
  CHECK(judged.action == GP_ACTION_COOL_DOWN);
  auto lone = provider->open(R"({"Codex":{"access_token":"at","account_id":"x"}})");
  CHECK(provider->classify({.status = 401}, lone.get()).action == GP_ACTION_DEAD);
}
