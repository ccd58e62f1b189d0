// The aistudio module alone, under the fake host.
#include <doctest/doctest.h>

#include "testing/fake_host.h"

extern "C" const gp_entry* gproxy_entry_1_aistudio(void);

using namespace gp::testing;

namespace {

struct Fixture {
  FakeHost host;
  Module module{host, gproxy_entry_1_aistudio()};
  std::unique_ptr<Instance> provider =
      module.create("aistudio", R"({"base_url":"http://h/v1beta"})");
  std::unique_ptr<Credential> key = provider->open(R"({"AIStudio":{"api_key":"AIza"}})");
  ~Fixture() { CHECK(host.breaches() == std::vector<std::string>{}); }

  Sent send(int32_t operation, std::string model, std::string query = "", uint32_t flags = 0) {
    const bool body = operation != GP_OP_MODEL_LIST && operation != GP_OP_MODEL_GET;
    return provider->prepare({.protocol = GP_PROTOCOL_GEMINI,
                              .operation = operation,
                              .model = std::move(model),
                              .body = body ? R"({"contents":[]})" : "",
                              .query = std::move(query),
                              .flags = flags},
                             key.get());
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "aistudio: the model stands in the path, encoded, in its collection") {
  const std::pair<const char*, const char*> cases[] = {
      {"m-1.5", "models/m-1.5"},
      {"models/m", "models/m"},
      {"tunedModels/t", "tunedModels/t"},
      {"a/b:c", "models/a%2Fb%3Ac"},
  };
  for (const auto& [model, path] : cases) {
    CAPTURE(model);
    CHECK(send(GP_OP_GENERATE, model).url ==
          std::string("http://h/v1beta/") + path + ":generateContent");
  }
  for (const char* model : {"", "..", "models/", "models/."}) {
    CHECK(send(GP_OP_GENERATE, model).status == GP_ERR_INVALID);
  }
}

TEST_CASE_FIXTURE(Fixture, "aistudio: the key travels in a header, not in the address") {
  const Sent sent = send(GP_OP_GENERATE, "m");
  CHECK(header(sent.headers, "x-goog-api-key") == "AIza");
  CHECK(sent.secret_query.empty());
  CHECK(sent.url.find("AIza") == std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "aistudio: a native client chooses the framing, the host gets events") {
  CHECK(send(GP_OP_STREAM_GENERATE, "m").url == "http://h/v1beta/models/m:streamGenerateContent");
  CHECK(send(GP_OP_STREAM_GENERATE, "m", "alt=sse&x=1").url ==
        "http://h/v1beta/models/m:streamGenerateContent?alt=sse");
  CHECK(send(GP_OP_STREAM_GENERATE, "m", "", GP_REQUEST_NEEDS_SSE).url ==
        "http://h/v1beta/models/m:streamGenerateContent?alt=sse");
  CHECK((send(GP_OP_STREAM_GENERATE, "m").flags & GP_UPSTREAM_STREAM) != 0);
}

TEST_CASE_FIXTURE(Fixture, "aistudio: a wrapped count names the model of the path") {
  const auto count = [&](std::string body) {
    return provider
        ->prepare({.protocol = GP_PROTOCOL_GEMINI,
                   .operation = GP_OP_COUNT_TOKENS,
                   .model = "m",
                   .body = std::move(body)},
                  key.get())
        .body;
  };
  CHECK(count(R"({"generateContentRequest":{"model":"models/studio/m","contents":[]}})") ==
        R"({"generateContentRequest":{"model":"models/m","contents":[]}})");
  for (const std::string same :
       {R"({"generateContentRequest":{"model":"models/m"}})", R"({"contents":[]})",
        R"({"generateContentRequest":{"model":7}})", R"({"generateContentRequest":[]})"}) {
    CHECK(count(same) == same);
  }
}

TEST_CASE_FIXTURE(Fixture, "aistudio: other endpoints") {
  CHECK(send(GP_OP_COUNT_TOKENS, "m").url == "http://h/v1beta/models/m:countTokens");
  CHECK(send(GP_OP_MODEL_LIST, "", "pageSize=2&pageToken=a%2Bb&z=1").url ==
        "http://h/v1beta/models?pageSize=2&pageToken=a%2Bb");
  Sent sent = send(GP_OP_MODEL_GET, "m");
  CHECK(sent.method + " " + sent.url == "GET http://h/v1beta/models/m");
  sent = provider->prepare({.protocol = GP_PROTOCOL_OPENAI_CHAT, .body = "{}"}, key.get());
  CHECK(sent.url == "http://h/v1beta/openai/chat/completions");
  CHECK(header(sent.headers, "authorization") == "Bearer AIza");
  CHECK_FALSE(has_header(sent.headers, "x-goog-api-key"));
}

TEST_CASE_FIXTURE(Fixture, "aistudio: verdicts") {
  const int64_t now = 1'767'225'600'000;
  FakeHost::set_now_ms(now);
  auto judge = [&](int status, std::string details, Headers headers = {}) {
    return provider->classify(
        {.status = status,
         .headers = std::move(headers),
         .body = R"({"error":{"code":400,"status":"X","details":[)" + details + "]}}",
         .protocol = GP_PROTOCOL_GEMINI},
        key.get());
  };
  const std::string bad_key =
      R"({"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"})";
  CHECK(judge(400, bad_key).action == GP_ACTION_DEAD);
  CHECK(judge(400, "").action == GP_ACTION_DELIVER);
  Judged j =
      judge(429, R"({"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"37s"})");
  CHECK(j.scope == GP_SCOPE_MODEL);
  CHECK(j.until_ms == now + 37'000);
  j = judge(
      429,
      R"({"@type":"x/google.rpc.QuotaFailure","violations":[{"quotaId":"RequestsPerDayPerProject"}]},)"
      R"({"@type":"x/google.rpc.RetryInfo","retryDelay":"3s"})");
  CHECK(j.until_ms == now + 600'000);
  CHECK(j.reason == "daily_quota");
  CHECK(judge(429, "", {{"retry-after", "5"}}).until_ms == now + 5'000);
  CHECK(provider
            ->classify({.kind = GP_FAILURE_STREAM_ERROR,
                        .status = 200,
                        .body = R"([{"error":{"details":[)" + bad_key + "]}}]"},
                       key.get())
            .action == GP_ACTION_DEAD);
}
