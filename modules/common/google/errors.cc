#include "common/google/errors.h"

#include <algorithm>

namespace gproxy_google {
namespace {

constexpr int64_t kLongRest = 10 * gp::kMinute;

// "… Your quota will reset after 3h12m5s." is said by some products in the text alone.
std::optional<int64_t> wait_in_text(std::string_view message) {
  static constexpr std::string_view kWords = "reset after ";
  const size_t at = message.find(kWords);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view rest = message.substr(at + kWords.size());
  rest = rest.substr(0, rest.find_first_of(" ,;"));
  while (rest.ends_with('.')) rest.remove_suffix(1);
  return gp::duration_ms(rest);
}

void read_info(const gp::Json& detail, int64_t now_ms, ErrorDetails& out) {
  out.reason = detail.get("/reason").or_empty();
  const std::string_view delay = detail.get("/metadata/quotaResetDelay").or_empty();
  if (const auto wait = gp::duration_ms(delay)) out.wait_ms = wait;
  const std::string_view at = detail.get("/metadata/quotaResetTimeStamp").or_empty();
  if (const auto reset = gp::rfc3339_ms(at); reset && *reset > now_ms)
    out.wait_ms = *reset - now_ms;
}

void read_detail(const gp::Json& detail, int64_t now_ms, ErrorDetails& out) {
  const std::string_view type = detail.get("/@type").or_empty();
  if (type.ends_with("google.rpc.ErrorInfo")) read_info(detail, now_ms, out);
  if (type.ends_with("google.rpc.RetryInfo") && !out.wait_ms)
    out.wait_ms = gp::duration_ms(detail.get("/retryDelay").or_empty());
  if (!type.ends_with("google.rpc.QuotaFailure")) return;
  detail.each(detail.node("/violations"), [&](const gp_json_member& violation) {
    const auto id = detail.inside(violation.value).get("/quotaId").or_empty();
    out.per_day = out.per_day || id.find("PerDay") != std::string_view::npos;
    return true;
  });
}

enum class Means { dead, rest, account };
struct Rule {
  std::string_view reason;
  Means means;
};
// https://cloud.google.com/php/docs/reference/common-protos (ErrorReason), and what cloudcode-pa
// says of accounts.
constexpr Rule kRules[] = {
    {"API_KEY_INVALID", Means::dead},          {"API_KEY_EXPIRED", Means::dead},
    {"CONSUMER_SUSPENDED", Means::dead},       {"USER_SUSPENDED", Means::dead},
    {"SERVICE_ACCOUNT_DISABLED", Means::dead}, {"SERVICE_DISABLED", Means::rest},
    {"BILLING_DISABLED", Means::rest},         {"CONSUMER_INVALID", Means::rest},
    {"IAM_PERMISSION_DENIED", Means::rest},    {"ACCESS_TOKEN_SCOPE_INSUFFICIENT", Means::rest},
    {"VALIDATION_REQUIRED", Means::account},  // the person must confirm the account in a browser
    {"SUBSCRIPTION_REQUIRED", Means::account},
};

}  // namespace

ErrorDetails read_error(const gp::Failure& failure) {
  ErrorDetails out;
  const auto json = failure.json();
  if (!json) return out;
  // A stream without alt=sse reports its error as the first element of the array.
  const bool array = json->node("").type == GP_JSON_ARRAY;
  const gp::Json error = array ? json->inside(json->node("/0")) : *json;
  if (error.text().empty()) return out;
  out.status = error.get("/error/status").or_empty();
  if (const gp_json_node list = error.node("/error/details"); list.type == GP_JSON_ARRAY) {
    error.each(list, [&](const gp_json_member& member) {
      read_detail(error.inside(member.value), failure.now_ms(), out);
      return true;
    });
  }
  if (!out.wait_ms) out.wait_ms = wait_in_text(error.get("/error/message").or_empty());
  return out;
}

gp::Status judge(const gp::Failure& failure, gp::Verdict& verdict, Rejected rejected) {
  const ErrorDetails details = read_error(failure);
  for (const Rule& rule : kRules) {
    if (rule.reason != details.reason) continue;
    // A project that the service does not serve may serve again: look in from time to time.
    if (rule.means == Means::dead) {
      verdict.dead(rule.reason);
    } else {
      gp::cool_down_for(failure, verdict, GP_SCOPE_CREDENTIAL, std::nullopt, kLongRest,
                        rule.means == Means::account ? "account" : rule.reason);
    }
    return gp::ok();
  }
  if (failure.status() == 401) {
    if (rejected == Rejected::refresh) {
      verdict.refresh(GP_CAUSE_REJECTED, "unauthorized");
    } else {
      verdict.dead("unauthorized");
    }
    return gp::ok();
  }
  if (failure.status() != 429) return gp::as_usual();
  auto asked = gp::retry_after_ms(failure);
  if (!asked) asked = details.wait_ms;
  // The delay of a daily quota is that of its minute: nothing changes until the day does.
  if (details.per_day) asked = std::max<int64_t>(asked.value_or(0), kLongRest);
  gp::cool_down_for(failure, verdict, GP_SCOPE_MODEL, asked, gp::kHostsTime,
                    details.per_day                       ? "daily_quota"
                    : details.reason == "QUOTA_EXHAUSTED" ? "quota_exhausted"
                                                          : "rate_limit");
  return gp::ok();
}

}  // namespace gproxy_google
