// The claudecode module alone, under the fake host.
#include <doctest/doctest.h>

#include "testing/fake_json.h"
#include "testing/fake_steps.h"

extern "C" const gp_entry* gproxy_entry_1_claudecode(void);

using namespace gp::testing;

namespace {

constexpr int64_t kNow = 1'767'225'600'000;

struct Fixture {
  FakeHost host;
  Module module{host, gproxy_entry_1_claudecode()};
  std::string message, param;
  std::unique_ptr<Instance> provider = make("{}");
  std::unique_ptr<Credential> account = open(provider, "");
  Fixture() { FakeHost::set_now_ms(kNow); }
  ~Fixture() { CHECK(host.breaches() == std::vector<std::string>{}); }

  std::unique_ptr<Instance> make(const std::string& settings) {
    const std::string base = R"({"base_url":"http://h","claude_ai_base_url":"http://c",)"
                             R"("console_base_url":"http://p/")";
    return module.create("claudecode", settings == "{}" ? base + "}" : base + "," + settings + "}",
                         &message, &param);
  }
  static std::unique_ptr<Credential> open(const std::unique_ptr<Instance>& which,
                                          const std::string& more) {
    return which->open(R"({"ClaudeCode":{"access_token":"at-0","refresh_token":"rt-0")" + more +
                       "}}");
  }
  Sent send(RequestSpec spec, const std::unique_ptr<Instance>& which,
            const std::unique_ptr<Credential>& with) {
    spec.protocol = GP_PROTOCOL_CLAUDE;
    return which->prepare(spec, with.get());
  }
  std::string betas(const std::string& more, std::string model, Headers headers,
                    uint32_t flags = 0) {
    auto with = open(provider, more);
    return header(send({.model = std::move(model),
                        .body = "{}",
                        .headers = std::move(headers),
                        .flags = flags},
                       provider, with)
                      .headers,
                  "anthropic-beta");
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "claudecode: requests go up as they came, with the account's token") {
  const std::string body = R"({"model":"m", "system":"s","messages":[],"x":1e400})";
  const Sent sent = send({.operation = GP_OP_STREAM_GENERATE,
                          .model = "m",
                          .body = body,
                          .query = "beta=true&y=1",
                          .headers = {{"user-agent", "claude-cli/9"}, {"x-app", "cli"}}},
                         provider, account);
  CHECK(sent.url == "http://h/v1/messages?beta=true");
  CHECK(sent.body == body);
  CHECK(header(sent.headers, "authorization") == "Bearer at-0");
  CHECK(header(sent.headers, "user-agent") == "gproxy/0.0.0-test");
  CHECK(header(sent.headers, "anthropic-version") == "2023-06-01");
  CHECK_FALSE(has_header(sent.headers, "x-app"));
  CHECK(send({.operation = GP_OP_COUNT_TOKENS, .body = "{}"}, provider, account).url ==
        "http://h/v1/messages/count_tokens");
  CHECK(send({.operation = GP_OP_MODEL_LIST, .query = "limit=1&z=2"}, provider, account).url ==
        "http://h/v1/models?limit=1");
  CHECK(send({.operation = GP_OP_MODEL_GET, .model = "a/b"}, provider, account).url ==
        "http://h/v1/models/a%2Fb");
  CHECK(send({.operation = GP_OP_MODEL_GET, .model = ".."}, provider, account).status ==
        GP_ERR_INVALID);
  auto vendor = make(R"("client_identity":"vendor","user_agent":"theirs/1")");
  CHECK(header(send({.body = "{}"}, vendor, account).headers, "user-agent") == "theirs/1");
}

TEST_CASE_FIXTURE(Fixture, "claudecode: beta headers") {
  const std::string oauth = "oauth-2025-04-20", longer = "context-1m-2025-08-07";
  CHECK(betas("", "m", {}) == oauth);
  CHECK(betas("", "m", {{"anthropic-beta", "a, b"}, {"Anthropic-Beta", "c"}}) == "a,b,c," + oauth);
  CHECK(betas("", "m", {{"anthropic-beta", oauth}}) == oauth);
  CHECK(betas("", "m", {{"anthropic-beta", "a"}}, GP_REQUEST_TRANSLATED) == oauth);
  // The long context: as the client asks, until it is known to be granted or refused.
  const std::string model = "claude-sonnet-4-5";
  CHECK(betas("", model, {{"anthropic-beta", longer}}) == longer + "," + oauth);
  CHECK(betas("", model, {}) == oauth);
  CHECK(betas(R"(,"supports_claude_1m_sonnet":true)", model, {}) == oauth + "," + longer);
  CHECK(betas(R"(,"supports_claude_1m_sonnet":true)", model, {{"anthropic-beta", longer}}) ==
        longer + "," + oauth);
  CHECK(betas(R"(,"supports_claude_1m_sonnet":false)", model, {{"anthropic-beta", longer}}) ==
        oauth);
  CHECK(betas(R"(,"supports_claude_1m_sonnet":true,"enable_claude_1m_sonnet":false)", model,
              {{"anthropic-beta", longer}}) == oauth);
  CHECK(betas(R"(,"supports_claude_1m_sonnet":true)", "claude-opus-4-6", {}) == oauth);
}

TEST_CASE_FIXTURE(Fixture, "claudecode: a prelude only if the operator sets one") {
  auto named = make(R"("prelude_text":"agent_sdk")");
  auto sentence = make(R"("prelude_txt":"You are \"mine\".")");
  REQUIRE(sentence != nullptr);
  auto body = [&](const std::unique_ptr<Instance>& which, std::string text, Headers headers = {}) {
    const Sent sent =
        send({.body = std::move(text), .headers = std::move(headers)}, which, account);
    CHECK(json_valid(sent.body));
    return sent.body;
  };
  const std::string mine = R"({"type":"text","text":"You are \"mine\"."})";
  CHECK(body(sentence, R"({"a":1})") == R"({"system":[)" + mine + R"(],"a":1})");
  CHECK(body(sentence, "{}") == R"({"system":[)" + mine + "]}");
  CHECK(body(sentence, R"({"system":"s\n"})") ==
        R"({"system":[)" + mine + R"(,{"type":"text","text":"s\n"}]})");
  CHECK(body(sentence, R"({"system":""})") == R"({"system":[)" + mine + "]}");
  CHECK(body(sentence, R"({"system":null})") == R"({"system":[)" + mine + "]}");
  CHECK(body(sentence, R"({"system":[ ]})") == R"({"system":[)" + mine + " ]}");
  CHECK(body(sentence, R"({"system":[{"type":"text","text":"x"}]})") ==
        R"({"system":[)" + mine + R"(,{"type":"text","text":"x"}]})");
  // Not twice, and not for the vendor's own client.
  for (
      const char* text :
      {R"({"system":"You are \"mine\". Really."})",
       R"({"system":[{"type":"text","text":"You are Claude Code, Anthropic's official CLI for Claude."}]})"}) {
    CHECK(body(sentence, text) == text);
  }
  CHECK(body(sentence, "{}", {{"user-agent", "Claude-CLI/2"}}) == "{}");
  CHECK(body(named, "{}").find("Claude Agent SDK") != std::string::npos);
  CHECK(make(R"("prelude_text":"claude_cod")") == nullptr);
  CHECK(param == "prelude_text");
  CHECK(make(R"("prelude_txt":7)") == nullptr);
  CHECK(param == "prelude_txt");
}

TEST_CASE_FIXTURE(Fixture, "claudecode: one sampling parameter for the models that take one") {
  auto body = [&](std::string model, std::string text) {
    return send({.model = std::move(model), .body = std::move(text)}, provider, account).body;
  };
  CHECK(body("claude-opus-4-1-20250805", R"({"temperature":1,"top_p":0.9,"x":2})") ==
        R"({"temperature":1,"x":2})");
  const std::string both = R"({"temperature":1,"top_p":0.9})";
  CHECK(body("claude-haiku-3", both) == both);
  CHECK(body("claude-opus-4-1", R"({"top_p":0.9})") == R"({"top_p":0.9})");
  CHECK(body("claude-opus-4-1", R"({"temperature":null,"top_p":0.9})") ==
        R"({"temperature":null,"top_p":0.9})");
}

TEST_CASE_FIXTURE(Fixture, "claudecode: credentials, with the names that other tools write") {
  auto imported = provider->open(
      R"({"ClaudeCode":{"accessToken":"a","refreshToken":"r","expiresAt":1767229200000,"session_key":"x"}})");
  REQUIRE(imported != nullptr);
  CHECK(imported->expires_at_ms == 1767229200000);
  CHECK(imported->flags == GP_CREDENTIAL_REFRESHABLE);
  auto named = open(
      provider,
      R"(,"expires_at":1767229200,"account_uuid":"u","organization_uuid":"o","user_email":"a@b")");
  CHECK(named->expires_at_ms == 1767229200000);
  CHECK(named->identity == "u/o");
  CHECK(named->display_name == "a@b");
  CHECK(provider->open(R"({"ClaudeCode":{"refresh_token":"r"}})")->flags ==
        (GP_CREDENTIAL_REFRESHABLE | GP_CREDENTIAL_INCOMPLETE));
  CHECK(provider->open(R"({"ClaudeCode":{"session_key":"s"}})", &message, &param) == nullptr);
  CHECK(param == "access_token");
  CHECK(provider->open(R"({"ClaudeCode":{"access_token":"a\nb"}})", &message, &param) == nullptr);
}

TEST_CASE_FIXTURE(Fixture, "claudecode: what failures mean") {
  auto judge = [&](int status, std::string body, Headers headers = {}, std::string model = "m") {
    return provider->classify({.status = status,
                               .headers = std::move(headers),
                               .body = std::move(body),
                               .model = std::move(model)},
                              account.get());
  };
  CHECK(judge(401, R"({"error":{"type":"authentication_error"}})").action == GP_ACTION_REFRESH);
  const auto refused = [&](std::string message) {
    return judge(403, R"({"error":{"type":"permission_error","message":")" + message + R"("}})");
  };
  CHECK(refused("OAuth authentication is currently not allowed for this organization.").action ==
        GP_ACTION_COOL_DOWN);
  CHECK(refused("Your plan does not include this model.").as_usual());
  Judged limited = judge(429, R"({"error":{"type":"rate_limit_error"}})",
                         {{"anthropic-ratelimit-unified-reset", "1767229200"},
                          {"anthropic-ratelimit-unified-representative-claim", "five_hour"}});
  CHECK(limited.scope == GP_SCOPE_CREDENTIAL);
  CHECK(limited.until_ms == 1767229200000);
  CHECK(limited.reason == "usage_limit");
  limited = judge(429, "{}",
                  {{"anthropic-ratelimit-unified-7d-status", "rejected"},
                   {"anthropic-ratelimit-unified-7d-reset", "1767398400"},
                   {"anthropic-ratelimit-unified-5h-status", "allowed"},
                   {"anthropic-ratelimit-unified-5h-reset", "1767999999"},
                   {"anthropic-ratelimit-unified-representative-claim", "seven_day_opus"}});
  CHECK(limited.scope == GP_SCOPE_MODEL);
  CHECK(limited.until_ms == 1767398400000);
  limited = judge(429, R"({"error":{"type":"rate_limit_error"}})", {{"retry-after", "9"}});
  CHECK(limited.scope == GP_SCOPE_MODEL);
  CHECK(limited.until_ms == kNow + 9000);
  CHECK(judge(529, R"({"error":{"type":"overloaded_error"}})").as_usual());

  // A long context that is not granted is remembered, for that family alone.
  const std::string refusal =
      R"({"error":{"type":"invalid_request_error","message":"The long context beta is not yet available for this subscription."}})";
  const Judged patched = judge(400, refusal, {}, "claude-sonnet-4-5");
  CHECK(patched.action == GP_ACTION_RETRY_PATCHED);
  CHECK(
      patched.credential_json ==
      R"({"ClaudeCode":{"access_token":"at-0","refresh_token":"rt-0","supports_claude_1m_sonnet":false}})");
  CHECK(judge(400, refusal, {}, "other").action == GP_ACTION_DELIVER);
  CHECK(judge(403, R"({"error":{"type":"x","message":"forbidden"}})", {}, "claude-sonnet-4-5")
            .action != GP_ACTION_RETRY_PATCHED);
  auto off = open(provider, R"(,"supports_claude_1m_sonnet":false)");
  CHECK(
      provider->classify({.status = 400, .body = refusal, .model = "claude-sonnet-4-5"}, off.get())
          .action == GP_ACTION_DELIVER);
}

TEST_CASE_FIXTURE(Fixture, "claudecode: login by hand, from the address to the credential") {
  auto begun = StepMachine::oauth_start(host, module, *provider, {});
  const StepSeen asked = begun.step();
  const std::string url = json_at(asked.reply_json, "/auth_url");
  CHECK(url.starts_with("http://c/oauth/authorize?code=true&client_id="));
  CHECK(url.find("&redirect_uri=http%3A%2F%2Fp%2Foauth%2Fcode%2Fcallback&") != std::string::npos);
  CHECK(url.find("&state=state-1") != std::string::npos);
  CHECK(json_at(asked.reply_json, "/mode") == "manual");
  CHECK(json_at(asked.reply_json, "/redirect_uri") == "http://p/oauth/code/callback");

  auto login = [&](std::string query) {
    return StepMachine::oauth_callback(host, module, *provider, {.query = std::move(query)},
                                       asked.flow);
  };
  for (const char* query : {"code=c-1", "code=c-1%23state-1", "code=c-1%26more&state=state-1",
                            "callback_url=http%3A%2F%2Fp%2F%3Fcode%3Dc-1%26state%3Dstate-1"}) {
    CAPTURE(query);
    auto machine = login(query);
    CHECK(machine.step().fetch.url == "http://h/v1/oauth/token");
    CHECK(machine.step().fetch.body.find("&code=c-1&") != std::string::npos);
    CHECK(machine.step().fetch.body.find("&state=state-1") != std::string::npos);
    // It does not come from the vendor's page, and does not say so.
    CHECK_FALSE(has_header(machine.step().fetch.headers, "origin"));
    CHECK_FALSE(has_header(machine.step().fetch.headers, "referer"));
  }
  auto vendor = make(R"("client_identity":"vendor")");
  auto theirs =
      StepMachine::oauth_callback(host, module, *vendor, {.query = "code=c-1"}, asked.flow);
  CHECK(header(theirs.step().fetch.headers, "origin") == "http://c");
  CHECK(header(theirs.step().fetch.headers, "referer") == "http://c/");
  CHECK(login("").step().code == "missing code");
  CHECK(login("code=c%23other").step().code == "state_mismatch");
  CHECK(login("error=access_denied").step().http_status == 400);

  auto machine = login("code=c-1");
  const StepSeen profile =
      machine.reply(200, R"({"access_token":"at-1","refresh_token":"rt-1","expires_in":3600})");
  CHECK(profile.fetch.url == "http://h/api/oauth/profile");
  CHECK(header(profile.fetch.headers, "authorization") == "Bearer at-1");
  const StepSeen done = machine.reply(
      200,
      R"({"account":{"uuid":"u","email":"a@b","has_claude_max":true},"organization":{"uuid":"o","rate_limit_tier":"t5"}})");
  REQUIRE(done.kind == GP_STEP_DONE);
  CHECK(done.identity == "u/o");
  CHECK(done.name == "a@b");
  CHECK(done.settings_json == R"({"subscriptionType":"claude_max","rateLimitTier":"t5"})");
  CHECK(
      done.reply_json ==
      R"({"expires_in":3600,"subscriptionType":"claude_max","rateLimitTier":"t5","email":"a@b"})");
  auto opened = provider->open(done.credential_json);
  REQUIRE(opened != nullptr);
  CHECK(opened->identity == done.identity);
  CHECK(opened->expires_at_ms == kNow + 3'600'000);

  // Without a profile the login is good all the same.
  auto bare = login("code=c-1");
  bare.reply(200, R"({"access_token":"at-1","refresh_token":"rt-1"})");
  CHECK(bare.broken(GP_FAILURE_CONNECT).kind == GP_STEP_DONE);
  auto told = login("code=c-1");
  CHECK(
      told.reply(
              200,
              R"({"access_token":"at-1","refresh_token":"rt-1","subscriptionType":"pro","rateLimitTier":"t"})")
          .kind == GP_STEP_DONE);
  auto lacking = login("code=c-1");
  lacking.reply(200, R"({"access_token":"at-1"})");
  CHECK(lacking.reply(200, "{}").code == "missing refresh_token");
}

TEST_CASE_FIXTURE(Fixture,
                  "claudecode: a refresh is one exchange and keeps what it does not know") {
  const std::string stored =
      R"({"ClaudeCode":{"note":1,"access_token":"at-0","refresh_token":"rt-0","expires_at":5}})";
  auto opened = provider->open(stored);
  auto run = [&] { return StepMachine::refresh(host, module, *provider, opened.get(), stored, 0); };
  auto machine = run();
  CHECK(
      machine.step().fetch.body ==
      R"({"grant_type":"refresh_token","client_id":"9d1c250a-e61b-44d9-88ed-5944d1962f5e","refresh_token":"rt-0"})");
  CHECK(
      machine.reply(200, R"({"access_token":"at-9","refresh_token":"rt-9","expires_in":60})")
          .credential_json ==
      R"({"ClaudeCode":{"note":1,"access_token":"at-9","refresh_token":"rt-9","expires_at":1767225660}})");
  auto refused = run();
  CHECK(refused.reply(400, R"({"error":"invalid_grant"})").definitive());
  auto busy = run();
  CHECK_FALSE(busy.reply(529, R"({"error":{"type":"overloaded_error"}})").definitive());
}

TEST_CASE_FIXTURE(Fixture, "claudecode: usage as windows") {
  const std::string stored = R"({"ClaudeCode":{"access_token":"at-0","refresh_token":"rt-0"}})";
  auto run = [&] { return StepMachine::quota(host, module, *provider, account.get(), stored); };
  auto machine = run();
  CHECK(machine.step().fetch.url == "http://p/api/oauth/usage");
  const StepSeen& done = machine.reply(
      200,
      R"({"five_hour":{"utilization":42.5,"resets_at":"2026-01-02T03:04:05Z"},)"
      R"("seven_day":{"utilization":7,"resets_at":"2026-01-05T01:00:00.943648+01:00"},)"
      R"("seven_day_opus":{"utilization":0,"resets_at":null},"seven_day_x":null,)"
      R"("extra_usage":{"is_enabled":true,"monthly_limit":100,"used_credits":5,"utilization":5}})");
  CHECK(
      done.windows_json ==
      R"([{"name":"five_hour","scope":"account","used_percent":42.5,"resets_at_ms":1767323045000},)"
      R"({"name":"seven_day","scope":"account","used_percent":7,"resets_at_ms":1767571200000},)"
      R"({"name":"seven_day","scope":"opus","used_percent":0},)"
      R"({"name":"extra_usage","scope":"account","used_percent":5,"used":5,"limit":100}])");
  auto refused = run();
  CHECK(refused.reply(401, "{}").http_status == 401);
}

TEST_CASE_FIXTURE(Fixture, "claudecode: settings that do not fit") {
  for (const char* name : {"authorize_url", "token_url", "profile_url", "usage_url"}) {
    CHECK(make(std::string("\"") + name + R"(":"ftp://h")") == nullptr);
    CHECK(param == name);
  }
  CHECK(make(R"("client_identity":"me")") == nullptr);
  CHECK(param == "client_identity");
}
