// What is left of the quota.
#include "antigravity.h"
#include "common/steps.h"
#include "common/text.h"

namespace gproxy_antigravity {
namespace {

// {"models":{"<id>":{"quotaInfo":{"remainingFraction", "resetTime"}}}}
std::string_view windows(const gp::Json& answer, const gp::Arena& arena) {
  gproxy_google::WindowList list;
  answer.each(answer.node("/models"), [&](const gp_json_member& member) {
    if (member.key.len == 0) return true;
    const gp::Json model = answer.inside(member.value);
    const gp_json_node told = model.node("/quotaInfo");
    if (told.type != GP_JSON_OBJECT) return true;
    list.add(
        gproxy_google::model_window(arena, answer.decode(member.key), "quota", model.inside(told)));
    return true;
  });
  return list.str(arena);
}

}  // namespace

gp::Status Provider::quota_start(const gp::StepIn& in, gp_step& out) {
  return gproxy_google::quota_ask(of(in), in, out, "/v1internal:fetchAvailableModels", "{}");
}
gp::Status Provider::quota_resume(const gp::StepIn& in, gp_step& out) {
  return gproxy_google::quota_answer(in, out, windows);
}

}  // namespace gproxy_antigravity
