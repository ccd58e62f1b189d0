// What the module says about itself, its settings and its routes.
#include "common/google/routes.h"
#include "common/info.h"
#include "vertexexpress.h"

namespace gproxy_vertexexpress {
namespace {

using namespace gproxy_common;

constexpr std::string_view kDefaultBase = "https://aiplatform.googleapis.com";

constexpr std::string_view kSettingsSchema =
    R"({"$schema":"http://json-schema.org/draft-04/schema#","type":"object","additionalProperties":false,)"
    R"("properties":{"base_url":{"type":"string","title":"Base URL","default":"https://aiplatform.googleapis.com",)"
    R"("description":"Address of the API, with or without /v1beta1. Empty: the vendor's."},)" GPROXY_GOOGLE_MODEL_TABLE_SCHEMA
    R"(}})";

constexpr std::string_view kModels =
#include "vertexexpress/models.json.inc"
    ;

constexpr auto kRoutes = gproxy_google::gemini_routes(/*counting=*/kNative, /*listing=*/kLocal,
                                                      /*chat=*/into(GP_PROTOCOL_GEMINI));

}  // namespace

constexpr gp_kind kKind = {
    sizeof(gp_kind),
    GP_KIND_SEED,
    gp::str("vertexexpress"),
    gp::str("VertexExpress"),
    gp::str("Vertex AI (express mode)"),
    gp::str("gcp.vertex_ai"),
    gp::str(kSettingsSchema),
    gp::str(gp::kApiKeySchema),
    gp::kApiKeyAliases,
    std::size(gp::kApiKeyAliases),
    nullptr,
    0,
};

gp::Status Provider::create(const gp::Settings& settings, std::unique_ptr<Provider>& out) {
  auto provider = std::make_unique<Provider>();
  auto status = gp::base_url_setting(settings, kDefaultBase, provider->base_url_);
  if (status.ok()) status = provider->models_.read(settings, kModels);
  if (status.ok()) out = std::move(provider);
  return status;
}

std::span<const gp_route> Provider::routes() const {
  return kRoutes;
}

gp::Status Provider::open_credential(const gp::CredentialText& text,
                                     std::unique_ptr<Credential>& out,
                                     gp_credential_info& info) const {
  return gp::ApiKey::open(text, "VertexExpress", out, info);
}

namespace {
constexpr const gp_kind* kKinds[] = {&kKind};
constexpr gp_info kInfo =
    gproxy_common::built_in("dev.gproxy.vertexexpress", "Vertex AI (express mode)", kKinds);
}  // namespace
}  // namespace gproxy_vertexexpress

GPROXY_MODULE(gproxy_vertexexpress::Provider, gproxy_vertexexpress::kInfo)
