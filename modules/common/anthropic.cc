#include "common/anthropic.h"

#include "common/limits.h"

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

}  // namespace

gp::Status judge_anthropic(const gp::Failure& failure, gp::Verdict& verdict, Rejected rejected) {
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
    return gp::ok();
  }
  for (const Rule& rule : kRules) {
    if (rule.type != type) continue;
    switch (rule.means) {
      case Means::dead:
        if (rejected == Rejected::by_status) return gp::as_usual();
        verdict.dead("authentication_error");
        break;
      case Means::billing:
        gp::cool_down_for(failure, verdict, GP_SCOPE_CREDENTIAL, asked, gp::kHostsTime, "billing");
        break;
      case Means::rate:
        if (!asked) asked = budget_reset_ms(failure);
        gp::cool_down_for(failure, verdict, GP_SCOPE_MODEL, asked, gp::kHostsTime, "rate_limit");
        break;
      case Means::overloaded:
        if (!asked) return gp::as_usual();
        gp::cool_down_for(failure, verdict, GP_SCOPE_MODEL, asked, gp::kHostsTime, "overloaded");
        break;
      case Means::deliver:
        verdict.deliver();
        break;
    }
    return gp::ok();
  }
  return gp::as_usual();
}

}  // namespace gproxy_common
