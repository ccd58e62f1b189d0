// What is left of the quota.
#include "common/steps.h"
#include "common/text.h"
#include "geminicli.h"

namespace gproxy_geminicli {
namespace {

// {"buckets":[{"modelId", "tokenType", "remainingFraction", "resetTime"}]}
std::string_view windows(const gp::Json& answer, const gp::Arena& arena) {
  gproxy_google::WindowList list;
  answer.each(answer.node("/buckets"), [&](const gp_json_member& member) {
    const gp::Json bucket = answer.inside(member.value);
    std::string_view name = bucket.get("/tokenType").or_empty();
    if (name.empty()) name = "quota";
    list.add(gproxy_google::model_window(arena, bucket.get("/modelId").or_empty(), name, bucket));
    return true;
  });
  return list.str(arena);
}

}  // namespace

gp::Status Provider::quota_start(const gp::StepIn& in, gp_step& out) {
  const auto& account = gproxy_common::credential_of<Credential>(in);
  return gproxy_google::quota_ask(
      of(in), in, out, "/v1internal:retrieveUserQuota",
      gproxy_common::JsonObject(in.arena).text("project", account.project).str());
}
gp::Status Provider::quota_resume(const gp::StepIn& in, gp_step& out) {
  return gproxy_google::quota_answer(in, out, windows);
}

}  // namespace gproxy_geminicli
