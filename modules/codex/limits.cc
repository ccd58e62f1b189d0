// The plan's windows in the headers of every answer, as the vendor's own client reads them:
//   x-codex-{primary,secondary}-used-percent, -window-minutes, -reset-after-seconds or -reset-at
//   x-codex-credits-has-credits, -unlimited, -balance
#include "common/limits.h"
#include "codex.h"
#include "common/text.h"
#include "gproxy/verdicts.hpp"

namespace gproxy_codex {
namespace {

constexpr int64_t kPpmPerPercent = 10'000;
constexpr int64_t kWholePpm = 100 * kPpmPerPercent;

// The names of the usage endpoint, so that both can be compared.
std::string_view window_name(int64_t minutes, std::string_view otherwise) {
  return minutes == 5 * 60 ? "five_hour" : minutes == 7 * 24 * 60 ? "seven_day" : otherwise;
}

struct Told {
  int64_t used_ppm = -1, minutes = 0, resets_at_ms = 0;
};

bool is(std::string_view name, std::string_view wanted) {
  return gp::equals_ignoring_case(name, wanted);
}

}  // namespace

void Provider::limits(const gp::LimitsIn& in, gp::Limits& out) const {
  Told windows[2];
  bool credits = false;
  std::string_view balance;
  for (const gp_header& header : in.headers()) {
    const auto rest = gproxy_common::after_prefix(gp::view(header.name), "x-codex-");
    if (rest.empty()) continue;
    const auto value = gp::trim(gp::view(header.value));
    if (is(rest, "credits-has-credits") || is(rest, "credits-unlimited")) {
      credits |= gp::equals_ignoring_case(value, "true");
    }
    if (is(rest, "credits-balance")) balance = value;
    Told* window = &windows[0];
    auto part = gproxy_common::after_prefix(rest, "primary-");
    if (part.empty()) {
      window = &windows[1];
      part = gproxy_common::after_prefix(rest, "secondary-");
    }
    if (is(part, "used-percent"))
      window->used_ppm = gp::decimal_ms(value.substr(0, 8), kPpmPerPercent).value_or(-1);
    if (is(part, "window-minutes")) window->minutes = gproxy_common::integer_or(value, 0);
    if (is(part, "reset-at") && window->resets_at_ms == 0)
      window->resets_at_ms = gproxy_common::integer_or(value, 0) * gp::kSecond;
    if (is(part, "reset-after-seconds")) {
      if (const auto after = gp::decimal_ms(value, gp::kSecond))
        window->resets_at_ms = in.now_ms() + *after;
    }
  }
  for (size_t i = 0; i < std::size(windows); ++i) {
    const Told& told = windows[i];
    if (told.used_ppm < 0) continue;
    gp_limit* limit = out.window(window_name(told.minutes, i == 0 ? "primary" : "secondary"),
                                 GP_SCOPE_CREDENTIAL);
    if (limit == nullptr) continue;
    limit->used_ppm = told.used_ppm;
    limit->resets_at_ms = told.resets_at_ms;
    // With credits the account goes on beyond its plan.
    if (told.used_ppm >= kWholePpm && !credits) limit->flags |= GP_LIMIT_REST;
  }
  if (credits && !balance.empty()) {
    if (gp_limit* limit = out.window("credits", GP_SCOPE_CREDENTIAL); limit != nullptr) {
      limit->unit = gp::str("credits");
      limit->remaining = gp::decimal_ms(balance, 1).value_or(-1);
    }
  }
}

}  // namespace gproxy_codex
