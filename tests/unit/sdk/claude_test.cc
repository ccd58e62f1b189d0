// The claude module alone, under the fake host.
#include <doctest/doctest.h>

#include "testing/fake_host.h"

extern "C" const gp_entry* gproxy_entry_1_claude(void);

using namespace gp::testing;

namespace {

struct Fixture {
  FakeHost host;
  Module module{host, gproxy_entry_1_claude()};
  std::unique_ptr<Instance> provider = module.create("claude", "{}");
  std::unique_ptr<Credential> key = provider->open(R"({"Claude":{"api_key":"sk-ant-x"}})");
  ~Fixture() { CHECK(host.breaches() == std::vector<std::string>{}); }
  Judged judge(int status, std::string body, Headers headers = {}) {
    return provider->classify({.status = status,
                               .headers = std::move(headers),
                               .body = std::move(body),
                               .protocol = GP_PROTOCOL_CLAUDE},
                              key.get());
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture,
                  "claude: messages go up with the key, the version and the client's betas") {
  RequestSpec spec{.protocol = GP_PROTOCOL_CLAUDE,
                   .model = "m",
                   .body = R"({"model":"m","messages":[]})",
                   .query = "beta=true&x=1",
                   .headers = {{"anthropic-beta", "a"}, {"anthropic-beta", "b"}}};
  Sent sent = provider->prepare(spec, key.get());
  CHECK(sent.url == "https://api.anthropic.com/v1/messages?beta=true");
  CHECK(header(sent.headers, "x-api-key") == "sk-ant-x");
  CHECK_FALSE(has_header(sent.headers, "authorization"));
  CHECK(header(sent.headers, "anthropic-version") == "2023-06-01");
  int betas = 0;
  for (const auto& h : sent.headers) betas += h.first == "anthropic-beta" ? 1 : 0;
  CHECK(betas == 2);
  CHECK(sent.body == spec.body);

  spec.headers = {{"anthropic-version", "2023-01-01"}};
  CHECK(header(provider->prepare(spec, key.get()).headers, "anthropic-version") == "2023-01-01");
  spec.flags = GP_REQUEST_TRANSLATED;
  CHECK(header(provider->prepare(spec, key.get()).headers, "anthropic-version") == "2023-06-01");
}

TEST_CASE_FIXTURE(Fixture, "claude: the compatible endpoint gets no header of the other protocol") {
  const Sent sent = provider->prepare({.protocol = GP_PROTOCOL_OPENAI_CHAT,
                                       .model = "m",
                                       .body = R"({"model":"m","messages":[]})",
                                       .headers = {{"anthropic-beta", "a"},
                                                   {"Anthropic-Version", "2023-06-01"},
                                                   {"openai-beta", "b"}}},
                                      key.get());
  CHECK_FALSE(has_header(sent.headers, "anthropic-beta"));
  CHECK_FALSE(has_header(sent.headers, "anthropic-version"));
  CHECK(header(sent.headers, "openai-beta") == "b");
}

TEST_CASE_FIXTURE(Fixture, "claude: endpoints") {
  auto url = [&](int32_t operation, std::string model = "", std::string query = "",
                 std::string body = "") {
    const Sent sent = provider->prepare({.protocol = GP_PROTOCOL_CLAUDE,
                                         .operation = operation,
                                         .model = std::move(model),
                                         .body = std::move(body),
                                         .query = std::move(query)},
                                        key.get());
    CHECK(sent.status == GP_OK);
    return sent.method + " " + sent.url.substr(std::string("https://api.anthropic.com").size());
  };
  CHECK(url(GP_OP_STREAM_GENERATE, "m", "", "{}") == "POST /v1/messages");
  CHECK(url(GP_OP_COUNT_TOKENS, "m", "", "{}") == "POST /v1/messages/count_tokens");
  CHECK(url(GP_OP_MODEL_LIST, "", "limit=5&after_id=a%20b&y=z") ==
        "GET /v1/models?limit=5&after_id=a%20b");
  CHECK(url(GP_OP_MODEL_GET, "a/b") == "GET /v1/models/a%2Fb");
}

TEST_CASE_FIXTURE(
    Fixture,
    "claude: chat goes to the compatible endpoint with a bearer key and no vendor version") {
  const Sent sent = provider->prepare({.protocol = GP_PROTOCOL_OPENAI_CHAT,
                                       .operation = GP_OP_STREAM_GENERATE,
                                       .body = R"({"messages":[],"stream":true})"},
                                      key.get());
  CHECK(sent.url == "https://api.anthropic.com/v1/chat/completions");
  CHECK(header(sent.headers, "authorization") == "Bearer sk-ant-x");
  CHECK_FALSE(has_header(sent.headers, "x-api-key"));
  CHECK_FALSE(has_header(sent.headers, "anthropic-version"));
  CHECK((sent.flags & GP_UPSTREAM_USAGE_ADDED) != 0);
}

TEST_CASE_FIXTURE(Fixture, "claude: routes") {
  int32_t target = 0;
  CHECK(provider->mode(GP_PROTOCOL_CLAUDE, GP_OP_MODEL_GET) == GP_ROUTE_NATIVE);
  CHECK(provider->mode(GP_PROTOCOL_OPENAI_CHAT, GP_OP_GENERATE) == GP_ROUTE_NATIVE);
  CHECK(provider->mode(GP_PROTOCOL_OPENAI, GP_OP_COUNT_TOKENS, &target) == GP_ROUTE_TRANSLATE);
  CHECK(target == GP_PROTOCOL_CLAUDE);
  CHECK(provider->mode(GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_GET) == GP_ROUTE_UNSUPPORTED);
}

TEST_CASE_FIXTURE(Fixture, "claude: verdicts") {
  const int64_t now = 1'767'225'600'000;
  FakeHost::set_now_ms(now);
  auto error = [](std::string type, std::string message = "x") {
    return R"({"type":"error","error":{"type":")" + type + R"(","message":")" + message + R"("}})";
  };
  CHECK(judge(401, error("authentication_error")).action == GP_ACTION_DEAD);
  Judged j = judge(
      400, error("invalid_request_error", "Your credit balance is too low to access the API"));
  CHECK(j.action == GP_ACTION_COOL_DOWN);
  CHECK(j.scope == GP_SCOPE_CREDENTIAL);
  CHECK(judge(400, error("invalid_request_error")).action == GP_ACTION_DELIVER);
  CHECK(judge(413, error("request_too_large")).action == GP_ACTION_DELIVER);
  CHECK(judge(404, error("not_found_error")).action == GP_ACTION_DELIVER);
  j = judge(429, error("rate_limit_error"), {{"retry-after", "12"}});
  CHECK(j.scope == GP_SCOPE_MODEL);
  CHECK(j.until_ms == now + 12'000);
  j = judge(429, error("rate_limit_error"),
            {{"anthropic-ratelimit-tokens-remaining", "0"},
             {"anthropic-ratelimit-tokens-reset", "2026-01-01T00:02:00Z"}});
  CHECK(j.until_ms == now + 120'000);
  j = judge(429, error("rate_limit_error"));
  CHECK(j.action == GP_ACTION_COOL_DOWN);
  CHECK(j.until_ms == 0);  // the operator's time
  CHECK(judge(529, error("overloaded_error"), {{"retry-after", "3"}}).until_ms == now + 3'000);
  CHECK(judge(529, error("overloaded_error")).as_usual());
  j = provider->classify(
      {.kind = GP_FAILURE_STREAM_ERROR, .status = 200, .body = error("overloaded_error")},
      key.get());
  CHECK(j.as_usual());
  CHECK(judge(502, "<html>").as_usual());
}
