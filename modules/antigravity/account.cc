// Logging in, refreshing, and what is left of the quota.
#include <vector>

#include "antigravity.h"
#include "common/steps.h"
#include "common/text.h"

namespace gproxy_antigravity {
namespace {

using gproxy_common::provider_of;

// {"models":{"<id>":{"quotaInfo":{"remainingFraction", "resetTime"}}}}
std::string_view windows(const gp::Json& answer, const gp::Arena& arena) {
  std::vector<std::string_view> parts;
  answer.each(answer.node("/models"), [&](const gp_json_member& member) {
    if (member.key.len == 0) return true;
    const gp::Json model = answer.inside(member.value);
    const gp_json_node told = model.node("/quotaInfo");
    if (told.type != GP_JSON_OBJECT) return true;
    const std::string_view window =
        gproxy_google::model_window(arena, answer.decode(member.key), "quota", model.inside(told));
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
  return gproxy_google::quota_ask(provider_of<Provider>(in), in, out,
                                  "/v1internal:fetchAvailableModels", "{}");
}
gp::Status Provider::quota_resume(const gp::StepIn& in, gp_step& out) {
  return gproxy_google::quota_answer(in, out, windows);
}

}  // namespace gproxy_antigravity
