// The subscription's windows in the headers of every answer. As the vendor's own client reads them:
//   anthropic-ratelimit-unified-<window>-utilization   a fraction: 0.42
//   anthropic-ratelimit-unified-<window>-reset         UNIX time in seconds
//   anthropic-ratelimit-unified-<window>-status        allowed, allowed_warning, rejected
//   anthropic-ratelimit-unified-overage-status         allowed: what is beyond the windows is paid
//   for
// <window> is 5h, 7d, or one of these with a family of models behind it (7d_opus).
#include "common/limits.h"
#include "claudecode.h"
#include "common/text.h"
#include "gproxy/verdicts.hpp"

namespace gproxy_claudecode {
namespace {

constexpr int64_t kWholePpm = 1'000'000;
constexpr std::string_view kPrefix = "anthropic-ratelimit-unified-";

struct Window {
  std::string_view name, family;  // both empty: none of the windows
};

// The names of the usage endpoint, so that both can be compared.
Window window_of(std::string_view word) {
  for (const auto& [shorthand, name] :
       {gproxy_common::Pair{"5h", "five_hour"}, {"7d", "seven_day"}}) {
    if (word == shorthand) return {name, {}};
    if (word.starts_with(shorthand) && word.size() > shorthand.size() + 1 &&
        (word[shorthand.size()] == '_' || word[shorthand.size()] == '-')) {
      return {name, word.substr(shorthand.size() + 1)};
    }
  }
  return {};
}

bool is(std::string_view name, std::string_view wanted) {
  return gp::equals_ignoring_case(name, wanted);
}

// Digits beyond the sixth mean nothing here.
int64_t fraction_ppm(std::string_view text) {
  return gp::decimal_ms(text.substr(0, 8), kWholePpm).value_or(-1);
}

}  // namespace

void Provider::limits(const gp::LimitsIn& in, gp::Limits& out) const {
  gproxy_common::anthropic_limits(in, out);
  bool overage = false;
  for (const gp_header& header : in.headers()) {
    const auto rest = gproxy_common::after_prefix(gp::view(header.name), kPrefix);
    const auto value = gp::trim(gp::view(header.value));
    const size_t dash = rest.rfind('-');
    if (dash == std::string_view::npos) continue;
    if (is(rest, "overage-status")) overage = value.starts_with("allowed");
    const Window window = window_of(rest.substr(0, dash));
    const auto part = rest.substr(dash + 1);
    const bool used = is(part, "utilization"), reset = is(part, "reset"),
               status = is(part, "status");
    if (window.name.empty() || (!used && !reset && !status)) continue;
    gp_limit* limit = out.window(
        window.name, window.family.empty() ? GP_SCOPE_CREDENTIAL : GP_SCOPE_MODEL, window.family);
    if (limit == nullptr) continue;
    if (used) limit->used_ppm = fraction_ppm(value);
    if (reset) limit->resets_at_ms = gproxy_common::integer_or(value, 0) * gp::kSecond;
    if (status && value == "rejected") limit->flags |= GP_LIMIT_REST;
  }
  for (gp_limit& limit : out.told()) {
    // Answers go on coming where the excess is paid for. A family's window shuts that family, and
    // which models these are the failures tell.
    if (overage || limit.scope != GP_SCOPE_CREDENTIAL) limit.flags &= ~GP_LIMIT_REST;
  }
}

}  // namespace gproxy_claudecode
