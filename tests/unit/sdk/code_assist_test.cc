// The modules geminicli and antigravity alone, under the fake host: what they share is checked on
// both.
#include <doctest/doctest.h>

#include "gproxy/ext/credential.h"
#include "testing/fake_host.h"
#include "testing/fake_json.h"
#include "testing/fake_steps.h"

extern "C" const gp_entry* gproxy_entry_1_geminicli(void);
extern "C" const gp_entry* gproxy_entry_1_antigravity(void);

using namespace gp::testing;

namespace {

constexpr int64_t kNow = 1'767'225'600'000;

struct Product {
  const char* kind;
  const char* tag;
  const gp_entry* entry;
};

struct Fixture {
  explicit Fixture(const Product& product, std::string more = "")
      : product(product),
        module(host, product.entry),
        provider(module.create(
            product.kind,
            R"({"base_url":"http://h","authorize_url":"http://a/auth","token_url":"http://t/token",)"
            R"("userinfo_url":"http://u/me","client_id":"cid","client_secret":"csecret")" +
                more + "}")),
        account(provider->open(text())) {
    FakeHost::set_now_ms(kNow);
  }
  ~Fixture() { CHECK(host.breaches() == std::vector<std::string>{}); }

  std::string text(std::string members =
                       R"("access_token":"acc1","refresh_token":"ref1","expires_at":1767229200,)"
                       R"("project_id":"proj","user_email":"p@x","kept":7)") const {
    return std::string("{\"") + product.tag + "\":{" + std::move(members) + "}}";
  }
  std::string at(const std::string& json, std::string pointer) const {
    return json_at(json, std::string("/") + product.tag + pointer);
  }
  RequestSpec spec(int32_t operation, std::string body = R"({"contents":[1]})",
                   std::string query = "", uint32_t flags = 0) const {
    return {.protocol = GP_PROTOCOL_GEMINI,
            .operation = operation,
            .model = operation == GP_OP_MODEL_LIST ? "" : "m\"1",
            .body = std::move(body),
            .query = std::move(query),
            .flags = flags};
  }
  StepMachine refresh(std::string credential, int32_t cause) {
    return StepMachine::refresh(host, module, *provider, account.get(), std::move(credential),
                                cause);
  }

  const Product& product;
  FakeHost host;
  Module module;
  std::unique_ptr<Instance> provider;
  std::unique_ptr<Credential> account;
};

const Product kProducts[] = {
    {"geminicli", "GeminiCli", gproxy_entry_1_geminicli()},
    {"antigravity", "Antigravity", gproxy_entry_1_antigravity()},
};

const Headers kEvents = {{"content-type", "text/event-stream"}};

std::vector<std::string> cut(const std::string& text, size_t at) {
  return {text.substr(0, at), text.substr(at)};
}

}  // namespace

TEST_CASE("code assist: requests go up in the envelope, spliced around the client's body") {
  for (const Product& product : kProducts) {
    Fixture f(product);
    const Sent sent =
        f.provider->prepare(f.spec(GP_OP_GENERATE, R"({ "contents" :[1] })"), f.account.get());
    CHECK(sent.url == "http://h/v1internal:generateContent");
    CHECK(sent.splices == 2);
    CHECK(json_at(sent.body, "/model") == "m\"1");
    CHECK(json_at(sent.body, "/project") == "proj");
    CHECK(json_at(sent.body, "/request") == R"({ "contents" :[1] })");
    CHECK(json_at(sent.body, "/user_prompt_id").empty() == (product.kind[0] == 'a'));
    CHECK(header(sent.headers, "authorization") == "Bearer acc1");
    CHECK(header(sent.headers, "user-agent").starts_with("gproxy/"));
    const Sent stream = f.provider->prepare(f.spec(GP_OP_STREAM_GENERATE), f.account.get());
    CHECK(stream.url == "http://h/v1internal:streamGenerateContent?alt=sse");
    CHECK((stream.flags & GP_UPSTREAM_STREAM) != 0);
  }
}

TEST_CASE("code assist: the vendor's identity is sent only where it is asked for") {
  for (const Product& product : kProducts) {
    Fixture f(product, R"(,"client_identity":"vendor","vendor_user_agent":"Own/1")");
    CHECK(header(f.provider->prepare(f.spec(GP_OP_GENERATE), f.account.get()).headers,
                 "user-agent") == "Own/1");
  }
}

TEST_CASE("code assist: a whole answer loses its envelope, twice wrapped too") {
  for (const Product& product : kProducts) {
    Fixture f(product);
    auto answer = [&](std::string body) {
      auto call = f.provider->begin(f.spec(GP_OP_GENERATE), f.account.get());
      return call->answer(200, {{"content-type", "application/json"}}, {std::move(body)});
    };
    CHECK(answer(R"({"response":{"a":1},"traceId":"t"})").body == R"({"a":1})");
    CHECK(answer(R"({"response":{"response":{"a":1}}})").body == R"({"a":1})");
    CHECK(answer(R"({"other":1})").body == R"({"other":1})");
    CHECK(answer("<html>").status_code == GP_ERR_INTERNAL);
    CHECK(answer("[1]").status_code == GP_ERR_INTERNAL);
  }
}

TEST_CASE("code assist: an enveloped stream cut at any byte gives the same events") {
  const std::string stream =
      ": hello\r\n\r\ndata: {\"response\":{\"candidates\":[{\"content\":{\"role\":\"model\","
      "\"parts\":[{\"text\":\"gr\xc3\xbc\xc3\x9f \\u00e9\"}]}}]},\"traceId\":\"1\"}\r\n\r\n"
      "event: x\ndata: {\"response\":\ndata:  {\"n\":[1,2]}}\n\n"
      "data: [{\"response\":{\"k\":1}},{\"response\":{\"k\":2}}]\r\r"
      "data:{\"error\":{\"code\":429}}\n\ndata: [DONE]\n\n";
  const std::string events =
      "data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"gr\xc3\xbc"
      "\xc3\x9f \\u00e9\"}]}}]}\n\ndata: {\"n\":[1,2]}\n\ndata: {\"k\":1}\n\ndata: {\"k\":2}\n\n"
      "data: {\"error\":{\"code\":429}}\n\ndata: [DONE]\n\n";
  const std::string array =
      "[{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"gr\xc3\xbc"
      "\xc3\x9f \\u00e9\"}]}}]},\r\n{\"n\":[1,2]},\r\n{\"k\":1},\r\n{\"k\":2},\r\n"
      "{\"error\":{\"code\":429}}]";
  for (const Product& product : kProducts) {
    Fixture f(product);
    auto run = [&](std::string query, uint32_t flags, const std::vector<std::string>& pieces) {
      auto call = f.provider->begin(f.spec(GP_OP_STREAM_GENERATE, "{}", std::move(query), flags),
                                    f.account.get());
      return call->answer(200, kEvents, pieces);
    };
    for (size_t at = 0; at <= stream.size(); ++at) {
      CHECK(run("alt=sse", 0, cut(stream, at)).body == events);
      CHECK(run("", GP_REQUEST_NEEDS_SSE, cut(stream, at)).body == events);
      const Answer plain = run("", 0, cut(stream, at));
      CHECK(plain.body == array);
      CHECK(header(plain.headers, "content-type").starts_with("application/json"));
    }
    std::vector<std::string> bytes;
    for (char c : stream) bytes.emplace_back(1, c);
    CHECK(run("alt=sse", 0, bytes).body == events);
    CHECK(run("", 0, {""}).body == "[]");
    // The last event may lack its empty line; a broken one is nobody's event.
    CHECK(run("alt=sse", 0, {"data: {\"response\":{\"z\":1}}"}).body == "data: {\"z\":1}\n\n");
    CHECK(run("alt=sse", 0, {"data: {\"response\":{\"z\""}).status_code == GP_ERR_INTERNAL);
    CHECK(run("alt=sse", 0, {"<html>\n\n"}).status_code == GP_ERR_INTERNAL);
  }
}

TEST_CASE("code assist: a reader that leaves ends the unwrapping") {
  for (const Product& product : kProducts) {
    Fixture f(product);
    auto call = f.provider->begin(f.spec(GP_OP_STREAM_GENERATE, "{}", "alt=sse"), f.account.get());
    call->answer_cancelled_after(1, {"data: {\"a\":1}\n\ndata: {\"b\":1}\n\ndata: {\"c\":1}\n\n"});
  }
}

TEST_CASE("antigravity: content without parts gets an empty list") {
  Fixture f(kProducts[1]);
  auto call = f.provider->begin(f.spec(GP_OP_STREAM_GENERATE, "{}", "alt=sse"), f.account.get());
  CHECK(call->answer(200, kEvents,
                     {"data: {\"response\":{\"candidates\":[{\"content\":{\"role\":\"model\"}},"
                      "{\"content\":{}},{\"content\":{\"parts\":[1]}},{\"x\":1}]}}\n\n"})
            .body ==
        "data: {\"candidates\":[{\"content\":{\"parts\":[],\"role\":\"model\"}},"
        "{\"content\":{\"parts\":[]}},{\"content\":{\"parts\":[1]}},{\"x\":1}]}\n\n");
}

TEST_CASE("antigravity: its own headers, marks in names taken off, models shaped") {
  Fixture f(kProducts[1]);
  RequestSpec spec = f.spec(GP_OP_GENERATE);
  for (const char* name : {"假流式/m-image", "m-image-流式抗截断", "models/m-image"}) {
    spec.model = name;
    const Sent sent = f.provider->prepare(spec, f.account.get());
    CHECK(json_at(sent.body, "/model") == "m-image");
    CHECK(header(sent.headers, "requesttype") == "image_gen");
    CHECK(header(sent.headers, "requestid").starts_with("gproxy-"));
  }
  const std::string vendor =
      R"({"models":{"b":{"displayName":"B","maxTokens":10,"maxOutputTokens":5},"a":{}}})";
  auto list = f.provider->begin(f.spec(GP_OP_MODEL_LIST, ""), f.account.get());
  CHECK(list->sent().method == "POST");
  CHECK(list->sent().body == "{}");
  const std::string shaped = list->answer(200, {}, {vendor}).body;
  CHECK(json_at(shaped, "/models/0/name") == "models/a");
  CHECK(json_at(shaped, "/models/1/displayName") == "B");
  CHECK(json_at(shaped, "/models/1/inputTokenLimit") == "10");
  auto get = [&](std::string id) {
    RequestSpec one = f.spec(GP_OP_MODEL_GET, "");
    one.model = std::move(id);
    return f.provider->begin(one, f.account.get())
        ->answer(200, {}, {R"({"models":[{"id":"x"},{"name":"models/y"},{"id":"x"}]})"});
  };
  CHECK(get("models/y").status == 200);
  CHECK(get("z").status == 404);
}

TEST_CASE("antigravity: counts are estimated here, or asked for where the settings say so") {
  Fixture f(kProducts[1]);
  CHECK(f.provider->mode(GP_PROTOCOL_GEMINI, GP_OP_COUNT_TOKENS) == GP_ROUTE_LOCAL);
  const Answer estimated = f.provider->respond(f.spec(
      GP_OP_COUNT_TOKENS,
      R"({"contents":[{"parts":[{"text":"üüüüü"},{"inlineData":{}}]},{"parts":[{"text":"x"}]}]})"));
  CHECK(estimated.body == R"({"totalTokens":2})");
  CHECK(header(estimated.headers, "x-gproxy-estimated") == "1");
  Fixture asks(kProducts[1], R"(,"count_tokens":"upstream")");
  CHECK(asks.provider->mode(GP_PROTOCOL_GEMINI, GP_OP_COUNT_TOKENS) == GP_ROUTE_NATIVE);
  CHECK(asks.provider->prepare(asks.spec(GP_OP_COUNT_TOKENS), asks.account.get()).body ==
        R"({"request":{"model":"models/m\"1","contents":[1]}})");
}

TEST_CASE("code assist: a login without the operator's OAuth client names the setting") {
  for (const Product& product : kProducts) {
    FakeHost host;
    Module module(host, product.entry);
    auto bare = module.create(product.kind, "{}");
    auto start = StepMachine::oauth_start(host, module, *bare, {});
    CHECK(start.step().kind == GP_STEP_FAIL);
    CHECK(start.step().http_status == 400);
    CHECK(start.step().message.find("client_id") != std::string::npos);
    auto half = module.create(product.kind, R"({"client_id":"x"})");
    start = StepMachine::oauth_start(host, module, *half, {});
    CHECK(start.step().message.find("client_secret") != std::string::npos);
    CHECK(host.breaches().empty());
  }
}

TEST_CASE("code assist: the vendor may send the browser back to gproxy itself") {
  for (const Product& product : kProducts) {
    Fixture f(product);
    auto start = StepMachine::oauth_start(
        f.host, f.module, *f.provider,
        {.state = "st", .redirect_uri = "https://gw.example/p/oauth/callback"});
    REQUIRE(start.step().kind == GP_STEP_REPLY);
    CHECK(json_at(start.step().reply_json, "/mode") == "redirect");
    CHECK(json_at(start.step().reply_json, "/redirect_uri") ==
          "https://gw.example/p/oauth/callback");
    CHECK(json_at(start.step().reply_json, "/auth_url")
              .find("redirect_uri=https%3A%2F%2Fgw.example%2Fp%2Foauth%2Fcallback") !=
          std::string::npos);
    // What the caller names himself comes first.
    auto named = StepMachine::oauth_start(f.host, f.module, *f.provider,
                                          {.query = "redirect_uri=http%3A%2F%2Fback%2Fcb",
                                           .state = "st",
                                           .redirect_uri = "https://gw.example/p/oauth/callback"});
    CHECK(json_at(named.step().reply_json, "/redirect_uri") == "http://back/cb");
    CHECK(json_at(named.step().reply_json, "/mode") == "manual");
  }
}

TEST_CASE("code assist: a login from its start to the stored account") {
  for (const Product& product : kProducts) {
    Fixture f(product);
    auto start =
        StepMachine::oauth_start(f.host, f.module, *f.provider,
                                 {.query = "redirect_uri=http%3A%2F%2Fback%2Fcb", .state = "st"});
    REQUIRE(start.step().kind == GP_STEP_REPLY);
    CHECK(start.step().keeps_flow());
    const std::string url = json_at(start.step().reply_json, "/auth_url");
    CHECK(url.starts_with(
        "http://a/auth?response_type=code&client_id=cid&redirect_uri=http%3A%2F%2Fback%2Fcb"));
    CHECK(url.find("&state=st") != std::string::npos);
    CHECK(url.find("code_challenge_method=S256") != std::string::npos);
    CHECK(json_at(start.step().reply_json, "/mode") == "manual");

    auto back = StepMachine::oauth_callback(
        f.host, f.module, *f.provider,
        {.query = "callback_url=http%3A%2F%2Fback%2Fcb%3Fcode%3Dc1%26state%3Dst%23frag"},
        start.step().flow);
    StepSeen step = back.step();
    REQUIRE(step.kind == GP_STEP_FETCH);
    CHECK(step.fetch.url == "http://t/token");
    for (const char* part : {"grant_type=authorization_code", "code=c1", "client_secret=csecret",
                             "code_verifier=", "redirect_uri=http%3A%2F%2Fback%2Fcb"}) {
      CHECK(step.fetch.body.find(part) != std::string::npos);
    }
    step = back.reply(200, R"({"access_token":"A","refresh_token":"R","expires_in":3599})");
    CHECK(step.fetch.url == "http://u/me?alt=json");
    CHECK(header(step.fetch.headers, "authorization") == "Bearer A");
    step = back.reply(200, R"({"email":"me@x"})");
    CHECK(step.fetch.url == "http://h/v1internal:loadCodeAssist");
    step = back.reply(200, R"({"allowedTiers":[{"id":"l"},{"id":"free-tier","isDefault":true}]})");
    CHECK(step.fetch.url == "http://h/v1internal:onboardUser");
    CHECK(json_at(step.fetch.body, "/tierId") == "free-tier");
    step = back.reply(200, R"({"done":false})");
    CHECK(step.kind == GP_STEP_WAIT);
    step = back.go_on();
    CHECK(step.fetch.url == "http://h/v1internal:onboardUser");
    step = back.reply(200, R"({"done":true,"response":{"cloudaicompanionProject":{"id":"made"}}})");
    REQUIRE(step.kind == GP_STEP_DONE);
    CHECK(f.at(step.credential_json, "/access_token") == "A");
    CHECK(f.at(step.credential_json, "/refresh_token") == "R");
    CHECK(f.at(step.credential_json, "/expires_at") == "1767229199");
    CHECK(f.at(step.credential_json, "/project_id") == "made");
    CHECK(f.at(step.credential_json, "/user_email") == "me@x");
    CHECK(step.identity == "me@x");
    CHECK(step.name == std::string(product.kind) + ":made");
    CHECK(f.provider->open(step.credential_json) != nullptr);
  }
}

TEST_CASE("code assist: a login that goes wrong says what is missing") {
  for (const Product& product : kProducts) {
    Fixture f(product);
    auto flow = [&] {
      return StepMachine::oauth_start(f.host, f.module, *f.provider, {}).step().flow;
    };
    auto back = [&](std::string query) {
      return StepMachine::oauth_callback(f.host, f.module, *f.provider, {.query = std::move(query)},
                                         flow());
    };
    CHECK(back("state=x").step().code == "missing_code");
    auto machine = back("code=c");
    CHECK(machine.reply(200, R"({"access_token":"A"})").code == "missing_refresh_token");
    machine = back("code=c");
    CHECK(machine.reply(400, R"({"error":"invalid_grant"})").http_status == 400);
    // Nothing finds a project: one kind makes a name up, the other cannot go on.
    machine = back("code=c");
    machine.reply(200, R"({"access_token":"A","refresh_token":"R"})");
    machine.reply(500, "");
    const StepSeen step = machine.reply(403, "{}");
    if (product.kind[0] == 'a') {
      CHECK(f.at(step.credential_json, "/project_id").starts_with("gproxy-"));
    } else {
      CHECK(step.code == "missing_project");
      CHECK(step.http_status == 400);
    }
    machine = back("code=c&project_id=given");
    machine.reply(200, R"({"access_token":"A","refresh_token":"R"})");
    CHECK(f.at(machine.broken(GP_FAILURE_CONNECT).credential_json, "/project_id") == "given");
  }
}

TEST_CASE("code assist: a refresh keeps what it does not know and tells refusal from bad luck") {
  for (const Product& product : kProducts) {
    Fixture f(product);
    auto machine = f.refresh(f.text(), GP_CAUSE_EXPIRING);
    StepSeen step = machine.step();
    CHECK(step.fetch.body.find("refresh_token=ref1") != std::string::npos);
    CHECK(step.fetch.body.find("client_id=cid") != std::string::npos);
    step = machine.reply(200, R"({"access_token":"acc2","expires_in":100})");
    if (product.kind[0] == 'a') {  // looks its project up with each new token
      CHECK(step.fetch.url == "http://h/v1internal:loadCodeAssist");
      step = machine.reply(200, R"({"currentTier":{},"cloudaicompanionProject":"proj2"})");
      CHECK(f.at(step.credential_json, "/project_id") == "proj2");
    }
    REQUIRE(step.kind == GP_STEP_DONE);
    CHECK(f.at(step.credential_json, "/access_token") == "acc2");
    CHECK(f.at(step.credential_json, "/refresh_token") == "ref1");
    CHECK(f.at(step.credential_json, "/expires_at") == "1767225700");
    CHECK(f.at(step.credential_json, "/kept") == "7");

    machine = f.refresh(f.text(), GP_CAUSE_REJECTED);
    CHECK(machine.reply(400, R"({"error":"invalid_grant"})").definitive());
    machine = f.refresh(f.text(), GP_CAUSE_REJECTED);
    CHECK_FALSE(machine.reply(503, "").definitive());
    machine = f.refresh(f.text(), GP_CAUSE_REJECTED);
    CHECK_FALSE(machine.broken(GP_FAILURE_CONNECT).definitive());
  }
}

TEST_CASE("code assist: an account's own OAuth client goes before the settings'") {
  for (const Product& product : kProducts) {
    Fixture f(product);
    auto machine = f.refresh(
        f.text(R"("refresh_token":"r","project_id":"p","client_id":"own","client_secret":"os")"),
        GP_CAUSE_EXPIRING);
    CHECK(machine.step().fetch.body.find("client_id=own&client_secret=os") != std::string::npos);
    machine = f.refresh(f.text(R"("refresh_token":"r","project_id":"p","client_id":"other")"),
                        GP_CAUSE_EXPIRING);
    CHECK(machine.step().code == "client_mismatch");
    CHECK_FALSE(machine.step().definitive());
  }
}

TEST_CASE("code assist: an account without a project looks for it before its first use") {
  for (const Product& product : kProducts) {
    Fixture f(product);
    const std::string text = f.text(R"("access_token":"a","refresh_token":"r1")");
    auto opened = f.provider->open(text);
    CHECK((opened->flags & GP_CREDENTIAL_INCOMPLETE) != 0);
    CHECK(f.provider->prepare(f.spec(GP_OP_GENERATE), opened.get()).cause == GP_CAUSE_INCOMPLETE);
    auto machine = f.refresh(text, GP_CAUSE_INCOMPLETE);
    CHECK(machine.step().fetch.url == "http://h/v1internal:loadCodeAssist");
    // The token has run out in the meantime: it is renewed, once.
    StepSeen step = machine.reply(401, "{}");
    CHECK(step.fetch.url == "http://t/token");
    step = machine.reply(200, R"({"access_token":"a2","refresh_token":"r2"})");
    CHECK(step.fetch.url == "http://h/v1internal:loadCodeAssist");
    CHECK(header(step.fetch.headers, "authorization") == "Bearer a2");
    // A rotated token is kept even if the project is not found.
    step = machine.reply(401, "{}");
    REQUIRE(step.kind == GP_STEP_DONE);
    CHECK(f.at(step.credential_json, "/refresh_token") == "r2");
  }
}

TEST_CASE("code assist: a 404 looks the project up again, not more often than it helps") {
  for (const Product& product : kProducts) {
    Fixture f(product);
    const Judged first = f.provider->classify({.status = 404}, f.account.get());
    CHECK(first.action == GP_ACTION_REFRESH);
    auto machine = f.refresh(f.text(), first.cause);
    CHECK(machine.step().fetch.url == "http://h/v1internal:loadCodeAssist");
    const StepSeen step =
        machine.reply(200, R"({"currentTier":{},"cloudaicompanionProject":"proj9"})");
    CHECK(f.at(step.credential_json, "/project_id") == "proj9");
    auto looked = f.provider->open(step.credential_json);
    CHECK(f.provider->classify({.status = 404}, looked.get()).action == GP_ACTION_DELIVER);
    FakeHost::set_now_ms(kNow + 11 * 60'000);
    CHECK(f.provider->classify({.status = 404}, looked.get()).action == GP_ACTION_REFRESH);
  }
}

TEST_CASE("code assist: limits rest the model until the vendor's reset") {
  for (const Product& product : kProducts) {
    Fixture f(product);
    auto judge = [&](std::string details, std::string message = "m") {
      return f.provider->classify(
          {.status = 429,
           .body = R"({"error":{"code":429,"message":")" + message +
                   R"(","status":"RESOURCE_EXHAUSTED","details":[)" + details + "]}}"},
          f.account.get());
    };
    Judged j = judge(
        R"({"@type":"t/google.rpc.ErrorInfo","reason":"QUOTA_EXHAUSTED","metadata":{"quotaResetTimeStamp":"2026-01-01T02:00:00Z"}},)"
        R"({"@type":"t/google.rpc.RetryInfo","retryDelay":"3s"})");
    CHECK(j.until_ms == kNow + 2 * 3600'000);
    CHECK(j.scope == GP_SCOPE_MODEL);
    CHECK(j.reason == "quota_exhausted");
    CHECK(judge("", "Your quota will reset after 1h0m5s.").until_ms == kNow + 3605'000);
    CHECK(judge(R"({"@type":"t/google.rpc.RetryInfo","retryDelay":"1.5s"})").until_ms ==
          kNow + 1500);
    CHECK(f.provider->classify({.status = 401}, f.account.get()).action == GP_ACTION_REFRESH);
    auto fixed = f.provider->open(f.text(R"("access_token":"a","project_id":"p")"));
    CHECK(f.provider->classify({.status = 401}, fixed.get()).action == GP_ACTION_DEAD);
    CHECK(
        f.provider
            ->classify(
                {.status = 403,
                 .body =
                     R"({"error":{"details":[{"@type":"t/google.rpc.ErrorInfo","reason":"VALIDATION_REQUIRED"}]}})"},
                f.account.get())
            .scope == GP_SCOPE_CREDENTIAL);
  }
}

TEST_CASE("code assist: what is left of the quota, raw and as windows") {
  const std::string answers[] = {
      R"({"buckets":[{"modelId":"m1","tokenType":"REQUESTS","remainingFraction":0.25,)"
      R"("remainingAmount":"250","resetTime":"2026-01-01T00:00:05Z"},{"modelId":"m2"}]})",
      R"({"models":{"m1":{"quotaInfo":{"remainingFraction":0.25,"resetTime":"2026-01-01T00:00:05Z"}},"m2":{}}})",
  };
  const std::string windows[] = {
      R"([{"name":"REQUESTS","scope":"model:m1","used_percent":75,"remaining":250,"resets_at_ms":1767225605000}])",
      R"([{"name":"quota","scope":"model:m1","used_percent":75,"resets_at_ms":1767225605000}])",
  };
  const char* paths[] = {"retrieveUserQuota", "fetchAvailableModels"};
  for (size_t i = 0; i < 2; ++i) {
    Fixture f(kProducts[i]);
    auto machine = StepMachine::quota(f.host, f.module, *f.provider, f.account.get(), f.text());
    CHECK(machine.step().fetch.url == std::string("http://h/v1internal:") + paths[i]);
    CHECK(header(machine.step().fetch.headers, "authorization") == "Bearer acc1");
    const StepSeen step = machine.reply(200, answers[i]);
    CHECK(step.reply_json == answers[i]);
    CHECK(step.windows_json == windows[i]);
    machine = StepMachine::quota(f.host, f.module, *f.provider, f.account.get(), f.text());
    CHECK(machine.reply(403, "{}").http_status == 403);
    machine = StepMachine::quota(f.host, f.module, *f.provider, f.account.get(), f.text());
    CHECK(machine.reply(200, "<html>").http_status == 502);
  }
}
