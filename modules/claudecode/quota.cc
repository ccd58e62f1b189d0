// What an account has left, from the usage endpoint: {"five_hour":{"utilization","resets_at"}, …}.
#include "claudecode.h"
#include "common/steps.h"

namespace gproxy_claudecode {

using namespace gproxy_common;

namespace {

// "seven_day_opus" is the window of one family: name seven_day, scope opus.
Pair name_and_scope(std::string_view key) {
  for (std::string_view window : {"five_hour", "seven_day"}) {
    if (key == window) return {window, "account"};
    if (key.starts_with(window) && key.size() > window.size() + 1 && key[window.size()] == '_')
      return {window, key.substr(window.size() + 1)};
  }
  return {key, "account"};
}

}  // namespace

gp::Status Provider::quota_start(const gp::StepIn& in, gp_step& out) {
  if (in.raw.credential == nullptr)
    return fail(out, 400, "credential_not_found", "usage is an account's: none is given");
  const Provider& provider = provider_of<Provider>(in);
  return fetch(in, out,
               {.method = "GET",
                .url = provider.endpoints().usage,
                .headers = {{"authorization", credential_of<Credential>(in).bearer},
                            {"anthropic-beta", "oauth-2025-04-20"},
                            {"content-type", "application/json"},
                            {"user-agent", provider.user_agent()}}},
               "{}");
}

gp::Status Provider::quota_resume(const gp::StepIn& in, gp_step& out) {
  const auto json = usage_reply(in, out);
  if (!json) return gp::ok();
  std::vector<std::string_view> parts = {"["};
  json->each(json->node(""), [&](const gp_json_member& member) {
    if (member.value.type != GP_JSON_OBJECT) return true;
    const gp::Json window = json->inside(member.value);
    const auto used = window.get("/utilization");
    if (!used.found || used.type != GP_JSON_NUMBER) return true;
    const auto [name, scope] = name_and_scope(json->decode(member.key));
    JsonObject object(in.arena);
    object.text("name", name).text("scope", scope).raw("used_percent", used.text);
    for (const auto& [field, as] :
         {Pair{"/used_credits", "used"}, Pair{"/monthly_limit", "limit"}}) {
      if (const auto value = window.get(field); value.found && value.type == GP_JSON_NUMBER)
        object.raw(as, value.text);
    }
    if (const int64_t at = date_time_ms(window.get("/resets_at").or_empty()); at > 0)
      object.number("resets_at_ms", at);
    if (parts.size() > 1) parts.push_back(",");
    parts.push_back(object.str());
    return true;
  });
  parts.push_back("]");
  out.kind = GP_STEP_DONE;
  out.reply_json = in.raw.reply->body;
  out.windows_json = gp::str(in.arena.concat(std::span<const std::string_view>(parts)));
  return gp::ok();
}

}  // namespace gproxy_claudecode
