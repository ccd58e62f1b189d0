#include "common/limits.h"

#include "common/text.h"

namespace gproxy_common {
namespace {

struct Budget {
  std::string_view header, name, unit;
};
constexpr Budget kBudgets[] = {{"requests", "requests", "requests"},
                               {"tokens", "tokens", "tokens"},
                               {"input-tokens", "input_tokens", "tokens"},
                               {"output-tokens", "output_tokens", "tokens"}};

const Budget* budget_of(std::string_view header) {
  for (const Budget& budget : kBudgets) {
    if (gp::equals_ignoring_case(budget.header, header)) return &budget;
  }
  return nullptr;
}

enum class Part { none, limit, remaining, reset };
Part part_of(std::string_view word) {
  if (gp::equals_ignoring_case(word, "limit")) return Part::limit;
  if (gp::equals_ignoring_case(word, "remaining")) return Part::remaining;
  if (gp::equals_ignoring_case(word, "reset")) return Part::reset;
  return Part::none;
}

// "6m0s", "0.5" (seconds), "1760000000" and "1760000000000" (UNIX times in seconds and in ms),
// RFC 3339; 0 for anything else.
int64_t reset_at(std::string_view text, int64_t now_ms) {
  constexpr int64_t kYear2001 = 1'000'000'000LL * gp::kSecond;
  if (const int64_t whole = integer_or(text, 0); whole > kYear2001) return whole;
  if (const auto ms = gp::decimal_ms(text, gp::kSecond))
    return *ms > kYear2001 ? *ms : now_ms + *ms;
  if (const auto ms = gp::duration_ms(text)) return now_ms + *ms;
  return date_time_ms(text);
}

// What a budget's headers say of it, by the name of its reset header.
struct Reset {
  std::string_view remaining, reset;
};
constexpr Reset kResets[] = {
    {"x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"},
    {"x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"},
    {"x-ratelimit-remaining", "x-ratelimit-reset"},
    {"ratelimit-remaining", "ratelimit-reset"},
    {"anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"},
    {"anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"},
    {"anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"},
    {"anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"},
};

void put(const Budget& budget, Part part, std::string_view value, int64_t resets_at,
         gp::Limits& out) {
  gp_limit* window = out.window(budget.name, GP_SCOPE_MODEL);
  if (window == nullptr) return;
  window->unit = gp::str(budget.unit);
  if (part == Part::limit) window->limit = integer_or(value, -1);
  if (part == Part::remaining) window->remaining = integer_or(value, -1);
  if (part == Part::reset) window->resets_at_ms = resets_at;
}

}  // namespace

std::optional<int64_t> budget_reset_ms(const gp::Failure& failure) {
  std::optional<int64_t> longest;
  for (const auto& [remaining, reset] : kResets) {
    if (gp::trim(failure.header(remaining)) != "0") continue;
    const int64_t wait =
        reset_at(gp::trim(failure.header(reset)), failure.now_ms()) - failure.now_ms();
    if (wait > 0 && wait > longest.value_or(0)) longest = wait;
  }
  return longest;
}

gp::Status judge_budgets(const gp::Failure& failure, gp::Verdict& verdict) {
  if (failure.status() != 429 || gp::retry_after_ms(failure)) return gp::as_usual();
  const auto reset = budget_reset_ms(failure);
  if (!reset) return gp::as_usual();
  gp::cool_down_for(failure, verdict, GP_SCOPE_MODEL, reset, gp::kHostsTime, "rate_limit");
  return gp::ok();
}

std::string_view after_prefix(std::string_view name, std::string_view prefix) {
  if (name.size() <= prefix.size() ||
      !gp::equals_ignoring_case(name.substr(0, prefix.size()), prefix))
    return {};
  return name.substr(prefix.size());
}

void openai_limits(const gp::LimitsIn& in, gp::Limits& out) {
  for (const gp_header& header : in.headers()) {
    const auto rest = after_prefix(gp::view(header.name), "x-ratelimit-");
    const size_t dash = rest.find('-');
    if (dash == std::string_view::npos) continue;
    const Part part = part_of(rest.substr(0, dash));
    const Budget* budget = budget_of(rest.substr(dash + 1));
    if (part == Part::none || budget == nullptr) continue;
    const auto value = gp::trim(gp::view(header.value));
    put(*budget, part, value, part == Part::reset ? reset_at(value, in.now_ms()) : 0, out);
  }
}

void anthropic_limits(const gp::LimitsIn& in, gp::Limits& out) {
  for (const gp_header& header : in.headers()) {
    const auto rest = after_prefix(gp::view(header.name), "anthropic-ratelimit-");
    const size_t dash = rest.rfind('-');
    if (dash == std::string_view::npos) continue;
    const Part part = part_of(rest.substr(dash + 1));
    const Budget* budget = budget_of(rest.substr(0, dash));
    if (part == Part::none || budget == nullptr) continue;
    const auto value = gp::trim(gp::view(header.value));
    put(*budget, part, value, part == Part::reset ? date_time_ms(value) : 0, out);
  }
}

}  // namespace gproxy_common
