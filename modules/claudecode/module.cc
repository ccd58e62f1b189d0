// What the module says about itself, its routes and its credentials.
#include "claudecode.h"
#include "common/info.h"
#include "common/routes.h"
#include "common/text.h"

namespace gproxy_claudecode {
namespace {

using namespace gproxy_common;

constexpr std::string_view kSettingsSchema =
#include "claudecode/settings.schema.json.inc"
    ;

// A login fills it; so may an import of what another tool has stored.
constexpr std::string_view kCredentialSchema =
#include "claudecode/credential.schema.json.inc"
    ;

constexpr gp_alias kAliases[] = {
    {gp::str("accessToken"), gp::str("access_token")},
    {gp::str("refreshToken"), gp::str("refresh_token")},
    {gp::str("expiresAt"), gp::str("expires_at")},
    {gp::str("subscriptionType"), gp::str("subscription_type")},
    {gp::str("rateLimitTier"), gp::str("rate_limit_tier")},
    {gp::str("email"), gp::str("user_email")},
};

// The conversation's own id. What the client says it is, is not forwarded.
constexpr gp_str kForward[] = {gp::str("x-claude-code-session-id")};

constexpr Way kMessages = into(GP_PROTOCOL_CLAUDE);
constexpr auto kRoutes =
    joined(everything(GP_PROTOCOL_CLAUDE, kNative), everything(GP_PROTOCOL_GEMINI, kMessages),
           generation(GP_PROTOCOL_OPENAI_CHAT, kMessages),
           generation(GP_PROTOCOL_OPENAI_RESPONSE, kMessages),
           lookups(GP_PROTOCOL_OPENAI, kMessages), accounts());

LongContext long_context(const gp::Json& json, const gp::Arena& arena, std::string_view family) {
  const auto enable = json.get(arena.concat({"/ClaudeCode/enable_claude_1m_", family}));
  const auto supports = json.get(arena.concat({"/ClaudeCode/supports_claude_1m_", family}));
  if (enable.found && enable.type == GP_JSON_BOOL && !enable.is_true()) return LongContext::off;
  if (!supports.found || supports.type != GP_JSON_BOOL) return LongContext::unknown;
  return supports.is_true() ? LongContext::on : LongContext::off;
}

}  // namespace

constexpr gp_kind kKind = {
    sizeof(gp_kind),
    GP_KIND_SEED,
    gp::str("claudecode"),
    gp::str(kTag),
    gp::str("Claude (subscription)"),
    gp::str("anthropic"),
    gp::str(kSettingsSchema),
    gp::str(kCredentialSchema),
    kAliases,
    std::size(kAliases),
    kForward,
    std::size(kForward),
};

std::span<const gp_route> Provider::routes() const {
  return kRoutes;
}

gp::Status Provider::open_credential(const gp::CredentialText& text,
                                     std::unique_ptr<Credential>& out,
                                     gp_credential_info& info) const {
  const gp::Json json = text.json();
  // Tagged credentials may hold the names that other tools write.
  auto read = [&](std::string_view name, std::string_view other) {
    const std::string_view value =
        gp::trim(json.get(text.arena.concat({"/ClaudeCode/", name})).or_empty());
    if (!value.empty() || other.empty()) return value;
    return gp::trim(json.get(text.arena.concat({"/ClaudeCode/", other})).or_empty());
  };
  const std::string_view access = read("access_token", "accessToken"),
                         refresh = read("refresh_token", "refreshToken"),
                         email = read("user_email", "email");
  if (access.empty() && refresh.empty())
    return gp::invalid("an access token or a refresh token is needed", "access_token");
  for (const auto& [name, value] : {gproxy_common::Pair{"access_token", access},
                                    gproxy_common::Pair{"refresh_token", refresh}}) {
    if (value.size() > 12288) return gp::invalid("is longer than 12288 bytes", name);
    for (char c : value) {  // it becomes a header: nothing in it may end a line
      if (c <= ' ' || c >= 0x7f) return gp::invalid("has a character that no token has", name);
    }
  }
  out = std::make_unique<Credential>();
  out->bearer = "Bearer " + std::string(access);
  out->refresh_token = refresh;
  out->text = text.text;
  const std::string_view account = read("account_uuid", {}),
                         organization = read("organization_uuid", {});
  out->identity = account.empty() ? email : account;
  if (!account.empty() && !organization.empty()) out->identity += "/" + std::string(organization);
  out->display = email;
  out->sonnet = long_context(json, text.arena, "sonnet");
  out->opus = long_context(json, text.arena, "opus");
  info.identity = gp::str(out->identity);
  info.display_name = gp::str(out->display);
  info.expires_at_ms = gproxy_common::stored_time_ms(json.get("/ClaudeCode/expires_at"));
  if (info.expires_at_ms == 0)
    info.expires_at_ms = gproxy_common::stored_time_ms(json.get("/ClaudeCode/expiresAt"));
  if (!refresh.empty()) info.flags |= GP_CREDENTIAL_REFRESHABLE;
  if (access.empty()) info.flags |= GP_CREDENTIAL_INCOMPLETE;
  return gp::ok();
}

namespace {
constexpr const gp_kind* kKinds[] = {&kKind};
constexpr gp_info kInfo = gproxy_common::built_in("dev.gproxy.claudecode", "Claude Code", kKinds);
}  // namespace
}  // namespace gproxy_claudecode

GPROXY_MODULE(gproxy_claudecode::Provider, gproxy_claudecode::kInfo)
