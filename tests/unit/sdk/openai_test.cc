// The openai module alone, under the fake host.
#include <doctest/doctest.h>

#include "testing/fake_host.h"
#include "testing/fake_json.h"

extern "C" const gp_entry* gproxy_entry_1_openai(void);

using namespace gp::testing;

namespace {

struct Fixture {
  FakeHost host;
  Module module{host, gproxy_entry_1_openai()};
  std::unique_ptr<Instance> provider = module.create("openai", "{}");
  std::unique_ptr<Credential> key =
      provider->open(R"({"OpenAI":{"api_key":" sk-abcdefghijklmnopqrst ","note":1}})");
  ~Fixture() { CHECK(host.breaches() == std::vector<std::string>{}); }

  Sent chat(std::string body, bool stream, uint32_t flags = 0, std::string model = "m") {
    return provider->prepare({.protocol = GP_PROTOCOL_OPENAI_CHAT,
                              .operation = stream ? GP_OP_STREAM_GENERATE : GP_OP_GENERATE,
                              .model = std::move(model),
                              .body = std::move(body),
                              .flags = flags},
                             key.get());
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "openai: the kind is seeded and takes an OpenAI key") {
  REQUIRE(module.ok());
  REQUIRE(module.kind("openai") != nullptr);
  CHECK(module.kind("openai")->flags == GP_KIND_SEED);
  CHECK(module.kind("openai")->credential_tag == "OpenAI");
  CHECK(key->display_name == "sk-a...qrst");
}

TEST_CASE_FIXTURE(Fixture, "openai: a chat request goes up byte for byte with the key") {
  const std::string body =
      R"({"model":"m", "messages":[{"role":"user","content":"hi"}],"x":1e400})";
  const Sent sent = chat(body, false);
  CHECK(sent.status == GP_OK);
  CHECK(sent.method == "POST");
  CHECK(sent.url == "https://api.openai.com/v1/chat/completions");
  CHECK(sent.body == body);
  CHECK(sent.splices == 0);
  CHECK(header(sent.headers, "authorization") == "Bearer sk-abcdefghijklmnopqrst");
  CHECK(header(sent.headers, "content-type") == "application/json");
  CHECK(header(sent.headers, "accept") == "application/json");
  CHECK(header(sent.headers, "user-agent") == "gproxy/0.0.0-test");
}

TEST_CASE_FIXTURE(Fixture, "openai: the model that the host chose is spliced in") {
  const Sent sent =
      chat(R"({"messages":[],"model":"openai/a\"b" })", false, GP_REQUEST_MODEL_DIFFERS, "a\"b");
  CHECK(sent.body == R"({"messages":[],"model":"a\"b" })");
  CHECK(sent.splices == 1);
}

TEST_CASE_FIXTURE(Fixture, "openai: a chat stream asks for usage where the client has not said") {
  struct Case {
    std::string in, out;
    bool added;
  };
  const Case cases[] = {
      {R"({"stream":true})", R"({"stream_options":{"include_usage":true},"stream":true})", true},
      {R"({"stream":true,"stream_options":{}})",
       R"({"stream":true,"stream_options":{"include_usage":true}})", true},
      {R"({"stream":true,"stream_options":null})",
       R"({"stream":true,"stream_options":{"include_usage":true}})", true},
      {R"({"stream_options":{ "include_obfuscation":false},"stream":true})",
       R"({"stream_options":{"include_usage":true, "include_obfuscation":false},"stream":true})",
       true},
      {R"({"stream":true,"stream_options":{"include_usage":null}})",
       R"({"stream":true,"stream_options":{"include_usage":true}})", true},
      {R"({"stream":true,"stream_options":{"include_usage":true}})",
       R"({"stream":true,"stream_options":{"include_usage":true}})", false},
      {R"({"stream":true,"stream_options":{"include_usage":false}})",
       R"({"stream":true,"stream_options":{"include_usage":false}})", false},
  };
  for (const Case& c : cases) {
    CAPTURE(c.in);
    const Sent sent = chat(c.in, true);
    CHECK(sent.body == c.out);
    CHECK(((sent.flags & GP_UPSTREAM_USAGE_ADDED) != 0) == c.added);
    CHECK((sent.flags & GP_UPSTREAM_STREAM) != 0);
  }
}

TEST_CASE_FIXTURE(Fixture, "openai: endpoints") {
  struct Case {
    RequestSpec spec;
    std::string method, url;
  };
  const Case cases[] = {
      {{.protocol = GP_PROTOCOL_OPENAI_RESPONSE, .body = "{}"}, "POST", "/v1/responses"},
      {{.protocol = GP_PROTOCOL_OPENAI, .operation = GP_OP_COUNT_TOKENS, .body = "{}"},
       "POST",
       "/v1/responses/input_tokens"},
      {{.protocol = GP_PROTOCOL_OPENAI, .operation = GP_OP_MODEL_LIST, .query = "limit=3"},
       "GET",
       "/v1/models"},
      {{.protocol = GP_PROTOCOL_OPENAI, .operation = GP_OP_MODEL_GET, .model = "ft:a/b c"},
       "GET",
       "/v1/models/ft:a%2Fb%20c"},
      {{.protocol = GP_PROTOCOL_OPENAI,
        .operation = GP_OP_RESPONSE_GET,
        .resource = "resp_1",
        .query = "include=a&x=1&starting_after=2"},
       "GET",
       "/v1/responses/resp_1?include=a&starting_after=2"},
      {{.protocol = GP_PROTOCOL_OPENAI, .operation = GP_OP_RESPONSE_DELETE, .resource = "resp_1"},
       "DELETE",
       "/v1/responses/resp_1"},
      {{.protocol = GP_PROTOCOL_OPENAI, .operation = GP_OP_RESPONSE_CANCEL, .resource = "resp_1"},
       "POST",
       "/v1/responses/resp_1/cancel"},
      {{.protocol = GP_PROTOCOL_OPENAI,
        .operation = GP_OP_RESPONSE_INPUT_ITEMS,
        .resource = "resp_1",
        .query = "order=asc"},
       "GET",
       "/v1/responses/resp_1/input_items?order=asc"},
      {{.protocol = GP_PROTOCOL_OPENAI, .operation = GP_OP_RESPONSE_COMPACT, .body = "{}"},
       "POST",
       "/v1/responses/compact"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.url);
    const Sent sent = provider->prepare(c.spec, key.get());
    CHECK(sent.status == GP_OK);
    CHECK(sent.method == c.method);
    CHECK(sent.url == "https://api.openai.com" + c.url);
  }
}

TEST_CASE_FIXTURE(Fixture, "openai: dot segments never reach a path") {
  for (const char* id : {"..", ".", ""}) {
    const Sent sent = provider->prepare(
        {.protocol = GP_PROTOCOL_OPENAI, .operation = GP_OP_RESPONSE_DELETE, .resource = id},
        key.get());
    CHECK(sent.status == GP_ERR_INVALID);
  }
}

TEST_CASE_FIXTURE(Fixture,
                  "openai: base_url may end with /v1 and slashes; empty means the vendor's") {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"base_url":""})", "https://api.openai.com/v1/models"},
      {R"({"base_url":null})", "https://api.openai.com/v1/models"},
      {R"({"base_url":"http://127.0.0.1:9/v1/"})", "http://127.0.0.1:9/v1/models"},
      {R"({"base_url":"https://h/openai//"})", "https://h/openai/v1/models"},
  };
  for (const auto& [settings, url] : cases) {
    auto other = module.create("openai", settings);
    REQUIRE(other != nullptr);
    CHECK(other->prepare({.protocol = GP_PROTOCOL_OPENAI, .operation = GP_OP_MODEL_LIST}, key.get())
              .url == url);
  }
}

TEST_CASE_FIXTURE(Fixture, "openai: wrong settings and credentials are refused by field") {
  std::string message, param;
  for (const char* settings :
       {R"({"base_url":5})", R"({"base_url":"ftp://h"})", R"({"base_url":"https://u@h"})",
        R"({"base_url":"https://h/?a=b"})", R"({"base_url":"https://h\r\nx"})"}) {
    CAPTURE(settings);
    param.clear();
    CHECK(module.create("openai", settings, &message, &param) == nullptr);
    CHECK(param == "base_url");
  }
  for (const char* secret :
       {R"({"Claude":{"api_key":"k"}})", R"({"OpenAI":{}})", R"({"OpenAI":{"api_key":" "}})",
        R"({"OpenAI":{"api_key":"a\nb"}})", R"({"OpenAI":{"api_key":7}})"}) {
    CAPTURE(secret);
    param.clear();
    CHECK(provider->open(secret, &message, &param) == nullptr);
    CHECK(param == "api_key");
    CHECK(message.find("a\nb") == std::string::npos);
  }
}

TEST_CASE_FIXTURE(
    Fixture, "openai: only the protocol's and the kind's headers are forwarded, on native routes") {
  RequestSpec spec{.model = "m",
                   .body = "{}",
                   .headers = {{"OpenAI-Beta", "x=1"},
                               {"X-Client-Request-Id", "id"},
                               {"x-stainless-os", "Linux"},
                               {"user-agent", "Client/1"}}};
  Sent sent = provider->prepare(spec, key.get());
  CHECK(header(sent.headers, "openai-beta") == "x=1");
  CHECK(header(sent.headers, "x-client-request-id") == "id");
  CHECK_FALSE(has_header(sent.headers, "x-stainless-os"));
  CHECK(header(sent.headers, "user-agent") == "gproxy/0.0.0-test");
  spec.flags = GP_REQUEST_TRANSLATED;
  sent = provider->prepare(spec, key.get());
  CHECK_FALSE(has_header(sent.headers, "openai-beta"));
}

TEST_CASE_FIXTURE(Fixture, "openai: routes lead where the reference's do") {
  int32_t target = 0;
  CHECK(provider->mode(GP_PROTOCOL_OPENAI_CHAT, GP_OP_STREAM_GENERATE) == GP_ROUTE_NATIVE);
  CHECK(provider->mode(GP_PROTOCOL_CLAUDE, GP_OP_GENERATE, &target) == GP_ROUTE_TRANSLATE);
  CHECK(target == GP_PROTOCOL_OPENAI_RESPONSE);
  CHECK(provider->mode(GP_PROTOCOL_GEMINI, GP_OP_MODEL_LIST, &target) == GP_ROUTE_TRANSLATE);
  CHECK(target == GP_PROTOCOL_OPENAI);
  CHECK(provider->mode(GP_PROTOCOL_OPENAI, GP_OP_MEMORY_TRACE_SUMMARIZE) == GP_ROUTE_UNSUPPORTED);
  CHECK(provider->mode(GP_PROTOCOL_NONE, GP_OP_USAGE) == GP_ROUTE_UNSUPPORTED);
}

TEST_CASE_FIXTURE(Fixture, "openai: verdicts") {
  const int64_t now = 1'767'225'600'000;
  FakeHost::set_now_ms(now);
  auto judge = [&](int status, std::string body, Headers headers = {}) {
    return provider->classify(
        {.status = status, .headers = std::move(headers), .body = std::move(body)}, key.get());
  };
  Judged j = judge(
      401,
      R"({"error":{"message":"Incorrect API key","type":"invalid_request_error","code":"invalid_api_key"}})");
  CHECK(j.action == GP_ACTION_DEAD);
  CHECK(j.reason == "invalid_api_key");
  CHECK(judge(401, "<html>").as_usual());
  // The host reads Retry-After itself, and knows the operator's time for a 429 without any.
  CHECK(judge(429, "{}", {{"retry-after", "7"}}).as_usual());
  CHECK(judge(429, "{}").as_usual());
  CHECK(judge(429, "{}", {{"x-ratelimit-remaining-tokens", "1"}, {"x-ratelimit-reset-tokens", "6m"}})
            .as_usual());
  j = judge(429, "{}",
            {{"x-ratelimit-remaining-tokens", "0"}, {"x-ratelimit-reset-tokens", "6m0s"}});
  CHECK(j.action == GP_ACTION_COOL_DOWN);
  CHECK(j.scope == GP_SCOPE_MODEL);
  CHECK(j.until_ms == now + 360'000);
  j = judge(429, R"({"error":{"code":"insufficient_quota"}})");
  CHECK(j.scope == GP_SCOPE_CREDENTIAL);
  CHECK(j.reason == "insufficient_quota");
  // Which failures count in a row is the host's to know.
  for (int status : {400, 403, 404, 409, 413, 422, 500, 503})
    CHECK(judge(status, "{}").as_usual());
  CHECK(provider->classify({.kind = GP_FAILURE_CONNECT_TIMEOUT}, key.get()).as_usual());
  CHECK(provider->classify({.kind = GP_FAILURE_PROXY}, key.get()).as_usual());
}

TEST_CASE("openai: without gproxy.json/1 the module does not start") {
  FakeHost host;
  host.withhold("gproxy.json/1");
  Module module(host, gproxy_entry_1_openai());
  CHECK_FALSE(module.ok());
  CHECK(module.refusal().find("gproxy.json/1") != std::string::npos);
}
