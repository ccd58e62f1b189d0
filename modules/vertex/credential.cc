// The service account: opening its key file, and the token that is signed for.
// https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests
#include <cstring>

#include "common/google/errors.h"
#include "common/steps.h"
#include "common/text.h"
#include "vertex.h"

namespace gproxy_vertex {
namespace {

using gproxy_common::fail;
using gproxy_common::JsonObject;
using gproxy_common::Refused;

constexpr std::string_view kTokenEndpoint = "https://oauth2.googleapis.com/token";
constexpr std::string_view kScope = "https://www.googleapis.com/auth/cloud-platform";
constexpr std::string_view kUniverse = "googleapis.com";
constexpr int64_t kLifetimeS = 3600;

bool is_host(std::string_view text) {
  for (char c : text) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.')) return false;
  }
  return !text.empty() && text.front() != '.' && text.back() != '.';
}

// "iat" lies outside of what the vendor's clock allows: our clock is wrong, not the key.
bool blames_clock(const gp::StepIn& in) {
  const auto json = gproxy_common::reply_json(in);
  if (!json) return false;
  const std::string_view said = json->get("/error_description").or_empty();
  return said.find("timeframe") != std::string_view::npos ||
         said.find("short-lived") != std::string_view::npos;
}

}  // namespace

// https://cloud.google.com/vertex-ai/docs/reference/rest#service-endpoint
std::string Provider::endpoint_of(std::string_view universe) const {
  if (!base_url_.empty()) return base_url_;
  const std::string domain(universe);
  if (location_ == "global") return "https://aiplatform." + domain;
  if (location_ == "us" || location_ == "eu")
    return "https://aiplatform." + location_ + ".rep." + domain;
  return "https://" + location_ + "-aiplatform." + domain;
}

std::string_view Provider::token_endpoint(std::string_view of_key) const {
  if (!token_url_.empty()) return token_url_;
  return of_key.empty() ? kTokenEndpoint : of_key;
}

gp::Status Provider::open_credential(const gp::CredentialText& text,
                                     std::unique_ptr<Credential>& out,
                                     gp_credential_info& info) const {
  const gp::Json whole = text.json();
  const gp::Json json = whole.inside(whole.node("/Vertex"));
  const std::string_view project = gp::trim(json.get("/project_id").or_empty());
  const std::string_view email = gp::trim(json.get("/client_email").or_empty());
  const std::string_view pem = json.get("/private_key").or_empty();
  const std::string_view token = gp::trim(json.get("/access_token").or_empty());
  const std::string_view token_uri = gp::trim(json.get("/token_uri").or_empty());
  std::string_view universe = gp::trim(json.get("/universe_domain").or_empty());
  if (!gp::usable_segment(project))
    return gp::invalid("the project's id is missing", "Vertex.project_id");
  if (email.empty()) return gp::invalid("the account's e-mail is missing", "Vertex.client_email");
  if (pem.find("-----BEGIN ") == std::string_view::npos ||
      pem.find("PRIVATE KEY-----") == std::string_view::npos) {
    return gp::invalid("must be a private key in PEM", "Vertex.private_key");
  }
  if (!token_uri.empty() && !gp::usable_base_url(token_uri))
    return gp::invalid("must be an http or https address", "Vertex.token_uri");
  if (universe.empty()) universe = kUniverse;
  if (!is_host(universe))
    return gp::invalid("must be the name of a domain", "Vertex.universe_domain");
  for (char c : token) {
    if (c <= ' ' || c >= 0x7f)
      return gp::invalid("has a character that no token has", "Vertex.access_token");
  }
  out = std::make_unique<Credential>();
  out->project_id = project;
  out->email = email;
  // One account may serve several projects.
  out->identity = out->email + " " + out->project_id;
  out->base_url = endpoint_of(universe);
  if (!token.empty()) out->bearer = "Bearer " + std::string(token);
  out->expires_at_ms = gproxy_common::stored_time_ms(json.get("/expires_at"));
  info.flags = GP_CREDENTIAL_REFRESHABLE;
  if (token.empty()) info.flags |= GP_CREDENTIAL_INCOMPLETE;
  info.expires_at_ms = out->expires_at_ms;
  info.identity = gp::str(out->identity);
  info.display_name = gp::str(out->email);
  return gp::ok();
}

// Signing takes milliseconds: it is done on the thread pool.
gp::Status Provider::refresh(const gp::StepIn&, gp_step& out) {
  out.kind = GP_STEP_COMPUTE;
  out.flow = gp::str(R"({"stage":"sign"})");
  return gp::ok();
}

namespace {

gp::Status ask_for_token(const gp::StepIn& in, gp_step& out, std::string_view endpoint) {
  const gp::Arena& arena = in.arena;
  const gp::Json whole = in.json(gp::view(in.raw.credential_json));
  const gp::Json key = whole.inside(whole.node("/Vertex"));
  auto encode = [&](std::string_view bytes) {
    gp_str text{};
    return in.crypto->base64url_encode(arena.handle(), gp::str(bytes), &text) == GP_OK
               ? gp::view(text)
               : std::string_view();
  };
  const int64_t now = arena.host()->now_ms() / 1000;
  const std::string_view head = JsonObject(arena)
                                    .text("alg", "RS256")
                                    .text("typ", "JWT")
                                    .text_if("kid", gp::trim(key.get("/private_key_id").or_empty()))
                                    .str();
  const std::string_view claims = JsonObject(arena)
                                      .text("iss", gp::trim(key.get("/client_email").or_empty()))
                                      .text("scope", kScope)
                                      .text("aud", endpoint)
                                      .number("iat", now)
                                      .number("exp", now + kLifetimeS)
                                      .str();
  const std::string_view signed_part = arena.concat({encode(head), ".", encode(claims)});
  gp_str signature{};
  const gp_str pem = gp::str(key.get("/private_key").or_empty());
  const gp_status status =
      in.crypto->rs256_sign(arena.handle(), pem, gp::str(signed_part), &signature);
  if (status == GP_ERR_INVALID)
    return fail(out, 400, "invalid_private_key", "the private key cannot sign", Refused::for_good);
  if (status != GP_OK) return fail(out, 500, "signing_failed", "the assertion cannot be signed");
  const std::string_view assertion = arena.concat({signed_part, ".", encode(gp::view(signature))});
  return gproxy_common::fetch(
      in, out,
      {.method = "POST",
       .url = endpoint,
       .headers = {},
       .body = gproxy_common::form_encode(
           arena, {{"grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"},
                   {"assertion", assertion}}),
       .content_type = "application/x-www-form-urlencoded"},
      R"({"stage":"token"})");
}

}  // namespace

gp::Status Provider::refresh_resume(const gp::StepIn& in, gp_step& out) {
  const gp::Arena& arena = in.arena;
  if (gproxy_common::flow_text(in, "stage") == "sign") {
    const gp::Json whole = in.json(gp::view(in.raw.credential_json));
    const std::string_view of_key = gp::trim(whole.get("/Vertex/token_uri").or_empty());
    return ask_for_token(in, out, gproxy_common::provider_of<Provider>(in).token_endpoint(of_key));
  }
  const auto tokens = gproxy_common::read_token_reply(in, out);
  if (!tokens) {
    if (blames_clock(in)) {
      out.flags &= ~GP_STEP_DEFINITIVE;
      out.message = gp::str("the token endpoint finds this machine's clock wrong");
    }
    return gp::ok();
  }
  const int64_t lifetime = tokens->expires_in_s > 0 ? tokens->expires_in_s : kLifetimeS;
  const gproxy_common::Pair members[] = {
      {"access_token", gp::json_quote(arena, tokens->access_token)},
      {"expires_at", arena.copy(std::to_string(arena.host()->now_ms() / 1000 + lifetime))}};
  out.kind = GP_STEP_DONE;
  out.credential_json = gp::str(gproxy_common::patched_credential(in, "Vertex", members));
  return gp::ok();
}

gp::Status Provider::classify(const gp::Failure& failure, gp::Verdict& verdict) const {
  return gproxy_google::judge(failure, verdict, gproxy_google::Rejected::refresh);
}

}  // namespace gproxy_vertex
