#include "common/anthropic.h"

namespace gproxy_common {
namespace {

enum class Means { dead, billing, rate, overloaded, deliver };
struct Rule {
  std::string_view type;
  Means means;
};

constexpr Rule kRules[] = {
    {"authentication_error", Means::dead},    // 401 "invalid x-api-key"
    {"billing_error", Means::billing},        // 402
    {"rate_limit_error", Means::rate},        // 429
    {"overloaded_error", Means::overloaded},  // 529, also as an event of a stream
    {"invalid_request_error", Means::deliver}, {"not_found_error", Means::deliver},
    {"request_too_large", Means::deliver},
};

// anthropic-ratelimit-{requests,tokens,…}-reset is the time (RFC 3339) at which the budget is full
// again; the one that has run out counts.
std::optional<int64_t> reset_ms(const gp::Failure& failure) {
  std::optional<int64_t> longest;
  for (std::string_view what : {"requests", "tokens", "input-tokens", "output-tokens"}) {
    const gp::Arena& arena = failure.arena();
    if (failure.header(arena.concat({"anthropic-ratelimit-", what, "-remaining"})) != "0") continue;
    const auto at =
        gp::rfc3339_ms(failure.header(arena.concat({"anthropic-ratelimit-", what, "-reset"})));
    if (at && *at > failure.now_ms() && (!longest || *at - failure.now_ms() > *longest)) {
      longest = *at - failure.now_ms();
    }
  }
  return longest;
}

}  // namespace

void judge_anthropic(const gp::Failure& failure, gp::Verdict& verdict, Rejected rejected) {
  std::string_view type;
  bool out_of_credit = false;
  if (const auto json = failure.json()) {
    type = json->get("/error/type").or_empty();
    // An empty balance comes as 400 invalid_request_error; only its text tells.
    out_of_credit = json->get("/error/message").or_empty().find("credit balance is too low") !=
                    std::string_view::npos;
  }
  auto asked = gp::retry_after_ms(failure);
  if (out_of_credit) {
    gp::cool_down_for(failure, verdict, GP_SCOPE_CREDENTIAL, asked, 10 * gp::kMinute, "billing");
    return;
  }
  for (const Rule& rule : kRules) {
    if (rule.type != type) continue;
    switch (rule.means) {
      case Means::dead:
        if (rejected == Rejected::by_status) {
          gp::judge_by_status(failure, verdict);
        } else {
          verdict.dead("authentication_error");
        }
        break;
      case Means::billing:
        gp::cool_down_for(failure, verdict, GP_SCOPE_CREDENTIAL, asked, 10 * gp::kMinute,
                          "billing");
        break;
      case Means::rate:
        if (!asked) asked = reset_ms(failure);
        gp::cool_down_for(failure, verdict, GP_SCOPE_MODEL, asked, 30 * gp::kSecond, "rate_limit");
        break;
      case Means::overloaded:
        gp::cool_down_for(failure, verdict, GP_SCOPE_MODEL, asked, 3 * gp::kSecond, "overloaded");
        break;
      case Means::deliver:
        verdict.deliver();
        break;
    }
    return;
  }
  gp::judge_by_status(failure, verdict);
}

}  // namespace gproxy_common
