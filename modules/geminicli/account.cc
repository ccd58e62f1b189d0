// Logging in, refreshing, and what is left of the quota.
#include <vector>

#include "common/steps.h"
#include "common/text.h"
#include "geminicli.h"

namespace gproxy_geminicli {
namespace {

using gproxy_common::provider_of;

// {"buckets":[{"modelId", "tokenType", "remainingFraction", "resetTime"}]}
std::string_view windows(const gp::Json& answer, const gp::Arena& arena) {
  std::vector<std::string_view> parts;
  answer.each(answer.node("/buckets"), [&](const gp_json_member& member) {
    const gp::Json bucket = answer.inside(member.value);
    std::string_view name = bucket.get("/tokenType").or_empty();
    if (name.empty()) name = "quota";
    const std::string_view window =
        gproxy_google::model_window(arena, bucket.get("/modelId").or_empty(), name, bucket);
    if (window.empty()) return true;
    parts.push_back(parts.empty() ? "[" : ",");
    parts.push_back(window);
    return true;
  });
  if (parts.empty()) return "[]";
  parts.push_back("]");
  return arena.concat(std::span<const std::string_view>(parts));
}

}  // namespace

gp::Status Provider::oauth_start(const gp::StepIn& in, gp_step& out) {
  return gproxy_google::login_start(provider_of<Provider>(in), in, out);
}
gp::Status Provider::oauth_callback(const gp::StepIn& in, gp_step& out) {
  return gproxy_google::login_callback(provider_of<Provider>(in), in, out);
}
gp::Status Provider::oauth_resume(const gp::StepIn& in, gp_step& out) {
  return gproxy_google::account_resume(provider_of<Provider>(in), in, out);
}
gp::Status Provider::refresh(const gp::StepIn& in, gp_step& out) {
  return gproxy_google::refresh_account(provider_of<Provider>(in), in, out);
}
gp::Status Provider::refresh_resume(const gp::StepIn& in, gp_step& out) {
  return gproxy_google::account_resume(provider_of<Provider>(in), in, out);
}

gp::Status Provider::quota_start(const gp::StepIn& in, gp_step& out) {
  const auto& account = gproxy_common::credential_of<Credential>(in);
  return gproxy_google::quota_ask(
      provider_of<Provider>(in), in, out, "/v1internal:retrieveUserQuota",
      gproxy_common::JsonObject(in.arena).text("project", account.project).str());
}
gp::Status Provider::quota_resume(const gp::StepIn& in, gp_step& out) {
  return gproxy_google::quota_answer(in, out, windows);
}

}  // namespace gproxy_geminicli
