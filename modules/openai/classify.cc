// What OpenAI's errors mean for a credential. The words are those of error.code and error.type in
// the body; what they leave open, the status decides.
#include "common/limits.h"
#include "gproxy/verdicts.hpp"
#include "openai.h"

namespace gproxy_openai {
namespace {

enum class Means { dead, billing, other_credential, deliver };
struct Rule {
  int32_t status;
  std::string_view word;  // error.code or error.type
  Means means;
};

constexpr Rule kRules[] = {
    {401, "invalid_api_key", Means::dead},      // "Incorrect API key provided"
    {401, "account_deactivated", Means::dead},  // "The OpenAI account … has been deactivated"
    {403, "account_deactivated", Means::dead},
    {403, "unsupported_country_region_territory", Means::deliver},  // our address, every key alike
    {403, "model_not_found", Means::other_credential},  // this project may not use the model
    {429, "insufficient_quota",
     Means::billing},  // "You exceeded your current quota, please check your plan"
    {429, "billing_not_active", Means::billing},
    {429, "access_terminated", Means::dead},
};

}  // namespace

gp::Status Provider::classify(const gp::Failure& failure, gp::Verdict& verdict) const {
  std::string_view code, type;
  if (const auto json = failure.json()) {
    code = json->get("/error/code").or_empty();
    type = json->get("/error/type").or_empty();
  }
  for (const Rule& rule : kRules) {
    if (rule.status != failure.status() || (rule.word != code && rule.word != type)) continue;
    switch (rule.means) {
      case Means::dead:
        verdict.dead(rule.word);
        break;
      case Means::billing:
        gp::cool_down_for(failure, verdict, GP_SCOPE_CREDENTIAL, gp::retry_after_ms(failure),
                          10 * gp::kMinute, rule.word);
        break;
      case Means::other_credential:
        verdict.next(rule.word);
        break;
      case Means::deliver:
        verdict.deliver();
        break;
    }
    return gp::ok();
  }
  return gproxy_common::judge_budgets(failure, verdict);
}

void Provider::limits(const gp::LimitsIn& in, gp::Limits& out) const {
  gproxy_common::openai_limits(in, out);
}

}  // namespace gproxy_openai
