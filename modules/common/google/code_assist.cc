#include "common/google/code_assist.h"

#include "common/google/errors.h"
#include "common/settings.h"
#include "common/text.h"

namespace gproxy_google {
namespace {

bool is_token(std::string_view text) {
  for (char c : text) {
    if (c <= ' ' || c >= 0x7f) return false;
  }
  return text.size() <= 8192;
}

}  // namespace

gp::Status CodeAssist::read_settings(const gp::Settings& settings) {
  using gproxy_common::text_setting;
  using gproxy_common::url_setting;
  struct Address {
    std::string_view name, otherwise;
    std::string* out;
  };
  const Address addresses[] = {
      {"base_url", product_.base_url, &base_url_},
      {"authorize_url", "https://accounts.google.com/o/oauth2/v2/auth", &authorize_url_},
      {"token_url", "https://oauth2.googleapis.com/token", &token_url_},
      {"userinfo_url", "https://www.googleapis.com/oauth2/v1/userinfo", &userinfo_url_},
  };
  for (const Address& address : addresses) {
    auto status = url_setting(settings, {address.name}, address.otherwise, *address.out);
    if (!status.ok()) return status;
  }
  auto status = text_setting(settings, "client_id", {}, client_id_);
  if (status.ok()) status = text_setting(settings, "client_secret", {}, client_secret_);
  if (status.ok())
    status = text_setting(settings, "vendor_user_agent", product_.user_agent, user_agent_);
  if (status.ok()) status = gproxy_common::identity_setting(settings, vendor_identity_);
  return status;
}

std::string_view CodeAssist::metadata() const {
  return vendor_identity_
             ? R"({"ideType":"ANTIGRAVITY","platform":"PLATFORM_UNSPECIFIED","pluginType":"GEMINI"})"
             : R"({"ideType":"IDE_UNSPECIFIED","platform":"PLATFORM_UNSPECIFIED","pluginType":"GEMINI"})";
}

gp::Status CodeAssist::open_account(const gp::CredentialText& text, std::unique_ptr<Account>& out,
                                    gp_credential_info& info) const {
  const gp::Arena& arena = text.arena;
  const gp::Json whole = text.json();
  const gp::Json json = whole.inside(whole.node(arena.concat({"/", product_.tag})));
  const std::string_view access = gp::trim(json.get("/access_token").or_empty());
  const std::string_view refresh = gp::trim(json.get("/refresh_token").or_empty());
  auto path = [&](std::string_view name) { return arena.concat({product_.tag, ".", name}); };
  if (access.empty() && refresh.empty())
    return gp::invalid("an account needs a token", path("refresh_token"));
  // They become headers: nothing in them may end a line.
  if (!is_token(access))
    return gp::invalid("has a character that no token has", path("access_token"));
  if (!is_token(refresh))
    return gp::invalid("has a character that no token has", path("refresh_token"));
  out = std::make_unique<Account>();
  if (!access.empty()) out->bearer = "Bearer " + std::string(access);
  out->project = gp::trim(json.get("/project_id").or_empty());
  out->email = gp::trim(json.get("/user_email").or_empty());
  out->expires_at_ms = gproxy_common::stored_time_ms(json.get("/expires_at"));
  out->project_checked_ms = gproxy_common::stored_time_ms(json.get("/project_checked_at"));
  out->refreshable = !refresh.empty();
  // A token without a project can still find it.
  if (out->refreshable || out->project.empty()) info.flags |= GP_CREDENTIAL_REFRESHABLE;
  if (out->bearer.empty() || out->project.empty()) info.flags |= GP_CREDENTIAL_INCOMPLETE;
  info.expires_at_ms = out->refreshable ? out->expires_at_ms : 0;
  info.identity = gp::str(out->email);
  info.display_name = gp::str(out->email.empty() ? out->project : out->email);
  return gp::ok();
}

gp::Status CodeAssist::begin(const gp::Request& request, gp::Upstream& up, const gp_kind& kind,
                             std::string_view path) const {
  const gp::Arena& arena = request.arena();
  const Account& account = request.credential<Account>();
  if (account.bearer.empty() || account.project.empty())
    return gp::credential_expired(GP_CAUSE_INCOMPLETE);
  if (account.refreshable && account.expires_at_ms != 0 &&
      arena.host()->now_ms() >= account.expires_at_ms) {
    return gp::credential_expired(GP_CAUSE_EXPIRING);
  }
  up.method("POST");
  up.url(arena.concat({base_url_, path}));
  // The client's own words are for other products of the vendor: none goes up.
  up.header("accept", "application/json");
  up.header("content-type", "application/json");
  if (!user_agent().empty()) up.header("user-agent", user_agent());
  up.forward(kind);
  up.header("authorization", account.bearer);
  return gp::ok();
}

gp::Status CodeAssist::judge_failure(const gp::Failure& failure, gp::Verdict& verdict) const {
  const auto* account = reinterpret_cast<const Account*>(failure.raw().credential);
  if (failure.is_http() && failure.status() == 404 && account != nullptr &&
      failure.now_ms() - account->project_checked_ms > kProjectCheckMs) {
    verdict.refresh(kCauseProject, "project");
    return gp::ok();
  }
  return judge(failure, verdict,
               account == nullptr || account->refreshable ? Rejected::refresh : Rejected::dead);
}

}  // namespace gproxy_google
