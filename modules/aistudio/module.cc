// What the module says about itself, its settings and its routes.
#include "aistudio.h"
#include "common/google/routes.h"
#include "common/info.h"

namespace gproxy_aistudio {
namespace {

using namespace gproxy_common;

constexpr std::string_view kSettingsSchema =
    R"({"$schema":"http://json-schema.org/draft-04/schema#","type":"object","additionalProperties":false,)"
    R"("properties":{"base_url":{"type":"string","title":"Base URL","default":"https://generativelanguage.googleapis.com",)"
    R"("description":"Address of the API, with or without /v1beta. Empty: the vendor's."}}})";

constexpr gp_str kForward[] = {gp::str("x-goog-request-params")};

constexpr auto kRoutes =
    gproxy_google::gemini_routes(/*counting=*/kNative, /*listing=*/kNative, /*chat=*/kNative);

}  // namespace

constexpr gp_kind kKind = {
    sizeof(gp_kind),
    GP_KIND_SEED,
    gp::str("aistudio"),
    gp::str("AIStudio"),
    gp::str("Google AI Studio"),
    gp::str("gcp.gemini"),
    gp::str(kSettingsSchema),
    gp::str(gp::kApiKeySchema),
    gp::kApiKeyAliases,
    std::size(gp::kApiKeyAliases),
    kForward,
    std::size(kForward),
};

gp::Status Provider::create(const gp::Settings& settings, std::unique_ptr<Provider>& out) {
  auto provider = std::make_unique<Provider>();
  const gp::Status status = gp::base_url_setting(
      settings, "https://generativelanguage.googleapis.com", provider->base_url_);
  if (status.ok()) out = std::move(provider);
  return status;
}

std::span<const gp_route> Provider::routes() const {
  return kRoutes;
}

gp::Status Provider::open_credential(const gp::CredentialText& text,
                                     std::unique_ptr<Credential>& out,
                                     gp_credential_info& info) const {
  return gp::ApiKey::open(text, "AIStudio", out, info);
}

namespace {
constexpr const gp_kind* kKinds[] = {&kKind};
constexpr gp_info kInfo =
    gproxy_common::built_in("dev.gproxy.aistudio", "Google AI Studio", kKinds);
}  // namespace
}  // namespace gproxy_aistudio

GPROXY_MODULE(gproxy_aistudio::Provider, gproxy_aistudio::kInfo)
