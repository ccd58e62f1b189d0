// Reads channel_settings once, in create.
#include "common/settings.h"
#include "claudecode.h"

namespace gproxy_claudecode {
namespace {

using gproxy_common::text_setting;
using gproxy_common::url_setting;

// Which models this version of the module treats apart.
constexpr std::string_view kRules =
#include "claudecode/rules.json.inc"
    ;

constexpr std::string_view kCodeSystem =
    "You are Claude Code, Anthropic's official CLI for Claude.";
constexpr std::string_view kAgentSdk =
    "You are a Claude agent, built on Anthropic's Claude Agent SDK.";

std::vector<std::string> texts(const gp::Json& json, std::string_view pointer) {
  std::vector<std::string> out;
  json.each(json.node(pointer), [&](const gp_json_member& member) {
    out.emplace_back(json.decode(member.value));
    return true;
  });
  return out;
}

}  // namespace

std::string_view known_prelude(std::string_view name) {
  for (std::string_view known : {"claude_code_system", "claude_code", "code_system"}) {
    if (name == known) return kCodeSystem;
  }
  for (std::string_view known : {"claude_agent_sdk", "claude_agent", "agent_sdk"}) {
    if (name == known) return kAgentSdk;
  }
  return {};
}

bool is_known_prelude(std::string_view system_text) {
  return system_text.find(kCodeSystem) != std::string_view::npos ||
         system_text.find(kAgentSdk) != std::string_view::npos;
}

gp::Status Provider::create(const gp::Settings& settings, std::unique_ptr<Provider>& out) {
  auto provider = std::make_unique<Provider>();
  const gp::Status status = provider->read_settings(settings);
  if (status.ok()) out = std::move(provider);
  return status;
}

gp::Status Provider::read_settings(const gp::Settings& settings) {
  std::string platform;
  gp::Status status =
      url_setting(settings, {"base_url"}, "https://api.anthropic.com", endpoints_.api);
  auto url = [&](std::initializer_list<std::string_view> names, const std::string& otherwise,
                 std::string& to) {
    if (status.ok()) status = url_setting(settings, names, otherwise, to);
  };
  if (endpoints_.api.ends_with("/v1")) endpoints_.api.resize(endpoints_.api.size() - 3);
  url({"claude_ai_base_url"}, "https://claude.ai", endpoints_.origin);
  url({"platform_base_url", "console_base_url"}, "https://platform.claude.com", platform);
  url({"authorize_url"}, endpoints_.origin + "/oauth/authorize", endpoints_.authorize);
  url({"token_url"}, endpoints_.api + "/v1/oauth/token", endpoints_.token);
  url({"profile_url"}, endpoints_.api + "/api/oauth/profile", endpoints_.profile);
  url({"usage_url"}, platform + "/api/oauth/usage", endpoints_.usage);
  url({"redirect_uri"}, platform + "/oauth/code/callback", redirect_uri_);
  auto text = [&](std::string_view name, std::string_view otherwise, std::string& to) {
    if (status.ok()) status = text_setting(settings, name, otherwise, to);
  };
  text("client_id", "9d1c250a-e61b-44d9-88ed-5944d1962f5e", client_id_);
  text("scope", "user:profile user:inference user:sessions:claude_code", scope_);
  bool vendor = false;
  if (status.ok()) status = gproxy_common::identity_setting(settings, vendor);
  text("user_agent", "claude-cli/2.1.27 (external, cli)", user_agent_);
  if (!vendor) user_agent_.clear();
  if (status.ok()) status = read_prelude(settings);
  read_rules(settings);
  return status;
}

gp::Status Provider::read_prelude(const gp::Settings& settings) {
  const gp::Json json = settings.json();
  for (std::string_view name : {"prelude_text", "prelude_txt"}) {
    const auto value = json.get(settings.arena.concat({"/", name}));
    if (value.found && value.type != GP_JSON_STRING && value.type != GP_JSON_NULL)
      return gp::invalid("must be a text", name);
    const std::string_view text = gp::trim(value.or_empty());
    if (text.empty()) continue;
    if (text.size() > 4096) return gp::invalid("is longer than 4096 bytes", name);
    const std::string_view known = known_prelude(text);
    // A single word is a name, and a name must be known; a sentence is the text itself.
    if (known.empty() && text.find(' ') == std::string_view::npos) {
      return gp::invalid("must be claude_code_system, claude_agent_sdk or a whole sentence", name);
    }
    prelude_ = known.empty() ? text : known;
    return gp::ok();
  }
  return gp::ok();
}

void Provider::read_rules(const gp::Settings& settings) {
  const gp::Json rules(settings.arena, settings.json_ext, kRules);
  one_sampling_ = texts(rules, "/one_sampling_parameter");
  sonnet_long_ = texts(rules, "/context_1m/sonnet");
  opus_long_ = texts(rules, "/context_1m/opus");
}

}  // namespace gproxy_claudecode
