// Rate-limit headers that several vendors share: read from every answer, shown to the operator. The
// budgets behind them fill up little by little, so none of them lets a credential rest by itself;
// an answer that refuses says with them when to come back. One pass over the headers, nothing
// allocated.
#pragma once

#include <optional>

#include "gproxy/limits.hpp"
#include "gproxy/verdicts.hpp"

namespace gproxy_common {

// x-ratelimit-{limit,remaining,reset}-{requests,tokens}, of the model. Resets are durations
// ("6m0s", "20ms"), seconds, or a UNIX time.
// https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers
void openai_limits(const gp::LimitsIn& in, gp::Limits& out);

// anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}, of the
// model. Resets are RFC 3339. https://docs.anthropic.com/en/api/rate-limits#response-headers
void anthropic_limits(const gp::LimitsIn& in, gp::Limits& out);

// When a refused request may come again, in ms from now: the last reset of the budgets of which the
// headers say that nothing remains, in both forms and in x-ratelimit-reset or ratelimit-reset.
// Nothing where none does.
std::optional<int64_t> budget_reset_ms(const gp::Failure& failure);

// A 429 without Retry-After rests the model until the budgets are full again. The rest is the
// host's to judge.
gp::Status judge_budgets(const gp::Failure& failure, gp::Verdict& verdict);

// What stands behind `prefix` in a header's name; empty if the name does not begin with it.
std::string_view after_prefix(std::string_view name, std::string_view prefix);

}  // namespace gproxy_common
