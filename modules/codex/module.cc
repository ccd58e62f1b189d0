// What the module says about itself, and its credentials.
#include "codex.h"
#include "common/info.h"
#include "common/text.h"

namespace gproxy_codex {
namespace {

constexpr std::string_view kSettingsSchema =
#include "codex/settings.schema.json.inc"
    ;

// A login fills it; so may an import of what another tool has stored.
constexpr std::string_view kCredentialSchema =
#include "codex/credential.schema.json.inc"
    ;

constexpr gp_alias kAliases[] = {
    {gp::str("accessToken"), gp::str("access_token")},
    {gp::str("refreshToken"), gp::str("refresh_token")},
    {gp::str("idToken"), gp::str("id_token")},
    {gp::str("accountId"), gp::str("account_id")},
    {gp::str("chatgpt_account_id"), gp::str("account_id")},
    {gp::str("email"), gp::str("user_email")},
    {gp::str("expiresAt"), gp::str("expires_at")},
};

// What ties a conversation together at the backend. What the client says it is, is not forwarded.
constexpr gp_str kForward[] = {gp::str("x-codex-*"),       gp::str("session_id"),
                               gp::str("session-id"),      gp::str("thread-id"),
                               gp::str("conversation_id"), gp::str("x-client-request-id")};

}  // namespace

constexpr gp_kind kKind = {
    sizeof(gp_kind),
    GP_KIND_SEED,
    gp::str("codex"),
    gp::str(kTag),
    gp::str("Codex (ChatGPT account)"),
    gp::str("openai"),
    gp::str(kSettingsSchema),
    gp::str(kCredentialSchema),
    kAliases,
    std::size(kAliases),
    kForward,
    std::size(kForward),
};

gp::Status Provider::open_credential(const gp::CredentialText& text,
                                     std::unique_ptr<Credential>& out,
                                     gp_credential_info& info) const {
  const gp::Json json = text.json();
  // At the top, or as the vendor's own client stores it: {"tokens":{…}}.
  auto read = [&](std::string_view name) {
    const auto value = json.get(text.arena.concat({"/Codex/", name}));
    if (!value.or_empty().empty()) return gp::trim(value.text);
    return gp::trim(json.get(text.arena.concat({"/Codex/tokens/", name})).or_empty());
  };
  const std::string_view access = read("access_token"), refresh = read("refresh_token"),
                         account = read("account_id"), email = read("user_email");
  if (access.empty() && refresh.empty())
    return gp::invalid("an access token or a refresh token is needed", "access_token");
  for (const auto& [name, value] :
       {gproxy_common::Pair{"access_token", access}, gproxy_common::Pair{"refresh_token", refresh},
        gproxy_common::Pair{"account_id", account}}) {
    if (value.size() > 12288) return gp::invalid("is longer than 12288 bytes", name);
    for (char c : value) {  // it becomes a header: nothing in it may end a line
      if (c <= ' ' || c >= 0x7f) return gp::invalid("has a character that no token has", name);
    }
  }
  out = std::make_unique<Credential>();
  out->bearer = "Bearer " + std::string(access);
  out->account_id = account;
  out->refresh_token = refresh;
  out->display = email.empty() ? account : email;
  info.identity = gp::str(out->account_id);
  info.display_name = gp::str(out->display);
  info.expires_at_ms = gproxy_common::stored_time_ms(json.get("/Codex/expires_at"));
  if (!refresh.empty()) info.flags |= GP_CREDENTIAL_REFRESHABLE;
  if (access.empty() || account.empty()) info.flags |= GP_CREDENTIAL_INCOMPLETE;
  return gp::ok();
}

gp::Status Provider::respond(const gp::Request& request, gp::Local& out,
                             std::unique_ptr<LocalCall>&) const {
  return models_.respond(request, "openai", out);
}

// The backend counts nothing.
gp::Status Provider::count_plan(const gp::Request&, gp::CountPlan& plan) const {
  plan.encoding("o200k_base");
  return gp::ok();
}

namespace {
constexpr const gp_kind* kKinds[] = {&kKind};
constexpr gp_info kInfo = gproxy_common::built_in("dev.gproxy.codex", "Codex", kKinds);
}  // namespace
}  // namespace gproxy_codex

GPROXY_MODULE(gproxy_codex::Provider, gproxy_codex::kInfo)
