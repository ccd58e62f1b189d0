// What the module says about itself, its settings and its routes.
#include "openai.h"

namespace gproxy_openai {
namespace {

constexpr std::string_view kSettingsSchema =
    R"({"$schema":"http://json-schema.org/draft-04/schema#","type":"object","additionalProperties":false,)"
    R"("properties":{"base_url":{"type":"string","title":"Base URL","default":"https://api.openai.com",)"
    R"("description":"Address of the API, with or without /v1. Empty: the vendor's."}}})";

constexpr gp_str kForward[] = {gp::str("x-client-request-id"), gp::str("openai-safety-identifier")};

constexpr int32_t N = GP_ROUTE_NATIVE, T = GP_ROUTE_TRANSLATE;
constexpr gp_route kRoutes[] = {
    {GP_PROTOCOL_OPENAI_CHAT, GP_OP_GENERATE, N, 0},
    {GP_PROTOCOL_OPENAI_CHAT, GP_OP_STREAM_GENERATE, N, 0},
    {GP_PROTOCOL_OPENAI_RESPONSE, GP_OP_GENERATE, N, 0},
    {GP_PROTOCOL_OPENAI_RESPONSE, GP_OP_STREAM_GENERATE, N, 0},
    {GP_PROTOCOL_OPENAI, GP_OP_COUNT_TOKENS, N, 0},
    {GP_PROTOCOL_OPENAI, GP_OP_MODEL_LIST, N, 0},
    {GP_PROTOCOL_OPENAI, GP_OP_MODEL_GET, N, 0},
    {GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_GET, N, 0},
    {GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_DELETE, N, 0},
    {GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_CANCEL, N, 0},
    {GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_INPUT_ITEMS, N, 0},
    {GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_COMPACT, N, 0},
    {GP_PROTOCOL_CLAUDE, GP_OP_GENERATE, T, GP_PROTOCOL_OPENAI_RESPONSE},
    {GP_PROTOCOL_CLAUDE, GP_OP_STREAM_GENERATE, T, GP_PROTOCOL_OPENAI_RESPONSE},
    {GP_PROTOCOL_CLAUDE, GP_OP_COUNT_TOKENS, T, GP_PROTOCOL_OPENAI},
    {GP_PROTOCOL_CLAUDE, GP_OP_MODEL_LIST, T, GP_PROTOCOL_OPENAI},
    {GP_PROTOCOL_CLAUDE, GP_OP_MODEL_GET, T, GP_PROTOCOL_OPENAI},
    {GP_PROTOCOL_GEMINI, GP_OP_GENERATE, T, GP_PROTOCOL_OPENAI_RESPONSE},
    {GP_PROTOCOL_GEMINI, GP_OP_STREAM_GENERATE, T, GP_PROTOCOL_OPENAI_RESPONSE},
    {GP_PROTOCOL_GEMINI, GP_OP_COUNT_TOKENS, T, GP_PROTOCOL_OPENAI},
    {GP_PROTOCOL_GEMINI, GP_OP_MODEL_LIST, T, GP_PROTOCOL_OPENAI},
    {GP_PROTOCOL_GEMINI, GP_OP_MODEL_GET, T, GP_PROTOCOL_OPENAI},
};

constexpr gp_alias kAliases[] = {{gp::str("apiKey"), gp::str("api_key")},
                                 {gp::str("key"), gp::str("api_key")}};

}  // namespace

constexpr gp_kind kKind = {
    sizeof(gp_kind),
    GP_KIND_SEED,
    gp::str("openai"),
    gp::str("OpenAI"),
    gp::str("OpenAI"),
    gp::str("openai"),
    gp::str(kSettingsSchema),
    gp::str(gp::kApiKeySchema),
    kAliases,
    std::size(kAliases),
    kForward,
    std::size(kForward),
};

gp::Status Provider::create(const gp::Settings& settings, std::unique_ptr<Provider>& out) {
  auto provider = std::make_unique<Provider>();
  const gp::Status status =
      gp::base_url_setting(settings, "https://api.openai.com", provider->base_url_);
  if (status.ok()) out = std::move(provider);
  return status;
}

std::span<const gp_route> Provider::routes() const {
  return kRoutes;
}

gp::Status Provider::open_credential(const gp::CredentialText& text,
                                     std::unique_ptr<Credential>& out,
                                     gp_credential_info& info) const {
  return gp::ApiKey::open(text, "OpenAI", out, info);
}

namespace {
constexpr const gp_kind* kKinds[] = {&kKind};
constexpr gp_info kInfo = {
    sizeof(gp_info),
    0,
    gp::str("dev.gproxy.openai"),
    gp::str("OpenAI"),
    gp::str("0.1.0"),
    gp::str("AGPL-3.0-or-later"),
    {},
    kKinds,
    std::size(kKinds),
};
}  // namespace
}  // namespace gproxy_openai

GPROXY_MODULE(gproxy_openai::Provider, gproxy_openai::kInfo)
