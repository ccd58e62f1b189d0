// What the module says about itself, its settings and its routes.
#include <algorithm>

#include "common/google/routes.h"
#include "common/info.h"
#include "common/settings.h"
#include "vertex.h"

namespace gproxy_vertex {
namespace {

using namespace gproxy_common;

constexpr std::string_view kDefaultLocation = "us-central1";

constexpr std::string_view kSettingsSchema =
    R"({"$schema":"http://json-schema.org/draft-04/schema#","type":"object","additionalProperties":false,)"
    R"("properties":{"location":{"type":"string","title":"Location","default":"us-central1","maxLength":63,)"
    R"("description":"Region, multi-region (us, eu) or global; the host follows from it."},)"
    R"("base_url":{"type":"string","title":"Base URL","description":"Instead of the location's host; with or without /v1beta1."},)"
    R"("oauth_token_url":{"type":"string","title":"Token endpoint","description":"Instead of the key file's token_uri."},)"
    R"("token_uri":{"type":"string","description":"As oauth_token_url, which goes first."}}})";

// The key file as the console hands it out, and the token that this module stores beside it.
constexpr std::string_view kCredentialSchema =
    R"({"$schema":"http://json-schema.org/draft-04/schema#","type":"object",)"
    R"("required":["project_id","client_email","private_key"],"properties":{)"
    R"("type":{"enum":["service_account"]},)"
    R"("project_id":{"type":"string","title":"Project","minLength":1,"maxLength":128},)"
    R"("client_email":{"type":"string","title":"Account","minLength":3,"maxLength":200},)"
    R"("private_key":{"type":"string","title":"Private key, PEM",
    "format" : "password", "minLength" : 1
},)"
    R"("private_key_id":{"type":"string","maxLength":256},"client_id":{"type":"string"},)"
    R"("token_uri":{"type":"string"},"universe_domain":{"type":"string","maxLength":128},)"
    R"("access_token":{"type":"string","format":"password"},"expires_at":{"type":"integer","minimum":0}}})";

constexpr gp_alias kAliases[] = {
    {gp::str("projectId"), gp::str("project_id")},
    {gp::str("clientEmail"), gp::str("client_email")},
    {gp::str("privateKey"), gp::str("private_key")},
    {gp::str("privateKeyId"), gp::str("private_key_id")},
};
constexpr gp_str kForward[] = {gp::str("x-goog-request-params"),
                               gp::str("x-vertex-ai-llm-request-type"),
                               gp::str("x-vertex-ai-llm-shared-request-type")};

constexpr auto kRoutes =
    gproxy_google::gemini_routes(/*counting=*/kNative, /*listing=*/kNative, /*chat=*/kNative);

}  // namespace

constexpr gp_kind kKind = {
    sizeof(gp_kind),
    GP_KIND_SEED,
    gp::str("vertex"),
    gp::str("Vertex"),
    gp::str("Vertex AI (service account)"),
    gp::str("gcp.vertex_ai"),
    gp::str(kSettingsSchema),
    gp::str(kCredentialSchema),
    kAliases,
    std::size(kAliases),
    kForward,
    std::size(kForward),
};

gp::Status Provider::create(const gp::Settings& settings, std::unique_ptr<Provider>& out) {
  using gproxy_common::text_setting;
  using gproxy_common::url_setting;
  auto provider = std::make_unique<Provider>();
  auto status = text_setting(settings, "location", kDefaultLocation, provider->location_);
  if (!status.ok()) return status;
  // It becomes part of a host's name and of a path.
  const bool a_name =
      provider->location_.size() <= 63 &&
      std::all_of(provider->location_.begin(), provider->location_.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
      });
  if (!a_name) return gp::invalid("must be a location like \"us-central1\"", "location");

  const gp::Json json = settings.json();
  if (!gp::trim(json.get("/base_url").or_empty()).empty()) {
    status = url_setting(settings, {"base_url"}, {}, provider->base_url_);
    if (!status.ok()) return status;
  }
  for (std::string_view name : {"/oauth_token_url", "/token_uri"}) {
    if (gp::trim(json.get(name).or_empty()).empty() || !provider->token_url_.empty()) continue;
    status = url_setting(settings, {name.substr(1)}, {}, provider->token_url_);
    if (!status.ok()) return status;
  }
  out = std::move(provider);
  return gp::ok();
}

std::span<const gp_route> Provider::routes() const {
  return kRoutes;
}

namespace {
constexpr const gp_kind* kKinds[] = {&kKind};
constexpr gp_info kInfo =
    gproxy_common::built_in("dev.gproxy.vertex", "Vertex AI (service account)", kKinds);
}  // namespace
}  // namespace gproxy_vertex

GPROXY_MODULE(gproxy_vertex::Provider, gproxy_vertex::kInfo)
