// The deepseek module alone, under the fake host.
#include <doctest/doctest.h>

#include "testing/fake_host.h"
#include "testing/fake_json.h"

extern "C" const gp_entry* gproxy_entry_1_deepseek(void);

using namespace gp::testing;

namespace {

struct Fixture {
  FakeHost host;
  Module module{host, gproxy_entry_1_deepseek()};
  std::string message, param;
  ~Fixture() { CHECK(host.breaches() == std::vector<std::string>{}); }

  std::unique_ptr<Instance> make(const std::string& settings = "{}") {
    return module.create("deepseek", settings, &message, &param);
  }
  static std::unique_ptr<Credential> key(Instance& provider) {
    return provider.open(R"({"DeepSeek":{"api_key":"sk-1"}})");
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "deepseek: chat and Messages, wherever the base URL stops") {
  struct Case {
    const char *base, *chat, *claude;
  };
  const Case cases[] = {
      {"", "https://api.deepseek.com/v1", "https://api.deepseek.com/anthropic/v1"},
      {"https://h/", "https://h/v1", "https://h/anthropic/v1"},
      {"https://h/v1", "https://h/v1", "https://h/anthropic/v1"},
      {"https://h/anthropic", "https://h/v1", "https://h/anthropic/v1"},
      {"https://h/anthropic/v1", "https://h/v1", "https://h/anthropic/v1"},
      {"https://h/beta", "https://h/beta", "https://h/anthropic/v1"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.base);
    auto provider = make(std::string(R"({"base_url":")") + c.base + "\"}");
    REQUIRE_MESSAGE(provider != nullptr, message);
    auto credential = key(*provider);
    const Sent chat = provider->prepare({.operation = GP_OP_STREAM_GENERATE,
                                         .model = "m",
                                         .body = R"({"model":"m","stream":true})"},
                                        credential.get());
    CHECK(chat.url == std::string(c.chat) + "/chat/completions");
    CHECK(header(chat.headers, "authorization") == "Bearer sk-1");
    CHECK(chat.body == R"({"stream_options":{"include_usage":true},"model":"m","stream":true})");
    const Sent claude = provider->prepare({.protocol = GP_PROTOCOL_CLAUDE,
                                           .model = "m",
                                           .body = R"({"model":"m"})",
                                           .query = "beta=true&x=1",
                                           .headers = {{"anthropic-beta", "b-1"}}},
                                          credential.get());
    CHECK(claude.url == std::string(c.claude) + "/messages?beta=true");
    CHECK(header(claude.headers, "x-api-key") == "sk-1");
    CHECK(header(claude.headers, "anthropic-beta") == "b-1");
    CHECK(header(claude.headers, "anthropic-version") == "2023-06-01");
    CHECK(header(claude.headers, "user-agent") == "gproxy/0.0.0-test");
    CHECK(claude.splices == 0);
  }
}

TEST_CASE_FIXTURE(Fixture, "deepseek: the table answers lists and gets in every protocol") {
  auto provider = make();
  auto ask = [&](int32_t protocol, int32_t operation, std::string model = "") {
    CHECK(provider->mode(protocol, operation) == GP_ROUTE_LOCAL);
    return provider->respond(
        {.protocol = protocol, .operation = operation, .model = std::move(model)});
  };
  const Answer list = ask(GP_PROTOCOL_OPENAI, GP_OP_MODEL_LIST);
  CHECK(json_at(list.body, "/data/0/owned_by") == "deepseek");
  const std::string first = json_at(list.body, "/data/0/id");
  CHECK_FALSE(first.empty());
  CHECK(json_at(ask(GP_PROTOCOL_CLAUDE, GP_OP_MODEL_LIST).body, "/data/0/id") == first);
  CHECK(json_at(ask(GP_PROTOCOL_GEMINI, GP_OP_MODEL_GET, first).body, "/name") ==
        "models/" + first);
  for (int32_t protocol : {GP_PROTOCOL_OPENAI, GP_PROTOCOL_CLAUDE, GP_PROTOCOL_GEMINI})
    CHECK(ask(protocol, GP_OP_MODEL_GET, "none").status == 404);
}

TEST_CASE_FIXTURE(Fixture, "deepseek: another table, or the vendor's own list") {
  auto table = make(R"({"model_table":{"models":[{"id":"mine"}]}})");
  CHECK(
      json_at(table->respond({.protocol = GP_PROTOCOL_OPENAI, .operation = GP_OP_MODEL_LIST}).body,
              "/data/0/id") == "mine");
  auto upstream = make(R"({"model_source":"upstream","base_url":"http://h"})");
  CHECK(upstream->mode(GP_PROTOCOL_OPENAI, GP_OP_MODEL_LIST) == GP_ROUTE_NATIVE);
  CHECK(upstream->mode(GP_PROTOCOL_CLAUDE, GP_OP_MODEL_GET) == GP_ROUTE_TRANSLATE);
  auto credential = key(*upstream);
  auto get = [&](std::string model) {
    return upstream->prepare(
        {.protocol = GP_PROTOCOL_OPENAI, .operation = GP_OP_MODEL_GET, .model = std::move(model)},
        credential.get());
  };
  CHECK(get("a/b").url == "http://h/v1/models/a%2Fb");
  CHECK(get("..").status == GP_ERR_INVALID);
}

TEST_CASE_FIXTURE(Fixture, "deepseek: settings and credentials that do not fit") {
  CHECK(make(R"({"base_url":"ftp://h"})") == nullptr);
  CHECK(param == "base_url");
  CHECK(make(R"({"model_source":"moon"})") == nullptr);
  CHECK(param == "model_source");
  CHECK(make(R"({"model_table":{"models":[{"id":" "}]}})") == nullptr);
  CHECK(param == "model_table.models[0].id");
  auto provider = make();
  CHECK(provider->open(R"({"DeepSeek":{"api_key":"a\r\nb"}})", &message, &param) == nullptr);
  CHECK(param == "api_key");
}

TEST_CASE_FIXTURE(Fixture, "deepseek: what failures mean") {
  auto provider = make();
  auto judge = [&](int status, std::string body, Headers headers = {}) {
    return provider->classify(
        {.status = status, .headers = std::move(headers), .body = std::move(body)});
  };
  CHECK(judge(401, R"({"error":{"message":"Authentication Fails","type":"authentication_error"}})")
            .action == GP_ACTION_DEAD);
  CHECK(judge(402, R"({"error":{"message":"Insufficient Balance"}})").as_usual());
  CHECK(judge(422, "{}").action == GP_ACTION_DELIVER);
  CHECK(judge(429, "{}", {{"retry-after", "7"}}).as_usual());
  CHECK(judge(503, "").as_usual());
  CHECK(judge(400, "<html>").action == GP_ACTION_DELIVER);
}
