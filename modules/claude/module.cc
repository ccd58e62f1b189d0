// What the module says about itself, its settings and its routes.
#include "claude.h"
#include "common/info.h"
#include "common/routes.h"

namespace gproxy_claude {
namespace {

using namespace gproxy_common;

constexpr std::string_view kSettingsSchema =
    R"({"$schema":"http://json-schema.org/draft-04/schema#","type":"object","additionalProperties":false,)"
    R"("properties":{"base_url":{"type":"string","title":"Base URL","default":"https://api.anthropic.com",)"
    R"("description":"Address of the API, with or without /v1. Empty: the vendor's."}}})";

constexpr Way kMessages = into(GP_PROTOCOL_CLAUDE);
constexpr auto kRoutes =
    joined(everything(GP_PROTOCOL_CLAUDE, kNative), generation(GP_PROTOCOL_OPENAI_CHAT, kNative),
           generation(GP_PROTOCOL_OPENAI_RESPONSE, kMessages),
           everything(GP_PROTOCOL_GEMINI, kMessages), lookups(GP_PROTOCOL_OPENAI, kMessages));

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
    gp::kApiKeyAliases,
    std::size(gp::kApiKeyAliases),
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
constexpr gp_info kInfo = gproxy_common::built_in("dev.gproxy.claude", "Claude", kKinds);
}  // namespace
}  // namespace gproxy_claude

GPROXY_MODULE(gproxy_claude::Provider, gproxy_claude::kInfo)
