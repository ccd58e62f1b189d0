// What Google's errors mean for a credential. A google.rpc.Status: error.status is the word,
// error.details hold the reason (ErrorInfo), the wait (RetryInfo) and which quota (QuotaFailure).
#include "aistudio.h"
#include "gproxy/verdicts.hpp"

namespace gproxy_aistudio {
namespace {

struct Details {
  std::string_view reason;         // ErrorInfo.reason
  std::optional<int64_t> wait_ms;  // RetryInfo.retryDelay: "37s"
  bool per_day = false;            // QuotaFailure names a daily quota
};

Details read_details(const gp::Json& json, std::string_view prefix) {
  Details out;
  const gp_json_node list = json.node(prefix);
  if (list.type != GP_JSON_ARRAY) return out;
  json.each(list, [&](const gp_json_member& member) {
    const gp::Json detail = json.inside(member.value);
    const std::string_view type = detail.get("/@type").or_empty();
    if (type.ends_with("google.rpc.ErrorInfo")) out.reason = detail.get("/reason").or_empty();
    if (type.ends_with("google.rpc.RetryInfo"))
      out.wait_ms = gp::duration_ms(detail.get("/retryDelay").or_empty());
    if (type.ends_with("google.rpc.QuotaFailure")) {
      detail.each(detail.node("/violations"), [&](const gp_json_member& violation) {
        const auto id = detail.inside(violation.value).get("/quotaId").or_empty();
        out.per_day = out.per_day || id.find("PerDay") != std::string_view::npos;
        return true;
      });
    }
    return true;
  });
  return out;
}

}  // namespace

gp::Status Provider::classify(const gp::Failure& failure, gp::Verdict& verdict) const {
  Details details;
  if (const auto json = failure.json()) {
    // A stream without alt=sse reports its error as the first element of the array.
    const bool array = json->node("").type == GP_JSON_ARRAY;
    details = read_details(*json, array ? "/0/error/details" : "/error/details");
  }
  // A bad key is a 400 here; only the reason tells it from a bad request.
  if (details.reason == "API_KEY_INVALID" || details.reason == "API_KEY_EXPIRED" ||
      details.reason == "CONSUMER_SUSPENDED") {
    verdict.dead(details.reason);
    return gp::ok();
  }
  if (details.reason == "SERVICE_DISABLED" || details.reason == "BILLING_DISABLED") {
    gp::cool_down_for(failure, verdict, GP_SCOPE_CREDENTIAL, std::nullopt, 10 * gp::kMinute,
                      details.reason);
    return gp::ok();
  }
  if (failure.status() == 429) {
    auto asked = gp::retry_after_ms(failure);
    if (!asked) asked = details.wait_ms;
    // The delay of a daily quota is that of its minute: nothing changes until the day does.
    if (details.per_day) asked = std::max<int64_t>(asked.value_or(0), 10 * gp::kMinute);
    gp::cool_down_for(failure, verdict, GP_SCOPE_MODEL, asked, 30 * gp::kSecond,
                      details.per_day ? "daily_quota" : "rate_limit");
    return gp::ok();
  }
  gp::judge_by_status(failure, verdict);
  return gp::ok();
}

}  // namespace gproxy_aistudio
