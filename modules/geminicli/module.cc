// What the module says about itself, its settings and its routes.
#include "common/google/routes.h"
#include "common/info.h"
#include "geminicli.h"

namespace gproxy_geminicli {
namespace {

using namespace gproxy_common;

constexpr std::string_view kSettingsSchema =
    R"({"$schema":"http://json-schema.org/draft-04/schema#","type":"object","additionalProperties":false,"properties":{)" GPROXY_GOOGLE_CODE_ASSIST_SETTINGS(
        "https://cloudcode-pa.googleapis.com",
        "GeminiCLI/0.1.5 (Windows; AMD64)") R"(,)" GPROXY_GOOGLE_MODEL_TABLE_SCHEMA R"(}})";

constexpr std::string_view kModels =
#include "geminicli/models.json.inc"
    ;

constexpr auto kRoutes =
    joined(gproxy_google::gemini_routes(/*counting=*/kNative, /*listing=*/kLocal,
                                        /*chat=*/into(GP_PROTOCOL_GEMINI)),
           accounts());

}  // namespace

constexpr gp_kind kKind = {
    sizeof(gp_kind),
    GP_KIND_SEED,
    gp::str("geminicli"),
    gp::str("GeminiCli"),
    gp::str("Gemini Code Assist"),
    gp::str("gcp.gen_ai"),
    gp::str(kSettingsSchema),
    gp::str(gproxy_google::kAccountSchema),
    gproxy_google::kAccountAliases,
    std::size(gproxy_google::kAccountAliases),
    nullptr,
    0,
};

constexpr gproxy_google::Product kProduct = {
    "GeminiCli",
    "geminicli",
    "https://cloudcode-pa.googleapis.com",
    "https://codeassist.google.com/authcode",
    "GeminiCLI/0.1.5 (Windows; AMD64)",
    "https://www.googleapis.com/auth/cloud-platform "
    "https://www.googleapis.com/auth/userinfo.email "
    "https://www.googleapis.com/auth/userinfo.profile",
    false,
    false,
};

gp::Status Provider::create(const gp::Settings& settings, std::unique_ptr<Provider>& out) {
  auto provider = std::make_unique<Provider>();
  auto status = provider->read_settings(settings);
  if (status.ok()) status = provider->models_.read(settings, kModels);
  if (status.ok()) out = std::move(provider);
  return status;
}

std::span<const gp_route> Provider::routes() const {
  return kRoutes;
}

namespace {
constexpr const gp_kind* kKinds[] = {&kKind};
constexpr gp_info kInfo =
    gproxy_common::built_in("dev.gproxy.geminicli", "Gemini Code Assist", kKinds);
}  // namespace
}  // namespace gproxy_geminicli

GPROXY_MODULE(gproxy_geminicli::Provider, gproxy_geminicli::kInfo)
