#include "gateway/usage_estimate.h"

namespace gproxy::gateway {

AttemptUsage settle_usage(const translate::UsageScan& scan, const translate::Usage& told_so_far,
                          translate::Protocol protocol, storage::Outcome outcome, bool passed,
                          int64_t input_estimate) {
  AttemptUsage out{.usage = told_so_far, .estimated = false};
  using enum storage::Outcome;
  const bool cut = outcome == cancelled || outcome == truncated || outcome == failed;
  if (outcome == refused || (outcome == failed && !passed)) return out;
  const int64_t text = scan.output_estimate();
  const bool told = out.usage.any();
  if (out.usage.input < 0 && input_estimate >= 0) {
    out.usage.input = input_estimate;
    out.estimated = true;
  }
  using enum translate::Protocol;
  const bool terminal =
      (protocol == openai_response || protocol == openai) && told_so_far.output > 0;
  const bool running = (protocol == gemini && told) || terminal;
  const bool partial = cut && !scan.finished() && !running && out.usage.output < text;
  if (partial || (out.usage.output < 0 && text > 0)) {
    out.usage.output = text;
    out.estimated = true;
  }
  return out;
}

}  // namespace gproxy::gateway
