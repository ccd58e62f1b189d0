// Logging an account in by hand: the person agrees on the vendor's page, which shows a code.
#include "claudecode.h"
#include "common/steps.h"
#include "login.h"

namespace gproxy_claudecode {

using namespace gproxy_common;

namespace {

gp::Status finish(const gp::StepIn& in, gp_step& out, const TokenReply& tokens,
                  const Profile& profile) {
  if (tokens.refresh_token.empty())
    return fail(out, 400, "missing refresh_token", "the token endpoint gave no refresh token");
  const int64_t expires =
      tokens.expires_in_s > 0 ? in.arena.host()->now_ms() / 1000 + tokens.expires_in_s : 0;
  out.kind = GP_STEP_DONE;
  out.credential_json =
      gp::str(JsonObject(in.arena)
                  .raw(kTag, JsonObject(in.arena)
                                 .text("access_token", tokens.access_token)
                                 .text("refresh_token", tokens.refresh_token)
                                 .number("expires_at", expires)
                                 .text("subscription_type", profile.subscription)
                                 .text("rate_limit_tier", profile.tier)
                                 .text_if("user_email", profile.email)
                                 .text_if("account_uuid", profile.account)
                                 .text_if("organization_uuid", profile.organization)
                                 .str())
                  .str());
  std::string_view identity = profile.account.empty() ? profile.email : profile.account;
  if (!profile.account.empty() && !profile.organization.empty())
    identity = in.arena.concat({profile.account, "/", profile.organization});
  out.identity = gp::str(identity);
  out.name = gp::str(profile.email);
  out.settings_json = gp::str(JsonObject(in.arena)
                                  .text_if("subscriptionType", profile.subscription)
                                  .text_if("rateLimitTier", profile.tier)
                                  .str());
  JsonObject shown(in.arena);
  if (tokens.expires_in_s > 0) shown.number("expires_in", tokens.expires_in_s);
  out.reply_json = gp::str(shown.text_if("subscriptionType", profile.subscription)
                               .text_if("rateLimitTier", profile.tier)
                               .text_if("email", profile.email)
                               .str());
  return gp::ok();
}

// The flow between exchange and profile: sealed by the host like every other.
std::string_view profile_flow(const gp::StepIn& in, const TokenReply& tokens,
                              const Profile& known) {
  return JsonObject(in.arena)
      .text("step", "profile")
      .text("access_token", tokens.access_token)
      .text("refresh_token", tokens.refresh_token)
      .number("expires_in", tokens.expires_in_s)
      .text_if("subscription", known.subscription)
      .text_if("tier", known.tier)
      .text_if("email", known.email)
      .text_if("account", known.account)
      .text_if("organization", known.organization)
      .str();
}

gp::Status after_exchange(const gp::StepIn& in, gp_step& out) {
  const auto tokens = read_token_reply(in, out);
  if (!tokens) return gp::ok();
  const auto json = reply_json(in);
  Profile known;
  known.subscription = json->get("/subscriptionType").or_empty();
  known.tier = json->get("/rateLimitTier").or_empty();
  known.email = json->get("/account/email_address").or_empty();
  known.account = json->get("/account/uuid").or_empty();
  known.organization = json->get("/organization/uuid").or_empty();
  const std::string_view flow = profile_flow(in, *tokens, known);
  if ((!known.subscription.empty() && !known.tier.empty()) || flow.size() > GP_MAX_FLOW)
    return finish(in, out, *tokens, known);
  const Provider& provider = provider_of<Provider>(in);
  return fetch(in, out,
               {.method = "GET",
                .url = provider.endpoints().profile,
                .headers = {{"authorization", in.arena.concat({"Bearer ", tokens->access_token})},
                            {"anthropic-beta", "oauth-2025-04-20"},
                            {"user-agent", provider.user_agent()}}},
               flow);
}

// What the profile adds; a profile that does not come changes nothing.
gp::Status after_profile(const gp::StepIn& in, gp_step& out) {
  TokenReply tokens;
  tokens.access_token = flow_text(in, "access_token");
  tokens.refresh_token = flow_text(in, "refresh_token");
  tokens.expires_in_s = integer_or(in.json(gp::view(in.raw.flow)).get("/expires_in").text, 0);
  Profile profile{flow_text(in, "subscription"), flow_text(in, "tier"), flow_text(in, "email"),
                  flow_text(in, "account"), flow_text(in, "organization")};
  const auto json = reply_json(in);
  if (succeeded(in) && json) {
    auto take = [&](std::string_view& to, std::string_view pointer) {
      if (to.empty()) to = json->get(pointer).or_empty();
    };
    take(profile.email, "/account/email");
    take(profile.account, "/account/uuid");
    take(profile.organization, "/organization/uuid");
    take(profile.tier, "/organization/rate_limit_tier");
    if (profile.subscription.empty() && json->get("/account/has_claude_max").is_true()) {
      profile.subscription = "claude_max";
    } else if (profile.subscription.empty() && json->get("/account/has_claude_pro").is_true()) {
      profile.subscription = "claude_pro";
    }
  }
  return finish(in, out, tokens, profile);
}

}  // namespace

gp::Status Provider::oauth_start(const gp::StepIn& in, gp_step& out) {
  const Provider& provider = provider_of<Provider>(in);
  const std::string_view state = gp::view(in.raw.state);
  const auto pkce = make_pkce(in, out, 32);
  if (!pkce) return gp::ok();
  const std::string_view redirect = redirect_of(in, provider.redirect_uri());
  const std::string_view query =
      form_encode(in.arena, {{"code", "true"},
                             {"client_id", provider.client_id()},
                             {"response_type", "code"},
                             {"redirect_uri", redirect},
                             {"scope", query_or(in, "scope", provider.scope())},
                             {"code_challenge", pkce->challenge},
                             {"code_challenge_method", "S256"},
                             {"state", state}});
  return reply(
      out, 200,
      JsonObject(in.arena)
          .text("auth_url", in.arena.concat({provider.endpoints().authorize, "?", query}))
          .text("state", state)
          .text("redirect_uri", redirect)
          .text("mode", returns_here(in, redirect) ? "redirect" : "manual")
          .text("instructions",
                returns_here(in, redirect)
                    ? kReturnsHere
                    : "Open auth_url, sign in, and give the code that is shown, or the address "
                      "that the browser ends at, to oauth/callback as code or callback_url.")
          .str(),
      JsonObject(in.arena)
          .text("step", "login")
          .text("state", state)
          .text("verifier", pkce->verifier)
          .text("redirect_uri", redirect)
          .str());
}

gp::Status Provider::oauth_callback(const gp::StepIn& in, gp_step& out) {
  const LoginAnswer answer = login_answer(in.arena, query_of(in));
  if (!answer.error.empty()) return fail(out, 400, "authorization_failed", answer.error);
  // The page shows "code#state"; a pasted address may have more behind it.
  std::string_view code = answer.code, shown;
  if (const size_t hash = code.find('#'); hash != std::string_view::npos) {
    shown = code.substr(hash + 1);
    code = code.substr(0, hash);
  }
  code = code.substr(0, code.find('&'));
  if (code.empty()) return fail(out, 400, "missing code", "the query holds no code");
  const std::string_view state = flow_text(in, "state");
  for (std::string_view said : {answer.state, shown}) {
    if (!said.empty() && said != state)
      return fail(out, 400, "state_mismatch", "the state is another login's");
  }
  const Provider& provider = provider_of<Provider>(in);
  // The vendor's own page would be where this comes from.
  const std::string_view origin =
      provider.user_agent().empty() ? std::string_view() : provider.endpoints().origin;
  return fetch(in, out,
               {.method = "POST",
                .url = provider.endpoints().token,
                .headers = {{"accept", "application/json, text/plain, */*"},
                            {"origin", origin},
                            {"referer", origin.empty() ? origin : in.arena.concat({origin, "/"})},
                            {"user-agent", provider.user_agent()}},
                .body = form_encode(in.arena, {{"grant_type", "authorization_code"},
                                               {"client_id", provider.client_id()},
                                               {"code", code},
                                               {"redirect_uri", flow_text(in, "redirect_uri")},
                                               {"code_verifier", flow_text(in, "verifier")},
                                               {"state", state}}),
                .content_type = "application/x-www-form-urlencoded"},
               R"({"step":"exchange"})");
}

gp::Status Provider::oauth_resume(const gp::StepIn& in, gp_step& out) {
  return flow_text(in, "step") == "profile" ? after_profile(in, out) : after_exchange(in, out);
}

}  // namespace gproxy_claudecode
