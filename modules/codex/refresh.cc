// Renewing an account's tokens, and completing imported ones.
#include "codex.h"
#include "gproxy/ext/credential.h"
#include "tokens.h"

namespace gproxy_codex {

using namespace gproxy_common;

namespace {

std::string_view stored(const gp::StepIn& in, std::string_view name) {
  const gp::Json json = in.json(gp::view(in.raw.credential_json));
  const std::string_view top = json.get(in.arena.concat({"/Codex/", name})).or_empty();
  return top.empty() ? json.get(in.arena.concat({"/Codex/tokens/", name})).or_empty() : top;
}

std::string_view quoted(const gp::StepIn& in, std::string_view text) {
  return gp::json_quote(in.arena, text);
}

// DONE with what the tokens say; refuses an account that nobody names.
gp::Status done(const gp::StepIn& in, gp_step& out, const TokenReply& tokens) {
  const std::string_view id_token =
      tokens.id_token.empty() ? stored(in, "id_token") : tokens.id_token;
  const Claims claims = read_claims(in, id_token, tokens.access_token);
  std::string_view account = stored(in, "account_id"), email = stored(in, "user_email");
  if (account.empty()) account = claims.account_id;
  if (email.empty()) email = claims.email;
  if (account.empty()) {
    return fail(out, 400, "missing_account_id",
                "neither the credential nor its tokens name an account", Refused::for_good);
  }
  std::vector<Pair> members = {{"access_token", quoted(in, tokens.access_token)},
                               {"account_id", quoted(in, account)}};
  if (!tokens.refresh_token.empty())
    members.emplace_back("refresh_token", quoted(in, tokens.refresh_token));
  if (!tokens.id_token.empty()) members.emplace_back("id_token", quoted(in, tokens.id_token));
  if (!email.empty()) members.emplace_back("user_email", quoted(in, email));
  members.emplace_back("expires_at", in.arena.copy(std::to_string(expires_at(in, tokens, claims))));
  out.kind = GP_STEP_DONE;
  out.credential_json = gp::str(patched_credential(in, kTag, members));
  out.identity = gp::str(account);
  return gp::ok();
}

}  // namespace

Claims read_claims(const gp::StepIn& in, std::string_view id_token, std::string_view access_token) {
  Claims claims;
  for (std::string_view token : {id_token, access_token}) {
    const std::string_view text = token_claims(in, token);
    if (text.empty()) continue;
    const gp::Json json = in.json(text);
    auto take = [&](std::string_view& to, std::string_view pointer) {
      if (to.empty()) to = json.get(pointer).or_empty();
    };
    take(claims.email, "/email");
    take(claims.email, "/https:~1~1api.openai.com~1profile/email");
    take(claims.account_id, "/https:~1~1api.openai.com~1auth/chatgpt_account_id");
    take(claims.plan, "/https:~1~1api.openai.com~1auth/chatgpt_plan_type");
    if (token == access_token)
      claims.access_expires_at = stored_time_ms(json.get("/exp")) / int64_t{1000};
  }
  return claims;
}

int64_t expires_at(const gp::StepIn& in, const TokenReply& tokens, const Claims& claims) {
  if (tokens.expires_in_s > 0)
    return in.arena.host()->now_ms() / int64_t{1000} + tokens.expires_in_s;
  return claims.access_expires_at;
}

gp::Status Provider::refresh(const gp::StepIn& in, gp_step& out) {
  const Provider& provider = provider_of<Provider>(in);
  const std::string_view access = stored(in, "access_token"),
                         refresh_token = stored(in, "refresh_token");
  // Imported without its account: the tokens may name it.
  if (in.raw.cause == GP_CAUSE_INCOMPLETE && !access.empty()) {
    const Claims claims = read_claims(in, stored(in, "id_token"), access);
    if (!claims.account_id.empty() || refresh_token.empty())
      return done(in, out, {.access_token = access, .refresh_token = {}, .id_token = {}});
  }
  if (refresh_token.empty()) {
    return fail(out, 400, "missing_refresh_token", "the credential has no refresh token",
                Refused::for_good);
  }
  return fetch(in, out,
               {.method = "POST",
                .url = provider.endpoints().token,
                .headers = {{"user-agent", provider.user_agent()}},
                .body = form_encode(in.arena, {{"grant_type", "refresh_token"},
                                               {"refresh_token", refresh_token},
                                               {"client_id", provider.client_id()}}),
                .content_type = "application/x-www-form-urlencoded"},
               "{}");
}

gp::Status Provider::refresh_resume(const gp::StepIn& in, gp_step& out) {
  const auto tokens = read_token_reply(in, out);
  return tokens ? done(in, out, *tokens) : gp::ok();
}

}  // namespace gproxy_codex
