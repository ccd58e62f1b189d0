// Logins, refreshes and live quotas over a worker with a fake vendor.
#include <doctest/doctest.h>

#include <deque>

#include "account_module.h"
#include "bench.h"
#include "gateway/account_store.h"
#include "gateway/login.h"
#include "gateway/login_flow.h"
#include "gateway/login_query.h"
#include "gateway/quota_windows.h"

using namespace gproxy;
using namespace gproxy::gateway;
using namespace gproxy::gateway::test;

namespace {

constexpr std::string_view kChatBody =
    R"({"model":"m","messages":[{"role":"user","content":"hi"}]})";
constexpr std::string_view kChatAnswer =
    R"({"model":"m","choices":[{"message":{"content":"x"},"finish_reason":"stop"}]})";

// The store, in memory; answers on the loop, later.
class FakeAccounts final : public AccountStore {
 public:
  void put_flow(storage::FlowRow row, net::Loop& loop,
                std::function<void(Result<void>)> done) override {
    flows[std::string(digest_view(row.state))] = std::move(row);
    loop.post([done] { done(ok()); });
  }
  void find_flow(int64_t provider, int64_t user, std::optional<Digest> state, net::Loop& loop,
                 std::function<void(Result<storage::FoundFlow>)> done) override {
    storage::FoundFlow found;
    for (const auto& [digest, row] : flows) {
      const bool anybody = user == storage::kNoId && state;
      if (row.provider_id != provider || (row.user_id != user && !anybody) ||
          (state && row.state != *state))
        continue;
      ++found.pending;
      found.row = row;
    }
    loop.post([done, found] { done(found); });
  }
  void save_login(NewLogin login, net::Loop& loop,
                  std::function<void(Result<SavedLogin>)> done) override {
    flows.erase(std::string(digest_view(login.state)));
    saved.push_back(std::move(login));
    loop.post([done] { done(SavedLogin{9, true, "an account"}); });
  }
  void response_owner(
      std::string, int64_t, net::Loop& loop,
      std::function<void(Result<std::optional<storage::ResponseOwner>>)> done) override {
    loop.post([done] { done(std::optional<storage::ResponseOwner>()); });
  }

  std::map<std::string, storage::FlowRow> flows;
  std::deque<NewLogin> saved;
};

std::string account(std::string_view key, int64_t expires_at_ms = 0, std::string_view more = {}) {
  return R"({"Test":{"api_key":")" + std::string(key) + R"(","account":"acc","expires_at_ms":)" +
         std::to_string(expires_at_ms) + std::string(more) + "}}";
}

Bench::Setup setup(FakeAccounts& accounts, std::vector<std::string> secrets = {}) {
  Bench::Setup out;
  config::ProviderConfig one;
  one.name = "v";
  one.kind = "account";
  for (const auto& secret : secrets) {
    config::CredentialConfig credential;
    credential.secret_json = Secret(secret);
    one.credentials.push_back(std::move(credential));
  }
  out.providers = {one};
  out.more = account_module();
  out.accounts = &accounts;
  out.permissions = {true, true};
  return out;
}

upstream::FakeClient::Answer vendor(int status, std::string_view body) {
  upstream::FakeClient::Answer out;
  out.status = status;
  out.pieces = {std::string(body)};
  return out;
}

std::string state_in(const Answer& started) {
  const auto at = started.body.find("\"state\":\"");
  const auto rest = started.body.substr(at + 9);
  return rest.substr(0, rest.find('"'));
}

}  // namespace

TEST_CASE("what a person brings back is read from the query and from a pasted address") {
  CHECK(read_callback("state=a%20b&code=1").state == "a b");
  CHECK_FALSE(read_callback("state=%20&code=1").state.has_value());
  CHECK(read_callback("callback_url=http%3A%2F%2Flocalhost%2Fcb%3Fcode%3D1%26state%3Ds%23frag")
            .state == "s");
  CHECK(read_callback("callback_url=code%3D1%26state%3Ds").state == "s");
  CHECK(read_callback("state=mine&callback_url=state%3Dtheirs").state == "mine");
  CHECK(read_callback("error=access_denied").error == "access_denied");
  CHECK(read_callback("error=access_denied&error_description=not+now").error == "not now");
  CHECK(read_callback("callback_url=http%3A%2F%2Fx%2F%3Ferror%3Dno").error == "no");
  CHECK_FALSE(read_callback("code=1").error.has_value());
}

TEST_CASE("a login goes from its start to a stored credential, and tells no token") {
  FakeAccounts accounts;
  Bench bench(setup(accounts));
  const auto started = bench.ask(get("/v/oauth"));
  CHECK(started.status == 200);
  CHECK(started.has("https://vendor.test/authorize?state="));
  REQUIRE(accounts.flows.size() == 1);
  const auto state = state_in(started);
  CHECK(state.size() == 43);
  CHECK(accounts.flows.begin()->second.state == sha256(state));

  bench.upstream.answer(vendor(200, account("secret-token-1")));
  const auto done = bench.ask(get("/v/oauth/callback?code=abc&state=" + state));
  CHECK(bench.upstream.last().url ==
        "https://vendor.test/token?code=abc&verifier=verifier&state=" + state);
  CHECK(done.status == 200);
  CHECK(done.body == R"({"credential_id":9,"created":true,"name":"an account","plan":"plus"})");
  REQUIRE(accounts.saved.size() == 1);
  CHECK(accounts.saved[0].credential_json.reveal() == account("secret-token-1"));
  CHECK(accounts.saved[0].identity == "acc");
  CHECK(accounts.flows.empty());
  // The code is spent, the state with it.
  CHECK(bench.ask(get("/v/oauth/callback?code=abc&state=" + state)).has("missing state"));
}

TEST_CASE("a module that would tell a token is not let through") {
  FakeAccounts accounts;
  Bench bench(setup(accounts));
  const auto state = state_in(bench.ask(get("/v/oauth")));
  bench.upstream.answer(vendor(200, account("secret-token-1")));
  const auto done = bench.ask(get("/v/oauth/callback?code=leak&state=" + state));
  CHECK(done.status == 200);
  CHECK_FALSE(done.has("secret-token-1"));
  CHECK(accounts.saved.size() == 1);
  CHECK(holds_secret(R"({"a":"0123456789"})", R"({"T":{"deep":{"access_token":"0123456789"}}})"));
  CHECK_FALSE(holds_secret(R"({"mail":"someone@example.org"})",
                           R"({"T":{"mail":"someone@example.org","access_token":"0123456789"}})"));
}

TEST_CASE("the state may be left out while one login waits, and is refused where it is not known") {
  FakeAccounts accounts;
  Bench bench(setup(accounts));
  CHECK(bench.ask(get("/v/oauth/callback?code=1")).has("missing state"));
  const auto first = state_in(bench.ask(get("/v/oauth")));
  CHECK(bench.ask(get("/v/oauth/callback?code=1&state=unknown")).has("missing state"));
  CHECK(bench.ask(get("/v/oauth/callback")).body ==
        R"({"error":"missing code","detail":"said the module"})");
  bench.ask(get("/v/oauth"));
  CHECK(bench.ask(get("/v/oauth/callback?code=1")).has("ambiguous_state"));
  bench.upstream.answer(vendor(200, account("secret-token-1")));
  const auto pasted = "/v/oauth/callback?code=1&callback_url=http%3A%2F%2Fx%2F%3Fstate%3D" + first;
  CHECK(bench.ask(get(pasted)).status == 200);
}

TEST_CASE("a vendor's refusal, a refused code and a poll leave the login waiting") {
  FakeAccounts accounts;
  Bench bench(setup(accounts));
  const auto state = state_in(bench.ask(get("/v/oauth")));
  const auto denied = bench.ask(get("/v/oauth/callback?error=access_denied&state=" + state));
  CHECK(denied.status == 400);
  CHECK(denied.body == R"({"error":"access_denied","detail":null})");
  bench.upstream.answer(vendor(400, "{}"));
  const auto refused = bench.ask(get("/v/oauth/callback?code=bad&state=" + state));
  CHECK(refused.status == 400);
  CHECK(refused.has("invalid_grant"));
  const auto poll = bench.ask(get("/v/oauth/callback?poll=1&state=" + state));
  CHECK(poll.status == 409);
  CHECK(poll.has("authorization_pending"));
  bench.upstream.answer(vendor(200, account("secret-token-1")));
  CHECK(bench.ask(get("/v/oauth/callback?code=good&state=" + state)).status == 200);
  CHECK(bench.upstream.last().url.find("verifier=verifier-2") != std::string::npos);
}

TEST_CASE("a code that was spent is not lost with its client, and is not spent twice at once") {
  FakeAccounts accounts;
  Bench bench(setup(accounts));
  const auto state = state_in(bench.ask(get("/v/oauth")));
  auto client = bench.connect();
  client->send(get("/v/oauth/callback?code=1&state=" + state));
  bench.turn_until([&] { return bench.upstream.calls() == 1; });
  CHECK(bench.ask(get("/v/oauth/callback?code=1&state=" + state)).status == 409);
  client->close();
  bench.turn();
  bench.upstream.call(0).head(200);
  bench.upstream.call(0).data(account("secret-token-1"));
  bench.upstream.call(0).complete();
  bench.turn_until([&] { return !accounts.saved.empty(); });
  CHECK(accounts.saved.size() == 1);
  CHECK(bench.upstream.calls() == 1);
}

TEST_CASE("a browser without a key is let in by the state that it brings, for that login alone") {
  FakeAccounts accounts;
  Bench bench(setup(accounts));
  const auto raw = [](std::string_view path, std::string_view header = "accept: text/html") {
    return "GET " + std::string(path) + " HTTP/1.1\r\nhost: g\r\n" + std::string(header) +
           "\r\n\r\n";
  };
  const auto state = state_in(bench.ask(get("/v/oauth")));
  REQUIRE(state.size() == 43);
  // Without the state, with half of it, or with one that nobody has been given.
  CHECK(bench.ask(raw("/v/oauth/callback?code=1")).status == 401);
  CHECK(bench.ask(raw("/v/oauth/callback?code=1&state=" + state.substr(1))).status == 401);
  CHECK(bench.ask(raw("/v/oauth/callback?code=1&state=" + std::string(43, 'A'))).status == 400);
  CHECK(bench.ask(raw("/v/usage?state=" + state)).status == 401);
  CHECK(accounts.saved.empty());
  bench.upstream.answer(vendor(200, account("new-token")));
  const auto page = bench.ask(raw("/v/oauth/callback?code=1&state=" + state));
  CHECK(page.status == 200);
  CHECK(page.header("content-type") == "text/html; charset=utf-8");
  CHECK(page.has("logged in"));
  CHECK_FALSE(page.has("new-token"));
  CHECK(accounts.saved.size() == 1);
  CHECK(bench.ask(raw("/v/oauth/callback?code=1&state=" + state)).status == 400);
}

TEST_CASE("the vendor is sent back to gproxy only where the caller asks for it") {
  const http::HeaderView plain[] = {{"Host", "gw:8787"}};
  const http::HeaderView behind[] = {{"Host", "inner"},
                                     {"X-Forwarded-Proto", "https, http"},
                                     {"X-Forwarded-Host", "gw.example.test, inner"}};
  const http::HeaderView odd[] = {{"Host", "a/b@c"}};
  CHECK(own_callback("", "v", plain).empty());
  CHECK(own_callback("callback=other", "v", plain).empty());
  CHECK(own_callback("a=1&callback=gateway", "v", plain) == "http://gw:8787/v/oauth/callback");
  CHECK(own_callback("callback=gateway", "v", behind) ==
        "https://gw.example.test/v/oauth/callback");
  CHECK(own_callback("callback=gateway", "v", odd).empty());
  CHECK(own_callback("callback=gateway", "v", {}).empty());
}

TEST_CASE("logins and quotas need a key with the permission, or the administrator's") {
  FakeAccounts accounts;
  auto given = setup(accounts, {account("k")});
  given.permissions = {};
  Bench bench(std::move(given));
  CHECK(bench.ask(get("/v/oauth")).status == 403);
  CHECK(bench.ask(get("/v/oauth/callback?code=1")).status == 403);
  CHECK(bench.ask(get("/v/usage")).status == 403);
  const auto raw = [](std::string_view path, std::string_view header) {
    return "GET " + std::string(path) + " HTTP/1.1\r\nhost: g\r\n" + std::string(header) +
           "\r\n\r\n";
  };
  CHECK(bench.ask(raw("/v/oauth", "x-admin-key: admin-key")).status == 200);
  CHECK(bench.ask(raw("/v/oauth", "x-admin-key: wrong")).status == 401);
  CHECK(bench.ask(raw("/none/oauth", "x-admin-key: admin-key")).status == 404);
}

TEST_CASE("a rejected token is refreshed once, however many requests it failed") {
  FakeAccounts accounts;
  Bench bench(setup(accounts, {account("old")}));
  size_t refreshes = 0;
  bench.upstream.on_request = [&](const auto& call) {
    if (call.url.find("/refresh") != std::string::npos) {
      ++refreshes;
      return vendor(200, account("new"));
    }
    return call.header("authorization") == "Bearer new" ? vendor(200, kChatAnswer)
                                                        : vendor(401, "{}");
  };
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(bench.connect());
    clients.back()->send(post("/v/v1/chat/completions", kChatBody));
  }
  for (auto& client : clients) CHECK(client->answer().status == 200);
  CHECK(refreshes == 1);
}

TEST_CASE("a late 401 of the version before finds the new one in force") {
  FakeAccounts accounts;
  Bench bench(setup(accounts, {account("old")}));
  auto late = bench.connect();
  late->send(post("/v/v1/chat/completions", kChatBody));
  bench.turn_until([&] { return bench.upstream.calls() == 1; });
  bench.upstream.answer(vendor(401, "{}"));
  bench.upstream.answer(vendor(200, account("new")));
  bench.upstream.answer(vendor(200, kChatAnswer));
  CHECK(bench.ask(post("/v/v1/chat/completions", kChatBody)).status == 200);
  REQUIRE(bench.upstream.calls() == 4);
  bench.upstream.answer(vendor(200, kChatAnswer));
  bench.upstream.call(0).head(401);
  bench.upstream.call(0).data("{}");
  bench.upstream.call(0).complete();
  CHECK(late->answer().status == 200);
  CHECK(bench.upstream.calls() == 5);  // no second refresh
  CHECK(bench.upstream.last().header("authorization") == "Bearer new");
}

TEST_CASE("what has expired or is incomplete is renewed before anything is sent with it") {
  FakeAccounts accounts;
  Bench bench(setup(accounts, {account("old", 1000)}));
  bench.upstream.answer(vendor(200, account("new")));
  bench.upstream.answer(vendor(200, kChatAnswer));
  CHECK(bench.ask(post("/v/v1/chat/completions", kChatBody)).status == 200);
  REQUIRE(bench.upstream.calls() == 2);
  CHECK(bench.upstream.call(0).url == "https://vendor.test/refresh?key=old");
  CHECK(bench.upstream.call(1).header("authorization") == "Bearer new");
  CHECK(accounts.saved.empty());
}

TEST_CASE("a token is renewed ahead of its end, and one that cannot be serves on") {
  FakeAccounts accounts;
  const auto soon = Clock::system().wall_ms() + 3'600'000;
  auto given = setup(accounts, {account("old", soon)});
  given.refreshes_ahead = true;
  Bench bench(std::move(given));
  auto* slot = bench.snapshot->find_credential(1)->slot;
  bench.worker->look_ahead();
  bench.turn();
  CHECK(bench.upstream.calls() == 0);  // an hour is left
  const auto& entry = *bench.snapshot->find_provider("v");
  REQUIRE(slot->replace(Secret(account("late", Clock::system().wall_ms() - 1)), *entry.provider));
  bench.upstream.answer(vendor(503, "{}"));
  bench.worker->look_ahead();
  bench.turn_until([&] { return bench.upstream.calls() == 1 && bench.upstream.live() == 0; });
  bench.turn();
  CHECK(bench.upstream.last().url == "https://vendor.test/refresh?key=late");
  CHECK(slot->cool_downs(0).empty());
  bench.worker->look_ahead();
  bench.turn();
  CHECK(bench.upstream.calls() == 1);  // not again at once
}

TEST_CASE(
    "a vendor's quota comes raw or in one shape, after a refresh where the token is refused") {
  FakeAccounts accounts;
  Bench bench(setup(accounts, {account("old"), account("other")}));
  bench.upstream.answer(vendor(200, R"({"buckets":[1]})"));
  CHECK(bench.ask(get("/v/usage")).body == R"({"buckets":[1]})");
  bench.upstream.answer(vendor(401, "{}"));
  bench.upstream.answer(vendor(200, account("new")));
  bench.upstream.answer(vendor(200, "{}"));
  const auto normalized = bench.ask(get("/v/usage?normalized=1&credential_id=1"));
  CHECK(normalized.body ==
        R"({"provider":"v","credential_id":1,"windows":[{"name":"5h","scope":"five_hour",)"
        R"("used_percent":25,"remaining":null,"reset_at":"2027-01-15T08:00:00.000000Z"}]})");
  bench.upstream.answer(vendor(429, R"({"vendor":"says no"})"));
  const auto failed = bench.ask(get("/v/usage?credential_id=2"));
  CHECK(failed.status == 429);
  CHECK(failed.body == R"({"vendor":"says no"})");
  bench.upstream.answer(vendor(429, R"({"vendor":"says no"})"));
  CHECK(bench.ask(get("/v/usage?credential_id=2&normalized=1")).has("quota_failed"));
  CHECK(bench.ask(get("/v/usage?credential_id=3")).has("credential_not_found"));
  CHECK(bench.ask(get("/v/usage?credential_id=x")).status == 400);
}

TEST_CASE("windows are completed from what the vendor tells, and nothing is made up") {
  CHECK(normalized_windows("") == "[]");
  CHECK(
      normalized_windows(R"([{"name":"n","scope":"s","used":30,"limit":120,"unit":"requests"}])") ==
      R"([{"name":"n","scope":"s","used_percent":25,"remaining":90,"reset_at":null,)"
      R"("unit":"requests","used":30,"limit":120}])");
  CHECK(
      normalized_windows(R"([{"name":"n","remaining":0.25,"limit":1},7])") ==
      R"([{"name":"n","scope":null,"used_percent":75,"remaining":0.25,"reset_at":null,"limit":1}])");
  CHECK(normalized_windows(R"([{"name":"n","used_percent":140}])").find("\"used_percent\":100") !=
        std::string::npos);
}

TEST_CASE("a waiting login is written with its opener, and read back whole") {
  const auto flow = LoginFlow::read(LoginFlow{"st-_ate", 7, "{\"a\":\n1}"}.text().reveal());
  CHECK(flow.state == "st-_ate");
  CHECK(flow.key_id == 7);
  CHECK(flow.module == "{\"a\":\n1}");
  const auto admins = LoginFlow::read(LoginFlow{"s", storage::kNoId, ""}.text().reveal());
  CHECK(admins.state == "s");
  CHECK(admins.key_id == storage::kNoId);
  CHECK(admins.module.empty());
}
