// What the modules read in the rate-limit headers of recorded answers.
#include <doctest/doctest.h>

#include "testing/fake_host.h"

extern "C" const gp_entry* gproxy_entry_1_openai(void);
extern "C" const gp_entry* gproxy_entry_1_claude(void);
extern "C" const gp_entry* gproxy_entry_1_claudecode(void);
extern "C" const gp_entry* gproxy_entry_1_codex(void);
extern "C" const gp_entry* gproxy_entry_1_custom(void);

using namespace gp::testing;

namespace {

constexpr int64_t kNow = 1'767'225'600'000;  // 2026-01-01T00:00:00Z
constexpr int64_t kHour = 3'600'000;

struct Alone {
  FakeHost host;
  Module module;
  std::unique_ptr<Instance> provider;
  std::unique_ptr<Credential> credential;

  Alone(const gp_entry* entry, std::string_view kind, std::string_view secret,
        std::string_view settings = "{}")
      : module(host, entry) {
    FakeHost::set_now_ms(kNow);
    provider = module.create(kind, settings);
    REQUIRE(provider != nullptr);
    credential = provider->open(secret);
    REQUIRE(credential != nullptr);
  }
  ~Alone() { CHECK(host.breaches() == std::vector<std::string>{}); }
  std::vector<LimitSeen> read(const Headers& headers) {
    return provider->limits(headers, *credential);
  }
};

const LimitSeen* find(const std::vector<LimitSeen>& all, std::string_view name,
                      std::string_view subject = {}) {
  for (const auto& one : all) {
    if (one.name == name && one.subject == subject) return &one;
  }
  return nullptr;
}

}  // namespace

TEST_CASE("openai: budgets of requests and tokens, of the model, that let nothing rest") {
  Alone openai(gproxy_entry_1_openai(), "openai", R"({"OpenAI":{"api_key":"k"}})");
  const auto told = openai.read({{"content-type", "application/json"},
                                 {"X-RateLimit-Limit-Requests", "60"},
                                 {"x-ratelimit-limit-tokens", "150000"},
                                 {"x-ratelimit-remaining-requests", "0"},
                                 {"x-ratelimit-remaining-tokens", "149984"},
                                 {"x-ratelimit-reset-requests", "1m30s"},
                                 {"x-ratelimit-reset-tokens", "6ms"}});
  REQUIRE(told.size() == 2);
  const auto* requests = find(told, "requests");
  REQUIRE(requests != nullptr);
  CHECK(requests->limit == 60);
  CHECK(requests->remaining == 0);
  CHECK(requests->unit == "requests");
  CHECK(requests->resets_at_ms == kNow + 90'000);
  CHECK(requests->scope == GP_SCOPE_MODEL);
  CHECK_FALSE(requests->rest);
  const auto* tokens = find(told, "tokens");
  REQUIRE(tokens != nullptr);
  CHECK(tokens->remaining == 149984);
  CHECK(tokens->resets_at_ms == kNow + 6);
}

TEST_CASE("openai: headers without limits, and limits that are none, tell nothing") {
  Alone openai(gproxy_entry_1_openai(), "openai", R"({"OpenAI":{"api_key":"k"}})");
  CHECK(openai.read({}).empty());
  CHECK(openai
            .read({{"x-ratelimit-", "1"},
                   {"x-ratelimit-limit", "1"},
                   {"x-ratelimit-limit-cats", "1"},
                   {"x-ratelimit-wishes-tokens", "1"}})
            .empty());
  const auto told =
      openai.read({{"x-ratelimit-limit-requests", "many"}, {"x-ratelimit-reset-requests", "soon"}});
  REQUIRE(told.size() == 1);
  CHECK(told[0].limit == -1);
  CHECK(told[0].resets_at_ms == 0);
}

TEST_CASE("claude: four budgets with RFC 3339 times") {
  Alone claude(gproxy_entry_1_claude(), "claude", R"({"Claude":{"api_key":"k"}})");
  const auto told = claude.read({{"anthropic-ratelimit-requests-limit", "50"},
                                 {"anthropic-ratelimit-requests-remaining", "49"},
                                 {"anthropic-ratelimit-requests-reset", "2026-01-01T00:00:01Z"},
                                 {"anthropic-ratelimit-input-tokens-limit", "30000"},
                                 {"anthropic-ratelimit-input-tokens-remaining", "0"},
                                 {"anthropic-ratelimit-input-tokens-reset", "2026-01-01T00:01:00Z"},
                                 {"anthropic-ratelimit-output-tokens-limit", "8000"},
                                 {"anthropic-ratelimit-tokens-limit", "38000"}});
  CHECK(told.size() == 4);
  const auto* input = find(told, "input_tokens");
  REQUIRE(input != nullptr);
  CHECK(input->limit == 30000);
  CHECK(input->remaining == 0);
  CHECK(input->unit == "tokens");
  CHECK(input->resets_at_ms == kNow + 60'000);
  CHECK_FALSE(input->rest);
}

TEST_CASE("claudecode: the subscription's windows; a rejected one rests the account") {
  Alone code(gproxy_entry_1_claudecode(), "claudecode", R"({"ClaudeCode":{"access_token":"at"}})");
  Headers headers = {{"anthropic-ratelimit-unified-status", "rejected"},
                     {"anthropic-ratelimit-unified-reset", "1767243600"},
                     {"anthropic-ratelimit-unified-5h-status", "rejected"},
                     {"anthropic-ratelimit-unified-5h-utilization", "1.0123456789012345"},
                     {"anthropic-ratelimit-unified-5h-reset", "1767243600"},
                     {"anthropic-ratelimit-unified-7d-status", "allowed_warning"},
                     {"anthropic-ratelimit-unified-7d-utilization", "0.425"},
                     {"anthropic-ratelimit-unified-7d-reset", "1767600000"},
                     {"anthropic-ratelimit-unified-7d_opus-utilization", "1"},
                     {"anthropic-ratelimit-unified-7d_opus-status", "rejected"}};
  auto told = code.read(headers);
  REQUIRE(told.size() == 3);
  const auto* five = find(told, "five_hour");
  REQUIRE(five != nullptr);
  CHECK(five->used_ppm == 1'012'000);
  CHECK(five->resets_at_ms == kNow + 5 * kHour);
  CHECK(five->scope == GP_SCOPE_CREDENTIAL);
  CHECK(five->rest);
  const auto* seven = find(told, "seven_day");
  REQUIRE(seven != nullptr);
  CHECK(seven->used_ppm == 425'000);
  CHECK_FALSE(seven->rest);
  const auto* opus = find(told, "seven_day", "opus");
  REQUIRE(opus != nullptr);
  CHECK_FALSE(opus->rest);

  // What is beyond the windows is paid for: the account goes on.
  headers.push_back({"anthropic-ratelimit-unified-overage-status", "allowed"});
  told = code.read(headers);
  CHECK_FALSE(find(told, "five_hour")->rest);
}

TEST_CASE("codex: the plan's windows; a used-up one rests the account unless it has credits") {
  Alone codex(gproxy_entry_1_codex(), "codex",
              R"({"Codex":{"access_token":"at","account_id":"a"}})");
  Headers headers = {{"x-codex-primary-used-percent", "100"},
                     {"x-codex-primary-window-minutes", "300"},
                     {"x-codex-primary-reset-after-seconds", "1800"},
                     {"x-codex-primary-reset-at", "1"},
                     {"x-codex-secondary-used-percent", "42.5"},
                     {"x-codex-secondary-window-minutes", "10080"},
                     {"x-codex-secondary-reset-at", "1767243600"},
                     {"x-codex-turn-state", "opaque"}};
  auto told = codex.read(headers);
  REQUIRE(told.size() == 2);
  const auto* five = find(told, "five_hour");
  REQUIRE(five != nullptr);
  CHECK(five->used_ppm == 1'000'000);
  CHECK(five->resets_at_ms == kNow + 1'800'000);
  CHECK(five->rest);
  const auto* seven = find(told, "seven_day");
  REQUIRE(seven != nullptr);
  CHECK(seven->used_ppm == 425'000);
  CHECK(seven->resets_at_ms == kNow + 5 * kHour);
  CHECK_FALSE(seven->rest);

  headers.push_back({"x-codex-credits-has-credits", "True"});
  headers.push_back({"x-codex-credits-balance", "12"});
  told = codex.read(headers);
  CHECK_FALSE(find(told, "five_hour")->rest);
  REQUIRE(find(told, "credits") != nullptr);
  CHECK(find(told, "credits")->remaining == 12);
}

TEST_CASE("custom: both forms, as compatible servers copy them") {
  Alone custom(gproxy_entry_1_custom(), "custom", R"({"Custom":{"api_key":"k"}})",
               R"({"id":"x","base_url":"http://h","proto":"openai_chat"})");
  CHECK(custom.read({{"x-ratelimit-remaining-requests", "3"}}).size() == 1);
  CHECK(custom.read({{"anthropic-ratelimit-requests-remaining", "3"}}).size() == 1);
}
