// What NVIDIA's errors mean for a credential. They are problem details ({"status","title",
// "detail"}, RFC 9457), seldom OpenAI's form.
#include "gproxy/verdicts.hpp"
#include "nvidia.h"

namespace gproxy_nvidia {

gp::Status Provider::classify(const gp::Failure& failure, gp::Verdict& verdict) const {
  std::string_view detail;
  if (const auto json = failure.json()) detail = json->get("/detail").or_empty();
  if (failure.status() == 401) {
    verdict.dead("unauthorized");  // "Authentication failed": no such key
    return gp::ok();
  }
  if (failure.status() == 403 && detail.starts_with("Authorization failed")) {
    // An expired key, or a model that its account may not use: the words are the same.
    gp::cool_down_for(failure, verdict, GP_SCOPE_MODEL, std::nullopt, 10 * gp::kMinute,
                      "forbidden");
    return gp::ok();
  }
  if (failure.status() == 404 && detail.ends_with("Not found for account")) {
    verdict.next("model_not_found");  // another account may have it
    return gp::ok();
  }
  return gp::as_usual();
}

}  // namespace gproxy_nvidia
