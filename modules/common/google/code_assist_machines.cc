// Logins, refreshes and the search for an account's project. One chain of stages serves the three:
//   login:   exchange -> profile -> load [-> onboard <-> wait] -> done
//   refresh: token [-> load [-> onboard <-> wait]] -> done
// The flow is a JSON object; between start and callback the host stores it sealed.
#include <optional>
#include <string>

#include "common/google/code_assist.h"
#include "common/steps.h"
#include "common/text.h"

namespace gproxy_google {
namespace {

using gproxy_common::fail;
using gproxy_common::flow_text;
using gproxy_common::integer_or;
using gproxy_common::JsonObject;
using gproxy_common::Pair;
using gproxy_common::Refused;

constexpr int64_t kLifetimeS = 3600;  // of a token whose endpoint does not say
constexpr int64_t kOnboardWaitMs = 2000;
constexpr int64_t kOnboardTries = 5;

struct Flow {
  std::string_view stage;
  std::string_view goal;  // "login", "refresh", "project"
  std::string_view verifier, redirect_uri, project, access, refresh, email, tier;
  int64_t expires_at = 0;
  int64_t tries = 0;
};

Flow read_flow(const gp::StepIn& in) {
  Flow flow;
  flow.stage = flow_text(in, "stage");
  flow.goal = flow_text(in, "goal");
  flow.verifier = flow_text(in, "verifier");
  flow.redirect_uri = flow_text(in, "redirect_uri");
  flow.project = flow_text(in, "project");
  flow.access = flow_text(in, "access");
  flow.refresh = flow_text(in, "refresh");
  flow.email = flow_text(in, "email");
  flow.tier = flow_text(in, "tier");
  flow.expires_at = integer_or(flow_text(in, "expires_at"), 0);
  flow.tries = integer_or(flow_text(in, "tries"), 0);
  return flow;
}

std::string_view write_flow(const gp::Arena& arena, const Flow& flow) {
  return JsonObject(arena)
      .text("stage", flow.stage)
      .text_if("goal", flow.goal)
      .text_if("verifier", flow.verifier)
      .text_if("redirect_uri", flow.redirect_uri)
      .text_if("project", flow.project)
      .text_if("access", flow.access)
      .text_if("refresh", flow.refresh)
      .text_if("email", flow.email)
      .text_if("tier", flow.tier)
      .text("expires_at", std::to_string(flow.expires_at))
      .text("tries", std::to_string(flow.tries))
      .str();
}

// A member of the credential that is being refreshed.
std::string_view stored(const CodeAssist& self, const gp::StepIn& in, std::string_view name) {
  const std::string_view text = gp::view(in.raw.credential_json);
  if (text.empty()) return {};
  const auto value = in.json(text).get(in.arena.concat({"/", self.product().tag, "/", name}));
  return gp::trim(value.or_empty());
}

gp::Status missing_setting(gp_step& out, std::string_view message) {
  return fail(out, 400, "missing_setting", message);
}

// The OAuth client whose tokens these are: the credential's own, where it brings one whole.
struct Client {
  std::string_view id, secret;
};
std::optional<Client> client_of(const CodeAssist& self, const gp::StepIn& in, gp_step& out) {
  const Client own{stored(self, in, "client_id"), stored(self, in, "client_secret")};
  if (!own.id.empty() && !own.secret.empty()) return own;
  if (self.client_id().empty()) {
    missing_setting(out, "the setting client_id is missing: give the id of your OAuth client");
    return std::nullopt;
  }
  if (self.client_secret().empty()) {
    missing_setting(out, "the setting client_secret is missing: give your OAuth client's");
    return std::nullopt;
  }
  if (!own.id.empty() && own.id != self.client_id()) {
    fail(out, 400, "client_mismatch",
         "the credential was issued to another OAuth client than the setting client_id");
    return std::nullopt;
  }
  return Client{self.client_id(), self.client_secret()};
}

// ---- what is asked --------------------------------------------------------------------------

gp::Status ask_token(const CodeAssist& self, const gp::StepIn& in, gp_step& out,
                     std::string_view form, const Flow& flow) {
  return gproxy_common::fetch(in, out,
                              {.method = "POST",
                               .url = self.token_url(),
                               .headers = {{"user-agent", self.user_agent()}},
                               .body = form,
                               .content_type = "application/x-www-form-urlencoded"},
                              write_flow(in.arena, flow));
}

gp::Status ask_internal(const CodeAssist& self, const gp::StepIn& in, gp_step& out,
                        std::string_view path, std::string_view body, const Flow& flow) {
  return gproxy_common::fetch(
      in, out,
      {.method = "POST",
       .url = in.arena.concat({self.base_url(), path}),
       .headers = {{"authorization", in.arena.concat({"Bearer ", flow.access})},
                   {"user-agent", self.user_agent()}},
       .body = body,
       .content_type = "application/json"},
      write_flow(in.arena, flow));
}

gp::Status ask_profile(const CodeAssist& self, const gp::StepIn& in, gp_step& out, Flow flow) {
  flow.stage = "profile";
  return gproxy_common::fetch(
      in, out,
      {.url = in.arena.concat({self.userinfo_url(), "?alt=json"}),
       .headers = {{"authorization", in.arena.concat({"Bearer ", flow.access})},
                   {"user-agent", self.user_agent()}}},
      write_flow(in.arena, flow));
}

gp::Status ask_project(const CodeAssist& self, const gp::StepIn& in, gp_step& out, Flow flow) {
  flow.stage = "load";
  return ask_internal(self, in, out, "/v1internal:loadCodeAssist",
                      in.arena.concat({R"({"metadata":)", self.metadata(), "}"}), flow);
}

gp::Status ask_onboarding(const CodeAssist& self, const gp::StepIn& in, gp_step& out, Flow flow) {
  flow.stage = "onboard";
  flow.tries += 1;
  return ask_internal(
      self, in, out, "/v1internal:onboardUser",
      JsonObject(in.arena).text("tierId", flow.tier).raw("metadata", self.metadata()).str(), flow);
}

gp::Status ask_refresh(const CodeAssist& self, const gp::StepIn& in, gp_step& out, Flow flow) {
  const std::string_view token = stored(self, in, "refresh_token");
  if (token.empty()) {
    return fail(out, 400, "no_refresh_token", "the account has no refresh token: log in again",
                Refused::for_good);
  }
  const auto client = client_of(self, in, out);
  if (!client) return gp::ok();
  flow.stage = "token";
  return ask_token(self, in, out,
                   gproxy_common::form_encode(in.arena, {{"grant_type", "refresh_token"},
                                                         {"refresh_token", token},
                                                         {"client_id", client->id},
                                                         {"client_secret", client->secret}}),
                   flow);
}

// ---- how it ends ----------------------------------------------------------------------------

gp::Status finish_login(const CodeAssist& self, const gp::StepIn& in, gp_step& out,
                        const Flow& flow) {
  const gp::Arena& arena = in.arena;
  const Product& product = self.product();
  const std::string_view account = JsonObject(arena)
                                       .text("access_token", flow.access)
                                       .text("refresh_token", flow.refresh)
                                       .number("expires_at", flow.expires_at)
                                       .text("project_id", flow.project)
                                       .text("client_id", self.client_id())
                                       .text_if("user_email", flow.email)
                                       .str();
  out.kind = GP_STEP_DONE;
  out.credential_json = gp::str(JsonObject(arena).raw(product.tag, account).str());
  out.identity = gp::str(flow.email);
  out.name = gp::str(arena.concat({product.kind, ":", flow.project}));
  out.reply_json = gp::str(
      JsonObject(arena).text("project_id", flow.project).text_if("user_email", flow.email).str());
  return gp::ok();
}

gp::Status finish_refresh(const CodeAssist& self, const gp::StepIn& in, gp_step& out,
                          const Flow& flow) {
  const gp::Arena& arena = in.arena;
  std::vector<Pair> members;
  auto set = [&](std::string_view name, std::string_view json) {
    members.emplace_back(name, json);
  };
  if (!flow.access.empty()) set("access_token", gp::json_quote(arena, flow.access));
  if (!flow.refresh.empty()) set("refresh_token", gp::json_quote(arena, flow.refresh));
  if (flow.expires_at > 0) set("expires_at", arena.copy(std::to_string(flow.expires_at)));
  if (!flow.project.empty()) set("project_id", gp::json_quote(arena, flow.project));
  if (flow.goal == "project")
    set("project_checked_at", arena.copy(std::to_string(arena.host()->now_ms() / 1000)));
  out.kind = GP_STEP_DONE;
  out.credential_json = gp::str(gproxy_common::patched_credential(in, self.product().tag, members));
  return gp::ok();
}

gp::Status finish(const CodeAssist& self, const gp::StepIn& in, gp_step& out, const Flow& flow) {
  return flow.goal == "login" ? finish_login(self, in, out, flow)
                              : finish_refresh(self, in, out, flow);
}

// No project was found.
gp::Status without_project(const CodeAssist& self, const gp::StepIn& in, gp_step& out, Flow flow) {
  if (flow.goal != "login") flow.project = stored(self, in, "project_id");
  if (flow.project.empty() && self.product().invents_project)
    flow.project = in.arena.concat({"gproxy-", gproxy_common::random_token(in, 6)});
  // A new refresh token is worth more than the project: it must not be lost.
  const bool rotated = flow.goal != "login" && !flow.refresh.empty() &&
                       flow.refresh != stored(self, in, "refresh_token");
  if (!flow.project.empty() || rotated || flow.goal == "project")
    return finish(self, in, out, flow);
  return fail(out, 400, "missing_project", "missing project_id (auto-detect failed)");
}

// A project as the vendor names it: a string, or an object with an id.
std::string_view project_in(const gp::Json& json, std::string_view pointer,
                            const gp::Arena& arena) {
  const std::string_view plain = gp::trim(json.get(pointer).or_empty());
  if (!plain.empty()) return plain;
  return gp::trim(json.get(arena.concat({pointer, "/id"})).or_empty());
}

// ---- what was answered ----------------------------------------------------------------------

gp::Status took_tokens(const CodeAssist& self, const gp::StepIn& in, gp_step& out, Flow flow) {
  const auto tokens = gproxy_common::read_token_reply(in, out);
  if (!tokens) return gp::ok();
  flow.access = tokens->access_token;
  flow.refresh = tokens->refresh_token;
  flow.expires_at = in.arena.host()->now_ms() / 1000 +
                    (tokens->expires_in_s > 0 ? tokens->expires_in_s : kLifetimeS);
  flow.verifier = {};
  if (flow.goal == "login") {
    if (flow.refresh.empty())
      return fail(out, 400, "missing_refresh_token", "missing refresh_token");
    return ask_profile(self, in, out, flow);
  }
  const bool wanted = flow.goal == "project" || self.product().redetects_after_refresh ||
                      stored(self, in, "project_id").empty();
  return wanted ? ask_project(self, in, out, flow) : finish(self, in, out, flow);
}

gp::Status took_project(const CodeAssist& self, const gp::StepIn& in, gp_step& out, Flow flow) {
  // The stored token may be over without having said so.
  if (flow.goal != "login" && gproxy_common::reply_status(in) == 401 && flow.tries == 0 &&
      flow.refresh.empty() && !stored(self, in, "refresh_token").empty()) {
    flow.tries = 1;
    return ask_refresh(self, in, out, flow);
  }
  const auto json = gproxy_common::reply_json(in);
  if (!json || !gproxy_common::succeeded(in)) return without_project(self, in, out, flow);
  if (json->node("/currentTier").type == GP_JSON_OBJECT) {
    flow.project = project_in(*json, "/cloudaicompanionProject", in.arena);
    return flow.project.empty() ? without_project(self, in, out, flow)
                                : finish(self, in, out, flow);
  }
  // An account that had a project is not enrolled anew because of a doubt.
  if (flow.goal != "login" && !stored(self, in, "project_id").empty())
    return without_project(self, in, out, flow);
  flow.tier = "LEGACY";
  json->each(json->node("/allowedTiers"), [&](const gp_json_member& member) {
    const gp::Json tier = json->inside(member.value);
    if (!tier.get("/isDefault").is_true()) return true;
    if (const auto id = tier.get("/id").or_empty(); !id.empty()) flow.tier = id;
    return false;
  });
  flow.tries = 0;
  return ask_onboarding(self, in, out, flow);
}

gp::Status took_onboarding(const CodeAssist& self, const gp::StepIn& in, gp_step& out, Flow flow) {
  const auto json = gproxy_common::reply_json(in);
  if (json && gproxy_common::succeeded(in) && json->get("/done").is_true()) {
    flow.project = project_in(*json, "/response/cloudaicompanionProject", in.arena);
    return flow.project.empty() ? without_project(self, in, out, flow)
                                : finish(self, in, out, flow);
  }
  const int32_t status = gproxy_common::reply_status(in);
  if (flow.tries >= kOnboardTries || (status >= 400 && status < 500))
    return without_project(self, in, out, flow);
  flow.stage = "wait";
  out.kind = GP_STEP_WAIT;
  out.wait_ms = kOnboardWaitMs;
  out.flow = gp::str(write_flow(in.arena, flow));
  return gp::ok();
}

}  // namespace

gp::Status login_start(const CodeAssist& self, const gp::StepIn& in, gp_step& out) {
  const gp::Arena& arena = in.arena;
  if (!client_of(self, in, out)) return gp::ok();
  const std::string_view query = gproxy_common::query_of(in);
  Flow flow;
  flow.stage = "wait_for_code";
  flow.goal = "login";
  flow.redirect_uri = gproxy_common::redirect_of(in, self.product().redirect_uri);
  if (!gp::usable_base_url(flow.redirect_uri))
    return fail(out, 400, "invalid_redirect_uri", "redirect_uri must be an http or https address");
  flow.project = gproxy_common::query_value(arena, query, "project_id");
  if (flow.project.size() > 128)
    return fail(out, 400, "invalid_project_id", "project_id is longer than 128 bytes");
  const auto pkce = gproxy_common::make_pkce(in, out, 32);
  if (!pkce) return gp::ok();
  flow.verifier = pkce->verifier;
  const std::string_view state = gp::view(in.raw.state);
  const std::string_view url =
      arena.concat({self.authorize_url(), "?",
                    gproxy_common::form_encode(arena, {{"response_type", "code"},
                                                       {"client_id", self.client_id()},
                                                       {"redirect_uri", flow.redirect_uri},
                                                       {"scope", self.product().scopes},
                                                       {"access_type", "offline"},
                                                       {"prompt", "consent"},
                                                       {"code_challenge_method", "S256"},
                                                       {"code_challenge", pkce->challenge},
                                                       {"state", state}})});
  const bool here = gproxy_common::returns_here(in, flow.redirect_uri);
  const std::string_view answer =
      JsonObject(arena)
          .text("auth_url", url)
          .text("state", state)
          .text("redirect_uri", flow.redirect_uri)
          .text("mode", here ? "redirect" : "manual")
          .text("instructions", here ? gproxy_common::kReturnsHere
                                     : "Open auth_url in a browser, agree, and hand the address "
                                       "that you arrive at (or its "
                                       "code) to the callback as callback_url (or code).")
          .str();
  return gproxy_common::reply(out, 200, answer, write_flow(arena, flow));
}

gp::Status login_callback(const CodeAssist& self, const gp::StepIn& in, gp_step& out) {
  const auto client = client_of(self, in, out);
  if (!client) return gp::ok();
  const std::string_view query = gproxy_common::query_of(in);
  const auto answer = gproxy_common::login_answer(in.arena, query);
  if (!answer.error.empty()) return fail(out, 400, "login_refused", answer.error);
  if (answer.code.empty()) return fail(out, 400, "missing_code", "missing code");
  Flow flow = read_flow(in);
  flow.stage = "exchange";
  if (flow.project.empty())
    flow.project = gproxy_common::query_value(in.arena, query, "project_id");
  return ask_token(self, in, out,
                   gproxy_common::form_encode(in.arena, {{"grant_type", "authorization_code"},
                                                         {"code", answer.code},
                                                         {"client_id", client->id},
                                                         {"client_secret", client->secret},
                                                         {"redirect_uri", flow.redirect_uri},
                                                         {"code_verifier", flow.verifier}}),
                   flow);
}

gp::Status refresh_account(const CodeAssist& self, const gp::StepIn& in, gp_step& out) {
  Flow flow;
  flow.goal = in.raw.cause == kCauseProject ? "project" : "refresh";
  const std::string_view access = stored(self, in, "access_token");
  const std::string_view text = gp::view(in.raw.credential_json);
  const int64_t expires_at_ms = gproxy_common::stored_time_ms(
      in.json(text).get(in.arena.concat({"/", self.product().tag, "/expires_at"})));
  const bool good =
      !access.empty() && (expires_at_ms == 0 || in.arena.host()->now_ms() < expires_at_ms);
  const bool only_project =
      in.raw.cause == kCauseProject ||
      (in.raw.cause == GP_CAUSE_INCOMPLETE && stored(self, in, "project_id").empty());
  if (!only_project || !good) return ask_refresh(self, in, out, flow);
  flow.access = access;
  return ask_project(self, in, out, flow);
}

gp::Status account_resume(const CodeAssist& self, const gp::StepIn& in, gp_step& out) {
  Flow flow = read_flow(in);
  if (flow.stage == "exchange" || flow.stage == "token") return took_tokens(self, in, out, flow);
  if (flow.stage == "profile") {
    // Good to have; a login does not fail for it.
    if (const auto json = gproxy_common::reply_json(in); json && gproxy_common::succeeded(in))
      flow.email = gp::trim(json->get("/email").or_empty()).substr(0, 200);
    return flow.project.empty() ? ask_project(self, in, out, flow) : finish(self, in, out, flow);
  }
  if (flow.stage == "load") return took_project(self, in, out, flow);
  if (flow.stage == "onboard") return took_onboarding(self, in, out, flow);
  if (flow.stage == "wait") return ask_onboarding(self, in, out, flow);
  return gp::internal("the flow is at no stage that there is");
}

}  // namespace gproxy_google
