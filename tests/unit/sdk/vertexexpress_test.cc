// The vertexexpress module alone, under the fake host.
#include <doctest/doctest.h>

#include "testing/fake_host.h"
#include "testing/fake_json.h"

extern "C" const gp_entry* gproxy_entry_1_vertexexpress(void);

using namespace gp::testing;

namespace {

struct Fixture {
  FakeHost host;
  Module module{host, gproxy_entry_1_vertexexpress()};
  std::unique_ptr<Instance> provider =
      module.create("vertexexpress", R"({"base_url":"http://h/v1beta1/"})");
  std::unique_ptr<Credential> key = provider->open(R"({"VertexExpress":{"api_key":"a+b/c"}})");
  ~Fixture() { CHECK(host.breaches() == std::vector<std::string>{}); }

  Sent send(int32_t operation, std::string model, std::string body = "{}", std::string query = "") {
    return provider->prepare({.protocol = GP_PROTOCOL_GEMINI,
                              .operation = operation,
                              .model = std::move(model),
                              .body = std::move(body),
                              .query = std::move(query)},
                             key.get());
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture,
                  "vertexexpress: the key stands in the secret query, encoded, nowhere else") {
  const Sent sent = send(GP_OP_GENERATE, "models/m");
  CHECK(sent.url == "http://h/v1beta1/publishers/google/models/m:generateContent");
  CHECK(sent.secret_query == "key=a%2Bb%2Fc");
  CHECK_FALSE(has_header(sent.headers, "authorization"));
  CHECK(send(GP_OP_STREAM_GENERATE, "m", "{}", "alt=sse").url ==
        "http://h/v1beta1/publishers/google/models/m:streamGenerateContent?alt=sse");
  CHECK(send(GP_OP_COUNT_TOKENS, "m", R"({"contents":[1]})").body ==
        R"({"model":"publishers/google/models/m","contents":[1]})");
  CHECK(send(GP_OP_GENERATE, "../x").url.find("..%2Fx") != std::string::npos);
  CHECK(send(GP_OP_GENERATE, "..").status == GP_ERR_INVALID);
}

TEST_CASE_FIXTURE(Fixture, "vertexexpress: models come from the table, page by page") {
  auto list = [&](Instance& of, std::string query) {
    return of.respond(
        {.protocol = GP_PROTOCOL_GEMINI, .operation = GP_OP_MODEL_LIST, .query = std::move(query)});
  };
  auto own = module.create(
      "vertexexpress",
      R"({"model_table":{"models":[{"id":"a","display_name":"A \"one\""},{"id":"models/b"},{"id":"c"}]}})");
  const Answer first = list(*own, "pageSize=2");
  CHECK(json_at(first.body, "/models/0/displayName") == "A \"one\"");
  CHECK(json_at(first.body, "/models/1/name") == "models/b");
  CHECK(json_at(first.body, "/nextPageToken") == "2");
  const Answer rest = list(*own, "pageSize=2&pageToken=2");
  CHECK(json_at(rest.body, "/models/0/name") == "models/c");
  CHECK(json_at(rest.body, "/nextPageToken").empty());
  CHECK(json_at(list(*own, "pageToken=99").body, "/models") == "[]");
  CHECK(json_at(list(*provider, "").body, "/models/0/name").starts_with("models/"));
  auto get = [&](std::string id) {
    return own->respond(
        {.protocol = GP_PROTOCOL_GEMINI, .operation = GP_OP_MODEL_GET, .model = std::move(id)});
  };
  CHECK(get("publishers/google/models/b").status == 200);
  CHECK(get("d").status == 404);
}

TEST_CASE_FIXTURE(Fixture, "vertexexpress: a table that does not fit names its entry") {
  std::string message, param;
  CHECK(module.create("vertexexpress", R"({"model_table":{"models":[{"id":"a"},{"id":"a"}]}})",
                      &message, &param) == nullptr);
  CHECK(param == "model_table.models[1].id");
}

TEST_CASE_FIXTURE(Fixture, "vertexexpress: a refused key is dead") {
  CHECK(provider->classify({.status = 401}, key.get()).action == GP_ACTION_DEAD);
}
