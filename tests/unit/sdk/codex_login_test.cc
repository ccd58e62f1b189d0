// The codex module's step machines under the fake host: logins, refresh, quota.
#include <doctest/doctest.h>

#include "testing/fake_json.h"
#include "testing/fake_steps.h"

extern "C" const gp_entry* gproxy_entry_1_codex(void);

using namespace gp::testing;

namespace {

constexpr int64_t kNow = 1'767'225'600'000;

std::string base64url(std::string_view text) {
  static constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) out += kAlphabet[bits >> (count - 6) & 63];
  }
  if (count > 0) out += kAlphabet[bits << (6 - count) & 63];
  return out;
}
std::string token(const std::string& claims) {
  return base64url(R"({"alg":"none"})") + "." + base64url(claims) + ".sig";
}
const std::string kIdToken = token(
    R"({"email":"a@b","https://api.openai.com/auth":{"chatgpt_plan_type":"plus","chatgpt_account_id":"acct"}})");

struct Fixture {
  FakeHost host;
  Module module{host, gproxy_entry_1_codex()};
  std::unique_ptr<Instance> provider =
      module.create("codex", R"({"base_url":"http://h/api/codex","issuer":"http://i"})");
  Fixture() { FakeHost::set_now_ms(kNow); }
  ~Fixture() { CHECK(host.breaches() == std::vector<std::string>{}); }

  StepMachine start(std::string query) {
    return StepMachine::oauth_start(host, module, *provider, {.query = std::move(query)});
  }
  StepMachine callback(std::string query, std::string flow) {
    return StepMachine::oauth_callback(host, module, *provider, {.query = std::move(query)},
                                       std::move(flow));
  }
  StepMachine refresh(const std::string& json, int32_t cause = 0) {
    opened = provider->open(json);
    return StepMachine::refresh(host, module, *provider, opened.get(), json, cause);
  }
  std::unique_ptr<Credential> opened;
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "codex: browser login, from the address to the credential") {
  auto begun = start("mode=browser&allowed_workspace_id=w%201");
  const StepSeen asked = begun.step();
  CHECK(asked.kind == GP_STEP_REPLY);
  CHECK(asked.keeps_flow());
  const std::string url = json_at(asked.reply_json, "/auth_url");
  CHECK(url.starts_with("http://i/oauth/authorize?response_type=code&client_id=app_"));
  for (const char* part :
       {"&redirect_uri=http%3A%2F%2Flocalhost%3A1455%2Fauth%2Fcallback",
        "&scope=openid%20profile%20email%20offline_access", "&code_challenge_method=S256",
        "&id_token_add_organizations=true", "&codex_cli_simplified_flow=true", "&state=state-1",
        "&originator=gproxy", "&allowed_workspace_id=w%201"}) {
    CAPTURE(part);
    CHECK(url.find(part) != std::string::npos);
  }
  CHECK(json_at(asked.reply_json, "/mode") == "authorization_code");
  const std::string verifier = json_at(asked.flow, "/verifier");
  CHECK(verifier.size() == 86);
  CHECK(asked.reply_json.find(verifier) == std::string::npos);

  auto back = callback(
      "callback_url=http%3A%2F%2Flocalhost%3A1455%2Fauth%2Fcallback%3Fcode%3Dc-1%26state%3Dstate-1%"
      "23x",
      asked.flow);
  CHECK(back.step().kind == GP_STEP_FETCH);
  CHECK(back.step().fetch.url == "http://i/oauth/token");
  CHECK(back.step().fetch.body.find("grant_type=authorization_code&code=c-1&redirect_uri=http") ==
        0);
  CHECK(back.step().fetch.body.find("&code_verifier=" + verifier) != std::string::npos);
  CHECK(header(back.step().fetch.headers, "user-agent") == "gproxy/0.0.0-test");

  const StepSeen done =
      back.reply(200, R"({"access_token":"at-1","refresh_token":"rt-1","id_token":")" + kIdToken +
                          R"(","expires_in":3600})");
  REQUIRE(done.kind == GP_STEP_DONE);
  CHECK(done.identity == "acct");
  CHECK(done.name == "a@b");
  CHECK(done.reply_json == R"({"account_id":"acct","email":"a@b","plan":"plus"})");
  CHECK(json_at(done.credential_json, "/Codex/expires_at") == "1767229200");
  auto account = provider->open(done.credential_json);
  REQUIRE(account != nullptr);
  CHECK(account->identity == done.identity);
  CHECK(account->flags == GP_CREDENTIAL_REFRESHABLE);
}

TEST_CASE_FIXTURE(Fixture, "codex: what goes wrong on the way back from the browser") {
  const std::string flow = start("mode=pkce").step().flow;
  CHECK(callback("", flow).step().code == "missing code");
  CHECK(callback("code=c&state=other", flow).step().code == "state_mismatch");
  const StepSeen denied = callback("error=access_denied&error_description=No", flow).step();
  CHECK(denied.http_status == 400);
  CHECK(denied.message == "No");
  auto exchange = [&](int status, const std::string& body) {
    auto machine = callback("code=c", flow);
    return machine.reply(status, body);
  };
  CHECK(exchange(200, R"({"access_token":"a","id_token":"x"})").code == "missing_refresh_token");
  CHECK(exchange(200, R"({"access_token":"a","refresh_token":"r"})").code == "missing_id_token");
  CHECK(
      exchange(200, R"({"access_token":"a","refresh_token":"r","id_token":"not a token"})").code ==
      "missing_account_id");
  CHECK(exchange(200, "<html>").code == "oauth_token_failed");
  CHECK(exchange(500, "oops").message == "the token endpoint answered 500");
  CHECK(exchange(400, R"({"error":"invalid_grant","error_description":"secret"})").message ==
        "the token endpoint answered 400 invalid_grant");
  auto unreachable = callback("code=c", flow);
  CHECK(unreachable.broken(GP_FAILURE_CONNECT).http_status == 502);
}

TEST_CASE_FIXTURE(Fixture, "codex: device login polls until the person has agreed") {
  auto begun = start("");
  CHECK(begun.step().fetch.url == "http://i/api/accounts/deviceauth/usercode");
  CHECK(begun.step().fetch.body.starts_with(R"({"client_id":"app_)"));
  const StepSeen asked =
      begun.reply(200, R"({"device_auth_id":"d-1","usercode":"AB-12","interval":"7"})");
  CHECK(asked.kind == GP_STEP_REPLY);
  CHECK(json_at(asked.reply_json, "/mode") == "device_auth");
  CHECK(json_at(asked.reply_json, "/user_code") == "AB-12");
  CHECK(json_at(asked.reply_json, "/interval") == "7");
  CHECK(json_at(asked.reply_json, "/verification_uri") == "http://i/codex/device");

  auto poll = callback("state=state-1", asked.flow);
  CHECK(poll.step().fetch.url == "http://i/api/accounts/deviceauth/token");
  CHECK(poll.step().fetch.body == R"({"device_auth_id":"d-1","user_code":"AB-12"})");
  const StepSeen pending = poll.reply(403, "{}");
  CHECK(pending.kind == GP_STEP_REPLY);
  CHECK(pending.http_status == 409);
  CHECK(pending.keeps_flow());
  CHECK(pending.reply_json == R"({"error":"authorization_pending: retry after 7s"})");

  auto again = callback("", pending.flow);
  const StepSeen exchange =
      again.reply(200, R"({"authorization_code":"c-1","code_verifier":"v-1"})");
  CHECK(exchange.fetch.url == "http://i/oauth/token");
  CHECK(exchange.fetch.body.find("code=c-1&redirect_uri=http%3A%2F%2Fi%2Fdeviceauth%2Fcallback") !=
        std::string::npos);
  CHECK(exchange.fetch.body.find("code_verifier=v-1") != std::string::npos);
  CHECK(
      again.reply(200, R"({"access_token":"a","refresh_token":"r","id_token":")" + kIdToken + "\"}")
          .kind == GP_STEP_DONE);

  auto refused = start("");
  CHECK(refused.reply(404, "").code == "deviceauth_usercode_failed");
  auto broken = callback("", asked.flow);
  CHECK(broken.reply(500, "").code == "deviceauth_poll_failed");
}

TEST_CASE_FIXTURE(Fixture, "codex: a refresh keeps what it does not know") {
  const std::string stored =
      R"({"Codex":{"note":[1],"access_token":"old","refresh_token":"rt-old","account_id":"acct","expires_at":0}})";
  auto machine = refresh(stored);
  CHECK(machine.step().fetch.body ==
        "grant_type=refresh_token&refresh_token=rt-old&client_id=app_EMoamEEZ73f0CkXaXp7hrann");
  const StepSeen done =
      machine.reply(200, R"({"access_token":"new","refresh_token":"rt-new","expires_in":60})");
  CHECK(
      done.credential_json ==
      R"({"Codex":{"note":[1],"access_token":"new","refresh_token":"rt-new","account_id":"acct","expires_at":1767225660}})");
  CHECK(done.identity == "acct");
}

TEST_CASE_FIXTURE(Fixture, "codex: a refresh that fails for now or for good") {
  const std::string stored =
      R"({"Codex":{"access_token":"at-0","refresh_token":"rt-0","account_id":"acct"}})";
  struct Case {
    int status;
    const char* body;
    bool definitive;
  };
  const Case cases[] = {
      {400, R"({"error":"invalid_grant"})", true},
      {401, R"({"error":{"code":"refresh_token_reused"}})", true},
      {401, R"({"error":"invalid_client"})", false},
      {429, "{}", false},
      {503, R"({"error":"invalid_grant"})", false},
      {400, "<html>", false},
      {200, "<html>", false},
  };
  for (const Case& c : cases) {
    CAPTURE(c.body);
    auto machine = refresh(stored);
    const StepSeen& failed = machine.reply(c.status, c.body);
    CHECK(failed.kind == GP_STEP_FAIL);
    CHECK(failed.definitive() == c.definitive);
  }
  auto lost = refresh(stored);
  CHECK_FALSE(lost.broken(GP_FAILURE_RESET).definitive());
}

TEST_CASE_FIXTURE(Fixture, "codex: an import without its account is completed from its tokens") {
  const std::string access =
      token(R"({"exp":1767229200,"https://api.openai.com/auth":{"chatgpt_account_id":"acct-9"}})");
  auto machine = refresh(R"({"Codex":{"tokens":{"access_token":")" + access + "\"}}}", 2);
  CHECK(machine.step().kind == GP_STEP_DONE);
  CHECK(machine.step().identity == "acct-9");
  CHECK(json_at(machine.step().credential_json, "/Codex/account_id") == "acct-9");
  CHECK(json_at(machine.step().credential_json, "/Codex/expires_at") == "1767229200");
  auto nameless = refresh(R"({"Codex":{"access_token":"opaque"}})", 2);
  CHECK(nameless.step().definitive());
}

TEST_CASE_FIXTURE(Fixture, "codex: usage as windows") {
  const std::string json = R"({"Codex":{"access_token":"at-0","account_id":"acct"}})";
  opened = provider->open(json);
  auto ask = [&] { return StepMachine::quota(host, module, *provider, opened.get(), json); };
  auto machine = ask();
  CHECK(machine.step().fetch.url == "http://h/api/wham/usage");
  CHECK(header(machine.step().fetch.headers, "chatgpt-account-id") == "acct");
  const std::string body =
      R"({"rate_limit":{"primary_window":{"used_percent":42,"limit_window_seconds":18000,"reset_at":1767323045},)"
      R"("secondary_window":{"used_percent":7.5,"limit_window_seconds":604800,"reset_after_seconds":60}},)"
      R"("code_review_rate_limit":{"primary_window":{"used_percent":1,"limit_window_seconds":1}},)"
      R"("additional_rate_limits":[{"limit_name":"x","rate_limit":{"primary_window":{"used_percent":2}}}],)"
      R"("credits":{"has_credits":true,"balance":"12.5"}})";
  const StepSeen& done = machine.reply(200, body);
  CHECK(done.reply_json == body);
  CHECK(done.windows_json ==
        R"([{"name":"five_hour","scope":"account","used_percent":42,"resets_at_ms":1767323045000},)"
        R"({"name":"seven_day","scope":"account","used_percent":7.5,"resets_at_ms":1767225660000},)"
        R"({"name":"primary","scope":"code_review","used_percent":1},)"
        R"({"name":"primary","scope":"x","used_percent":2},)"
        R"({"name":"credits","scope":"account","remaining":12.5,"unit":"credits"}])");
  auto refused = ask();
  CHECK(refused.reply(403, "<html>").http_status == 403);
  auto garbage = ask();
  CHECK(garbage.reply(200, "[]").http_status == 502);
  auto empty = ask();
  CHECK(empty.reply(200, "{}").windows_json == "[]");
}
