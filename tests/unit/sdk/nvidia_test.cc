// The nvidia module alone, under the fake host.
#include <doctest/doctest.h>

#include "testing/fake_host.h"

extern "C" const gp_entry* gproxy_entry_1_nvidia(void);

using namespace gp::testing;

namespace {

struct Fixture {
  FakeHost host;
  Module module{host, gproxy_entry_1_nvidia()};
  std::string message, param;
  std::unique_ptr<Instance> provider = module.create("nvidia", R"({"base_url":"http://h/"})");
  std::unique_ptr<Credential> key = provider->open(R"({"Nvidia":{"api_key":"nvapi-1"}})");
  ~Fixture() { CHECK(host.breaches() == std::vector<std::string>{}); }

  Sent get(std::string model) {
    return provider->prepare(
        {.protocol = GP_PROTOCOL_OPENAI, .operation = GP_OP_MODEL_GET, .model = std::move(model)},
        key.get());
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "nvidia: chat goes up as it came, with the key") {
  const std::string body = R"({"model":"meta/x", "messages":[],"nvext":{"a":1e400}})";
  const Sent sent = provider->prepare({.model = "meta/x", .body = body}, key.get());
  CHECK(sent.url == "http://h/v1/chat/completions");
  CHECK(sent.body == body);
  CHECK(header(sent.headers, "authorization") == "Bearer nvapi-1");
  CHECK((provider->prepare({.operation = GP_OP_STREAM_GENERATE, .body = "{}"}, key.get()).flags &
         GP_UPSTREAM_USAGE_ADDED) != 0);
}

TEST_CASE_FIXTURE(Fixture, "nvidia: ids keep their slash in the path and nothing else") {
  CHECK(get("meta/llama 3").url == "http://h/v1/models/meta/llama%203");
  CHECK(get("a%2f..").url == "http://h/v1/models/a%252f..");
  for (const char* id : {"..", "a/../b", "a//b", "/a", "a/", "./a"}) {
    CAPTURE(id);
    CHECK(get(id).status == GP_ERR_INVALID);
  }
}

TEST_CASE_FIXTURE(Fixture, "nvidia: everything else is translated to chat") {
  int32_t target = 0;
  for (int32_t protocol : {GP_PROTOCOL_CLAUDE, GP_PROTOCOL_GEMINI, GP_PROTOCOL_OPENAI_RESPONSE}) {
    CHECK(provider->mode(protocol, GP_OP_STREAM_GENERATE, &target) == GP_ROUTE_TRANSLATE);
    CHECK(target == GP_PROTOCOL_OPENAI_CHAT);
  }
  CHECK(provider->mode(GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_GET) == GP_ROUTE_UNSUPPORTED);
}

TEST_CASE_FIXTURE(Fixture, "nvidia: settings that do not fit") {
  for (const char* name : {"base_url", "hf_url"}) {
    CHECK(module.create("nvidia", std::string("{\"") + name + R"(":"h?x=1"})", &message, &param) ==
          nullptr);
    CHECK(param == name);
  }
  CHECK(module.create("nvidia", R"({"hf_token":"a\nb"})", &message, &param) == nullptr);
  CHECK(param == "hf_token");
  CHECK(module.create("nvidia", R"({"hf_token":"t","data_dir":"/x","hf_url":""})") != nullptr);
}

TEST_CASE_FIXTURE(Fixture, "nvidia: what failures mean") {
  auto judge = [&](int status, std::string detail) {
    return provider->classify(
        {.status = status, .body = R"({"status":1,"title":"t","detail":")" + detail + "\"}"});
  };
  CHECK(judge(401, "Authentication failed").action == GP_ACTION_DEAD);
  CHECK(judge(403, "Authorization failed").scope == GP_SCOPE_MODEL);
  CHECK(judge(402, "Cloud credits expired").as_usual());
  CHECK(judge(404, "Function 'x': Not found for account").action == GP_ACTION_NEXT);
  CHECK(judge(404, "no such model").action == GP_ACTION_DELIVER);
  CHECK(judge(429, "").as_usual());
}
