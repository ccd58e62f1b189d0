// What the module says about itself, its settings and its routes.
#include "claude.h"

namespace gproxy_claude {
namespace {

constexpr std::string_view kSettingsSchema =
    R"({"$schema":"http://json-schema.org/draft-04/schema#","type":"object","additionalProperties":false,)"
    R"("properties":{"base_url":{"type":"string","title":"Base URL","default":"https://api.anthropic.com",)"
    R"("description":"Address of the API, with or without /v1. Empty: the vendor's."}}})";

constexpr int32_t N = GP_ROUTE_NATIVE, T = GP_ROUTE_TRANSLATE;
constexpr gp_route kRoutes[] = {
    {GP_PROTOCOL_CLAUDE, GP_OP_GENERATE, N, 0},
    {GP_PROTOCOL_CLAUDE, GP_OP_STREAM_GENERATE, N, 0},
    {GP_PROTOCOL_CLAUDE, GP_OP_COUNT_TOKENS, N, 0},
    {GP_PROTOCOL_CLAUDE, GP_OP_MODEL_LIST, N, 0},
    {GP_PROTOCOL_CLAUDE, GP_OP_MODEL_GET, N, 0},
    {GP_PROTOCOL_OPENAI_CHAT, GP_OP_GENERATE, N, 0},
    {GP_PROTOCOL_OPENAI_CHAT, GP_OP_STREAM_GENERATE, N, 0},
    {GP_PROTOCOL_OPENAI_RESPONSE, GP_OP_GENERATE, T, GP_PROTOCOL_CLAUDE},
    {GP_PROTOCOL_OPENAI_RESPONSE, GP_OP_STREAM_GENERATE, T, GP_PROTOCOL_CLAUDE},
    {GP_PROTOCOL_GEMINI, GP_OP_GENERATE, T, GP_PROTOCOL_CLAUDE},
    {GP_PROTOCOL_GEMINI, GP_OP_STREAM_GENERATE, T, GP_PROTOCOL_CLAUDE},
    {GP_PROTOCOL_GEMINI, GP_OP_COUNT_TOKENS, T, GP_PROTOCOL_CLAUDE},
    {GP_PROTOCOL_GEMINI, GP_OP_MODEL_LIST, T, GP_PROTOCOL_CLAUDE},
    {GP_PROTOCOL_GEMINI, GP_OP_MODEL_GET, T, GP_PROTOCOL_CLAUDE},
    {GP_PROTOCOL_OPENAI, GP_OP_COUNT_TOKENS, T, GP_PROTOCOL_CLAUDE},
    {GP_PROTOCOL_OPENAI, GP_OP_MODEL_LIST, T, GP_PROTOCOL_CLAUDE},
    {GP_PROTOCOL_OPENAI, GP_OP_MODEL_GET, T, GP_PROTOCOL_CLAUDE},
};

constexpr gp_alias kAliases[] = {{gp::str("apiKey"), gp::str("api_key")},
                                 {gp::str("key"), gp::str("api_key")}};

}  // namespace

constexpr gp_kind kKind = {
    sizeof(gp_kind),
    GP_KIND_SEED,
    gp::str("claude"),
    gp::str("Claude"),
    gp::str("Claude"),
    gp::str("anthropic"),
    gp::str(kSettingsSchema),
    gp::str(gp::kApiKeySchema),
    kAliases,
    std::size(kAliases),
    nullptr,
    0,
};

gp::Status Provider::create(const gp::Settings& settings, std::unique_ptr<Provider>& out) {
  auto provider = std::make_unique<Provider>();
  const gp::Status status =
      gp::base_url_setting(settings, "https://api.anthropic.com", provider->base_url_);
  if (status.ok()) out = std::move(provider);
  return status;
}

std::span<const gp_route> Provider::routes() const {
  return kRoutes;
}

gp::Status Provider::open_credential(const gp::CredentialText& text,
                                     std::unique_ptr<Credential>& out,
                                     gp_credential_info& info) const {
  return gp::ApiKey::open(text, "Claude", out, info);
}

namespace {
constexpr const gp_kind* kKinds[] = {&kKind};
constexpr gp_info kInfo = {
    sizeof(gp_info),
    0,
    gp::str("dev.gproxy.claude"),
    gp::str("Claude"),
    gp::str("0.1.0"),
    gp::str("AGPL-3.0-or-later"),
    {},
    kKinds,
    std::size(kKinds),
};
}  // namespace
}  // namespace gproxy_claude

GPROXY_MODULE(gproxy_claude::Provider, gproxy_claude::kInfo)
