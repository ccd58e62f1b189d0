// What the module says about itself, its settings and its routes.
#include "common/info.h"
#include "common/routes.h"
#include "openai.h"

namespace gproxy_openai {
namespace {

using namespace gproxy_common;

constexpr std::string_view kSettingsSchema =
    R"({"$schema":"http://json-schema.org/draft-04/schema#","type":"object","additionalProperties":false,)"
    R"("properties":{"base_url":{"type":"string","title":"Base URL","default":"https://api.openai.com",)"
    R"("description":"Address of the API, with or without /v1. Empty: the vendor's."}}})";

constexpr gp_str kForward[] = {gp::str("x-client-request-id"), gp::str("openai-safety-identifier")};

constexpr Way kResponses = into(GP_PROTOCOL_OPENAI_RESPONSE), kLookups = into(GP_PROTOCOL_OPENAI);
constexpr auto kRoutes = joined(
    generation(GP_PROTOCOL_OPENAI_CHAT, kNative), generation(GP_PROTOCOL_OPENAI_RESPONSE, kNative),
    lookups(GP_PROTOCOL_OPENAI, kNative), row(GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_GET, kNative),
    row(GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_DELETE, kNative),
    row(GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_CANCEL, kNative),
    row(GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_INPUT_ITEMS, kNative),
    row(GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_COMPACT, kNative),
    generation(GP_PROTOCOL_CLAUDE, kResponses), lookups(GP_PROTOCOL_CLAUDE, kLookups),
    generation(GP_PROTOCOL_GEMINI, kResponses), lookups(GP_PROTOCOL_GEMINI, kLookups));

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
    gp::kApiKeyAliases,
    std::size(gp::kApiKeyAliases),
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
constexpr gp_info kInfo = gproxy_common::built_in("dev.gproxy.openai", "OpenAI", kKinds);
}  // namespace
}  // namespace gproxy_openai

GPROXY_MODULE(gproxy_openai::Provider, gproxy_openai::kInfo)
