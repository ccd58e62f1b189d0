// The vertex module alone, under the fake host.
#include <doctest/doctest.h>

#include "gproxy/ext/credential.h"
#include "testing/fake_crypto.h"
#include "testing/fake_host.h"
#include "testing/fake_json.h"
#include "testing/fake_steps.h"

extern "C" const gp_entry* gproxy_entry_1_vertex(void);

using namespace gp::testing;

namespace {

constexpr int64_t kNow = 1'767'225'600'000;

std::string key_file(std::string more = "") {
  return R"({"Vertex":{"type":"service_account","project_id":"proj-1","private_key_id":"kid",)"
         R"("private_key":"-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----\n",)"
         R"("client_email":"robot@x","client_id":"1","token_uri":"https://t.test/token")" +
         more + "}}";
}
std::string with_token() {
  return key_file(R"(,"access_token":"tok","expires_at":)" + std::to_string(kNow / 1000 + 600));
}

struct Fixture {
  FakeHost host;
  Module module{host, gproxy_entry_1_vertex()};
  std::unique_ptr<Instance> provider = module.create("vertex", R"({"base_url":"http://h/"})");
  std::unique_ptr<Credential> account = provider->open(with_token());
  Fixture() { FakeHost::set_now_ms(kNow); }
  ~Fixture() { CHECK(host.breaches() == std::vector<std::string>{}); }

  Sent send(int32_t operation, std::string model, std::string body = R"({"contents":[1]})",
            std::string query = "", uint32_t flags = 0) {
    const bool has_body = operation != GP_OP_MODEL_LIST && operation != GP_OP_MODEL_GET;
    return provider->prepare({.protocol = GP_PROTOCOL_GEMINI,
                              .operation = operation,
                              .model = std::move(model),
                              .body = has_body ? std::move(body) : "",
                              .query = std::move(query),
                              .flags = flags},
                             account.get());
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "vertex: project, location and model stand in the path") {
  const std::string place = "http://h/v1beta1/projects/proj-1/locations/us-central1";
  for (const char* name : {"m", "models/m", "publishers/google/models/m"}) {
    CHECK(send(GP_OP_GENERATE, name).url == place + "/publishers/google/models/m:generateContent");
  }
  CHECK(send(GP_OP_STREAM_GENERATE, "m", "{}", "alt=sse&key=1").url ==
        place + "/publishers/google/models/m:streamGenerateContent?alt=sse");
  CHECK(send(GP_OP_STREAM_GENERATE, "m", "{}", "", GP_REQUEST_NEEDS_SSE).url ==
        place + "/publishers/google/models/m:streamGenerateContent?alt=sse");
  CHECK(send(GP_OP_GENERATE, "a/b:c%").url ==
        place + "/publishers/google/models/a%2Fb%3Ac%25:generateContent");
  CHECK(send(GP_OP_GENERATE, "..").status == GP_ERR_INVALID);
  CHECK(header(send(GP_OP_GENERATE, "m").headers, "authorization") == "Bearer tok");
}

TEST_CASE_FIXTURE(Fixture,
                  "vertex: the host follows from the location and the account's universe") {
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {"{}", "", "https://us-central1-aiplatform.googleapis.com/"},
      {R"({"location":"europe-west4"})", "", "https://europe-west4-aiplatform.googleapis.com/"},
      {R"({"location":"global"})", "", "https://aiplatform.googleapis.com/"},
      {R"({"location":"eu"})", "", "https://aiplatform.eu.rep.googleapis.com/"},
      {R"({"location":"global"})", R"(,"universe_domain":"u.test")", "https://aiplatform.u.test/"},
      {R"({"base_url":"http://h/v1beta1"})", R"(,"universe_domain":"u.test")", "http://h/"},
  };
  for (const auto& [settings, more, start] : cases) {
    CAPTURE(settings);
    auto made = module.create("vertex", settings);
    REQUIRE(made != nullptr);
    auto opened = made->open(key_file(std::string(R"(,"access_token":"t")") + more));
    const Sent sent =
        made->prepare({.protocol = GP_PROTOCOL_GEMINI, .model = "m", .body = "{}"}, opened.get());
    CHECK(sent.url.starts_with(std::string(start) + "v1beta1/projects/"));
  }
  std::string message, param;
  for (const char* bad : {"us/..", "US", "a.b", "x y"}) {
    CHECK(module.create("vertex", std::string(R"({"location":")") + bad + "\"}", &message,
                        &param) == nullptr);
    CHECK(param == "location");
  }
}

TEST_CASE_FIXTURE(Fixture, "vertex: a body's model becomes a publisher's, a count is opened up") {
  CHECK(send(GP_OP_GENERATE, "m", R"({"model":"x","contents":[]})").body ==
        R"({"model":"publishers/google/models/m","contents":[]})");
  CHECK(send(GP_OP_GENERATE, "m", R"({"contents":[]})").body == R"({"contents":[]})");
  CHECK(send(GP_OP_COUNT_TOKENS, "m", R"({"contents":[{"a": 1}],"other":1})").body ==
        R"({"model":"publishers/google/models/m","contents":[{"a": 1}]})");
  CHECK(send(GP_OP_COUNT_TOKENS, "m",
             R"({"generateContentRequest":{"model":"models/m","contents":[2],"tools":[3],)"
             R"("system_instruction":{"p":4},"generationConfig":{}}})")
            .body == R"({"model":"publishers/google/models/m","contents":[2],"tools":[3],)"
                     R"("systemInstruction":{"p":4},"generationConfig":{}})");
}

TEST_CASE_FIXTURE(Fixture, "vertex: chat goes to the compatible endpoint with publisher/model") {
  const std::pair<const char*, const char*> cases[] = {
      {"m", "google/m"},
      {"models/m", "google/m"},
      {"meta/llama", "meta/llama"},
      {"publishers/anthropic/models/c", "anthropic/c"},
      {"projects/p/publishers/q/models/c", "q/c"},
  };
  for (const auto& [model, becomes] : cases) {
    const Sent sent = provider->prepare(
        {.protocol = GP_PROTOCOL_OPENAI_CHAT, .model = model, .body = R"({"model":"x","n":1})"},
        account.get());
    CHECK(sent.url ==
          "http://h/v1beta1/projects/proj-1/locations/us-central1/endpoints/openapi/chat/"
          "completions");
    CHECK(sent.body == std::string(R"({"model":")") + becomes + R"(","n":1})");
  }
}

TEST_CASE_FIXTURE(Fixture, "vertex: lists of publisher models get the Gemini API's shape") {
  auto shaped = [&](int32_t operation, std::string body) {
    auto call = provider->begin(
        {.protocol = GP_PROTOCOL_GEMINI,
         .operation = operation,
         .model = operation == GP_OP_MODEL_GET ? "m" : "",
         .query = operation == GP_OP_MODEL_LIST ? "pageSize=3&pageToken=t%2B&x=1" : ""},
        account.get());
    CHECK((call->sent().flags & GP_UPSTREAM_BUFFER) != 0);
    if (operation == GP_OP_MODEL_LIST) {
      CHECK(call->sent().url ==
            "http://h/v1beta1/publishers/google/models?pageSize=3&pageToken=t%2B");
    }
    return call->answer(200, {{"content-type", "application/json"}}, {std::move(body)});
  };
  CHECK(
      shaped(GP_OP_MODEL_LIST,
             R"({"publisherModels":[{"name":"publishers/google/models/a","versionId":"001"},)"
             R"({"name":"publishers/google/models/b@v2","displayName":"B"}],"nextPageToken":"n"})")
          .body ==
      R"({"models":[{"name":"models/a","version":"001"},)"
      R"({"name":"models/b@v2","version":"v2","displayName":"B"}],"nextPageToken":"n"})");
  CHECK(shaped(GP_OP_MODEL_LIST, R"({"publisherModels":{"name":"x/models/a"}})").body ==
        R"({"models":[{"name":"models/a","version":"unknown"}]})");
  CHECK(shaped(GP_OP_MODEL_LIST, "{}").body == R"({"models":[]})");
  CHECK(
      shaped(GP_OP_MODEL_GET, R"({"publisherModel":{"name":"publishers/google/models/a"}})").body ==
      R"({"name":"models/a","version":"unknown"})");
  const std::string already = R"({"name":"models/a","version":"1"})";
  CHECK(shaped(GP_OP_MODEL_GET, already).body == already);
  CHECK(shaped(GP_OP_MODEL_LIST, "<html>").status_code == GP_ERR_INTERNAL);
}

TEST_CASE_FIXTURE(Fixture,
                  "vertex: a key file is taken as downloaded, and asks for a token first") {
  auto raw = provider->open(key_file());
  REQUIRE(raw != nullptr);
  CHECK(raw->flags == (GP_CREDENTIAL_REFRESHABLE | GP_CREDENTIAL_INCOMPLETE));
  CHECK(raw->display_name == "robot@x");
  const Sent sent =
      provider->prepare({.protocol = GP_PROTOCOL_GEMINI, .model = "m", .body = "{}"}, raw.get());
  CHECK(sent.status == GP_ERR_CREDENTIAL_EXPIRED);
  CHECK(sent.cause == GP_CAUSE_INCOMPLETE);
  CHECK(account->flags == GP_CREDENTIAL_REFRESHABLE);
  CHECK(account->expires_at_ms == kNow + 600'000);
  FakeHost::set_now_ms(kNow + 600'000);
  CHECK(send(GP_OP_GENERATE, "m").status == GP_ERR_CREDENTIAL_EXPIRED);
}

TEST_CASE_FIXTURE(Fixture, "vertex: what is no key file is refused by its member") {
  const std::pair<std::string, const char*> cases[] = {
      {R"({"Vertex":{"project_id":"..","client_email":"e","private_key":"k"}})",
       "Vertex.project_id"},
      {R"({"Vertex":{"project_id":"p","client_email":"e","private_key":"k"}})",
       "Vertex.private_key"},
      {key_file(R"(,"universe_domain":"a/b")"), "Vertex.universe_domain"},
      {key_file(R"(,"access_token":"a\r\nb")"), "Vertex.access_token"},
  };
  for (const auto& [text, path] : cases) {
    std::string message, param;
    CHECK(provider->open(text, &message, &param) == nullptr);
    CHECK(param == path);
  }
}

TEST_CASE_FIXTURE(Fixture, "vertex: the JWT grant is signed on the pool and its token stored") {
  auto machine =
      StepMachine::refresh(host, module, *provider, account.get(), key_file(), GP_CAUSE_INCOMPLETE);
  CHECK(machine.step().kind == GP_STEP_COMPUTE);
  StepSeen step = machine.go_on();
  REQUIRE(step.kind == GP_STEP_FETCH);
  CHECK(step.fetch.url == "https://t.test/token");
  CHECK(header(step.fetch.headers, "content-type") == "application/x-www-form-urlencoded");
  const std::string form =
      "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
  REQUIRE(step.fetch.body.starts_with(form));
  const std::string jwt = step.fetch.body.substr(form.size());
  auto part = [&](const std::string& text) {
    FakeArena arena;
    gp_str out{};
    CHECK(fake_crypto()->base64url_decode(arena.handle(), {text.data(), text.size()}, &out) ==
          GP_OK);
    return std::string(out.ptr, out.len);
  };
  const size_t dot = jwt.find('.'), dot2 = jwt.find('.', dot + 1);
  CHECK(part(jwt.substr(0, dot)) == R"({"alg":"RS256","typ":"JWT","kid":"kid"})");
  CHECK(part(jwt.substr(dot + 1, dot2 - dot - 1)) ==
        R"({"iss":"robot@x","scope":"https://www.googleapis.com/auth/cloud-platform",)"
        R"("aud":"https://t.test/token","iat":1767225600,"exp":1767229200})");
  step = machine.reply(200, R"({"access_token":"new","expires_in":1800,"token_type":"Bearer"})");
  REQUIRE(step.kind == GP_STEP_DONE);
  CHECK(json_at(step.credential_json, "/Vertex/access_token") == "new");
  CHECK(json_at(step.credential_json, "/Vertex/expires_at") == "1767227400");
  CHECK(json_at(step.credential_json, "/Vertex/client_id") == "1");
}

TEST_CASE_FIXTURE(Fixture, "vertex: only the endpoint's own refusal of the key is definitive") {
  auto after = [&](int status, std::string body) {
    auto machine =
        StepMachine::refresh(host, module, *provider, account.get(), key_file(), GP_CAUSE_EXPIRING);
    machine.go_on();
    const StepSeen step = machine.reply(status, std::move(body));
    CHECK(step.kind == GP_STEP_FAIL);
    return step.definitive();
  };
  CHECK(after(400, R"({"error":"invalid_grant","error_description":"Invalid JWT Signature."})"));
  CHECK_FALSE(after(
      400,
      R"({"error":"invalid_grant","error_description":"Token must be a short-lived token (60 minutes) and in a reasonable timeframe"})"));
  CHECK_FALSE(after(503, "<html>"));
  CHECK_FALSE(after(200, "{}"));
  auto machine =
      StepMachine::refresh(host, module, *provider, account.get(), key_file(), GP_CAUSE_EXPIRING);
  machine.go_on();
  CHECK_FALSE(machine.broken(GP_FAILURE_CONNECT).definitive());
}

TEST_CASE_FIXTURE(Fixture, "vertex: the settings' token endpoint goes before the key file's") {
  auto own =
      module.create("vertex", R"({"token_uri":"http://b/t","oauth_token_url":"http://a/t"})");
  auto machine =
      StepMachine::refresh(host, module, *own, account.get(), key_file(), GP_CAUSE_EXPIRING);
  CHECK(machine.go_on().fetch.url == "http://a/t");
}

TEST_CASE_FIXTURE(Fixture, "vertex: a refused token is renewed, a limit rests the model") {
  auto judge = [&](int status, std::string body = "", Headers headers = {}) {
    return provider->classify({.status = status,
                               .headers = std::move(headers),
                               .body = std::move(body),
                               .protocol = GP_PROTOCOL_GEMINI},
                              account.get());
  };
  CHECK(judge(401).action == GP_ACTION_REFRESH);
  CHECK(judge(401).cause == GP_CAUSE_REJECTED);
  CHECK(judge(400).action == GP_ACTION_DELIVER);
  CHECK(judge(403).as_usual());
  const Judged disabled = judge(
      403,
      R"({"error":{"details":[{"@type":"x/google.rpc.ErrorInfo","reason":"SERVICE_DISABLED"}]}})");
  CHECK(disabled.scope == GP_SCOPE_CREDENTIAL);
  const Judged limited = judge(429, "", {{"retry-after", "7"}});
  CHECK(limited.scope == GP_SCOPE_MODEL);
  CHECK(limited.until_ms == kNow + 7000);
}
