// Logging an account in: in a browser (authorisation code with PKCE), or by a code that the person
// types on another device. Each step leaves a flow {"step", …}.
#include "codex.h"
#include "common/steps.h"
#include "tokens.h"

namespace gproxy_codex {
namespace {

using namespace gproxy_common;

bool wants_browser(std::string_view mode) {
  for (std::string_view name :
       {"authorization_code", "auth_code", "pkce", "browser", "browser_auth"}) {
    if (mode == name) return true;
  }
  return false;
}

gp::Status start_browser(const gp::StepIn& in, gp_step& out) {
  const Provider& provider = provider_of<Provider>(in);
  const std::string_view state = gp::view(in.raw.state);
  const auto pkce = make_pkce(in, out, 64);
  if (!pkce) return gp::ok();
  const std::string_view redirect = redirect_of(in, provider.redirect_uri());
  const std::string_view scope = query_or(in, "scope", provider.scope());
  const std::string_view query = form_encode(
      in.arena,
      {{"response_type", "code"},
       {"client_id", provider.client_id()},
       {"redirect_uri", redirect},
       {"scope", scope},
       {"code_challenge", pkce->challenge},
       {"code_challenge_method", "S256"},
       {"id_token_add_organizations", "true"},
       {"codex_cli_simplified_flow", "true"},
       {"state", state},
       {"originator", query_or(in, "originator", provider.originator())},
       {"allowed_workspace_id", query_value(in.arena, query_of(in), "allowed_workspace_id")}});
  const std::string_view flow = JsonObject(in.arena)
                                    .text("step", "browser")
                                    .text("state", state)
                                    .text("verifier", pkce->verifier)
                                    .text("redirect_uri", redirect)
                                    .str();
  return reply(
      out, 200,
      JsonObject(in.arena)
          .text("auth_url", in.arena.concat({provider.endpoints().authorize, "?", query}))
          .text("state", state)
          .text("redirect_uri", redirect)
          .text("scope", scope)
          .text("mode", "authorization_code")
          .text("instructions",
                returns_here(in, redirect)
                    ? kReturnsHere
                    : "Open auth_url, sign in, and give the address that the browser ends at to "
                      "oauth/callback as callback_url.")
          .str(),
      flow);
}

gp::Status start_device(const gp::StepIn& in, gp_step& out) {
  const Provider& provider = provider_of<Provider>(in);
  return fetch(in, out,
               {.method = "POST",
                .url = provider.endpoints().device_code,
                .headers = {{"user-agent", provider.user_agent()}},
                .body = JsonObject(in.arena).text("client_id", provider.client_id()).str(),
                .content_type = "application/json"},
               R"({"step":"device_code"})");
}

// Seconds between two polls, from a number or a text.
int64_t interval_of(const gp::Json& json) {
  return std::clamp<int64_t>(integer_or(json.get("/interval").text, 5), 1, 60);
}

gp::Status device_code(const gp::StepIn& in, gp_step& out) {
  const Provider& provider = provider_of<Provider>(in);
  const auto json = reply_json(in);
  if (!succeeded(in) || !json) {
    return fail(out, 502, "deviceauth_usercode_failed",
                reply_status(in) == 404 ? "this issuer offers no device codes: use mode=browser"
                                        : "the issuer gave no device code");
  }
  const std::string_view id = json->get("/device_auth_id").or_empty();
  std::string_view code = json->get("/user_code").or_empty();
  if (code.empty()) code = json->get("/usercode").or_empty();
  if (id.empty() || code.empty())
    return fail(out, 502, "deviceauth_usercode_failed", "the issuer gave no device code");
  const int64_t interval = interval_of(*json);
  const std::string_view page = provider.endpoints().device_page;
  return reply(out, 200,
               JsonObject(in.arena)
                   .text("auth_url", page)
                   .text("verification_uri", page)
                   .text("user_code", code)
                   .number("interval", interval)
                   .text("state", gp::view(in.raw.state))
                   .text("mode", "device_auth")
                   .text("instructions",
                         "Open verification_uri, type user_code, then call oauth/callback with "
                         "this state until it answers 200.")
                   .str(),
               JsonObject(in.arena)
                   .text("step", "device")
                   .text("state", gp::view(in.raw.state))
                   .text("device_auth_id", id)
                   .text("user_code", code)
                   .number("interval", interval)
                   .str());
}

gp::Status exchange(const gp::StepIn& in, gp_step& out, std::string_view code,
                    std::string_view verifier, std::string_view redirect) {
  const Provider& provider = provider_of<Provider>(in);
  return fetch(in, out,
               {.method = "POST",
                .url = provider.endpoints().token,
                .headers = {{"user-agent", provider.user_agent()}},
                .body = form_encode(in.arena, {{"grant_type", "authorization_code"},
                                               {"code", code},
                                               {"redirect_uri", redirect},
                                               {"client_id", provider.client_id()},
                                               {"code_verifier", verifier}}),
                .content_type = "application/x-www-form-urlencoded"},
               R"({"step":"exchange"})");
}

gp::Status device_poll(const gp::StepIn& in, gp_step& out) {
  if (reply_status(in) == 403 || reply_status(in) == 404) {
    // Not agreed to yet: the same flow waits for the next poll.
    const gp::Json flow = in.json(gp::view(in.raw.flow));
    const std::string interval = std::to_string(interval_of(flow));
    const gproxy_common::Pair back[] = {{"step", R"("device")"}};
    return reply(
        out, 409,
        JsonObject(in.arena)
            .text("error", in.arena.concat({"authorization_pending: retry after ", interval, "s"}))
            .str(),
        with_members(flow, in.arena, back));
  }
  const auto json = reply_json(in);
  const std::string_view code = json ? json->get("/authorization_code").or_empty() : "";
  const std::string_view verifier = json ? json->get("/code_verifier").or_empty() : "";
  if (!succeeded(in) || code.empty() || verifier.empty())
    return fail(out, 502, "deviceauth_poll_failed", "the issuer did not answer the poll");
  return exchange(in, out, code, verifier, provider_of<Provider>(in).endpoints().device_redirect);
}

gp::Status finish_login(const gp::StepIn& in, gp_step& out) {
  const auto tokens = read_token_reply(in, out);
  if (!tokens) return gp::ok();
  if (tokens->refresh_token.empty())
    return fail(out, 400, "missing_refresh_token", "the issuer gave no refresh token");
  if (tokens->id_token.empty())
    return fail(out, 400, "missing_id_token", "the issuer gave no ID token");
  const Claims claims = read_claims(in, tokens->id_token, tokens->access_token);
  if (claims.account_id.empty())
    return fail(out, 400, "missing_account_id", "the ID token names no account");
  out.kind = GP_STEP_DONE;
  out.credential_json =
      gp::str(JsonObject(in.arena)
                  .raw(kTag, JsonObject(in.arena)
                                 .text("access_token", tokens->access_token)
                                 .text("refresh_token", tokens->refresh_token)
                                 .text("id_token", tokens->id_token)
                                 .text("account_id", claims.account_id)
                                 .text_if("user_email", claims.email)
                                 .number("expires_at", expires_at(in, *tokens, claims))
                                 .str())
                  .str());
  out.identity = gp::str(claims.account_id);
  out.name =
      gp::str(claims.email.empty() ? in.arena.concat({"codex:", claims.account_id}) : claims.email);
  out.reply_json = gp::str(JsonObject(in.arena)
                               .text("account_id", claims.account_id)
                               .text_if("email", claims.email)
                               .text_if("plan", claims.plan)
                               .str());
  return gp::ok();
}

}  // namespace

gp::Status Provider::oauth_start(const gp::StepIn& in, gp_step& out) {
  if (wants_browser(query_value(in.arena, query_of(in), "mode"))) return start_browser(in, out);
  return start_device(in, out);
}

gp::Status Provider::oauth_callback(const gp::StepIn& in, gp_step& out) {
  const LoginAnswer answer = login_answer(in.arena, query_of(in));
  if (!answer.error.empty()) return fail(out, 400, "authorization_failed", answer.error);
  if (!answer.state.empty() && answer.state != flow_text(in, "state"))
    return fail(out, 400, "state_mismatch", "the state is another login's");
  if (flow_text(in, "step") == "device") {
    const Provider& provider = provider_of<Provider>(in);
    const gproxy_common::Pair polling[] = {{"step", R"("poll")"}};
    return fetch(in, out,
                 {.method = "POST",
                  .url = provider.endpoints().device_poll,
                  .headers = {{"user-agent", provider.user_agent()}},
                  .body = JsonObject(in.arena)
                              .text("device_auth_id", flow_text(in, "device_auth_id"))
                              .text("user_code", flow_text(in, "user_code"))
                              .str(),
                  .content_type = "application/json"},
                 with_members(in.json(gp::view(in.raw.flow)), in.arena, polling));
  }
  if (answer.code.empty()) return fail(out, 400, "missing code", "the query holds no code");
  return exchange(in, out, answer.code, flow_text(in, "verifier"), flow_text(in, "redirect_uri"));
}

gp::Status Provider::oauth_resume(const gp::StepIn& in, gp_step& out) {
  const std::string_view step = flow_text(in, "step");
  if (step == "device_code") return device_code(in, out);
  if (step == "poll") return device_poll(in, out);
  return finish_login(in, out);
}

}  // namespace gproxy_codex
