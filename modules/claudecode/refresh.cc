// Renewing an account's tokens: one exchange, so that a rotated refresh token is stored at once.
#include "claudecode.h"
#include "common/steps.h"

namespace gproxy_claudecode {

using namespace gproxy_common;

namespace {

// What is stored, under its own name or the one that other tools write.
std::string_view stored(const gp::StepIn& in, std::string_view name, std::string_view other) {
  const gp::Json json = in.json(gp::view(in.raw.credential_json));
  const std::string_view own =
      gp::trim(json.get(in.arena.concat({"/ClaudeCode/", name})).or_empty());
  if (!own.empty()) return own;
  return gp::trim(json.get(in.arena.concat({"/ClaudeCode/", other})).or_empty());
}

}  // namespace

gp::Status Provider::refresh(const gp::StepIn& in, gp_step& out) {
  const Provider& provider = provider_of<Provider>(in);
  const std::string_view refresh_token = stored(in, "refresh_token", "refreshToken");
  if (refresh_token.empty()) {
    return fail(out, 400, "missing_refresh_token", "the credential has no refresh token",
                Refused::for_good);
  }
  return fetch(in, out,
               {.method = "POST",
                .url = provider.endpoints().token,
                .headers = {{"accept", "application/json, text/plain, */*"},
                            {"user-agent", provider.user_agent()}},
                .body = JsonObject(in.arena)
                            .text("grant_type", "refresh_token")
                            .text("client_id", provider.client_id())
                            .text("refresh_token", refresh_token)
                            .str(),
                .content_type = "application/json"},
               "{}");
}

gp::Status Provider::refresh_resume(const gp::StepIn& in, gp_step& out) {
  const auto tokens = read_token_reply(in, out);
  if (!tokens) return gp::ok();
  std::vector<Pair> members = {{"access_token", gp::json_quote(in.arena, tokens->access_token)}};
  if (!tokens->refresh_token.empty())
    members.emplace_back("refresh_token", gp::json_quote(in.arena, tokens->refresh_token));
  if (tokens->expires_in_s > 0) {
    const int64_t expires = in.arena.host()->now_ms() / 1000 + tokens->expires_in_s;
    members.emplace_back("expires_at", in.arena.copy(std::to_string(expires)));
  }
  // The answer sometimes tells the plan, too.
  const auto json = reply_json(in);
  for (const auto& [name, field] : {Pair{"/subscriptionType", "subscription_type"},
                                    Pair{"/rateLimitTier", "rate_limit_tier"}}) {
    if (const auto text = json->get(name).or_empty(); !text.empty())
      members.emplace_back(field, gp::json_quote(in.arena, text));
  }
  out.kind = GP_STEP_DONE;
  out.credential_json = gp::str(patched_credential(in, kTag, members));
  return gp::ok();
}

}  // namespace gproxy_claudecode
