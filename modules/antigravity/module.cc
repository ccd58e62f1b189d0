// What the module says about itself, its settings and its routes.
#include "antigravity.h"
#include "common/google/routes.h"
#include "common/info.h"

namespace gproxy_antigravity {
namespace {

using namespace gproxy_common;

constexpr std::string_view kSettingsSchema =
    R"({"$schema":"http://json-schema.org/draft-04/schema#","type":"object","additionalProperties":false,"properties":{)" GPROXY_GOOGLE_CODE_ASSIST_SETTINGS(
        "https://daily-cloudcode-pa.sandbox.googleapis.com",
        "antigravity/1.15.8 (Windows; AMD64)") R"(,"count_tokens":{"enum":["estimate","upstream"],"title":"Token counts","default":"estimate",)"
                                               R"("description":"estimate: a quarter of the text's characters, without asking. upstream: ask the vendor."}}})";

constexpr auto kRoutes =
    joined(gproxy_google::gemini_routes(/*counting=*/kLocal, /*listing=*/kNative,
                                        /*chat=*/into(GP_PROTOCOL_GEMINI)),
           accounts());

}  // namespace

constexpr gp_kind kKind = {
    sizeof(gp_kind),
    GP_KIND_SEED,
    gp::str("antigravity"),
    gp::str("Antigravity"),
    gp::str("Antigravity"),
    gp::str("gcp.gen_ai"),
    gp::str(kSettingsSchema),
    gp::str(gproxy_google::kAccountSchema),
    gproxy_google::kAccountAliases,
    std::size(gproxy_google::kAccountAliases),
    nullptr,
    0,
};

constexpr gproxy_google::Product kProduct = {
    "Antigravity",
    "antigravity",
    "https://daily-cloudcode-pa.sandbox.googleapis.com",
    "http://localhost:51121/oauth-callback",
    "antigravity/1.15.8 (Windows; AMD64)",
    "https://www.googleapis.com/auth/cloud-platform "
    "https://www.googleapis.com/auth/userinfo.email "
    "https://www.googleapis.com/auth/userinfo.profile "
    "https://www.googleapis.com/auth/cclog "
    "https://www.googleapis.com/auth/experimentsandconfigs",
    true,
    true,
};

gp::Status Provider::create(const gp::Settings& settings, std::unique_ptr<Provider>& out) {
  auto provider = std::make_unique<Provider>();
  if (auto status = provider->read_settings(settings); !status.ok()) return status;
  const auto count = settings.json().get("/count_tokens");
  const std::string_view how = count.or_empty();
  if (!how.empty() && how != "estimate" && how != "upstream")
    return gp::invalid("must be \"estimate\" or \"upstream\"", "count_tokens");
  provider->routes_.assign(std::begin(kRoutes), std::end(kRoutes));
  if (how == "upstream") provider->routes_.front().mode = GP_ROUTE_NATIVE;
  out = std::move(provider);
  return gp::ok();
}

namespace {
constexpr const gp_kind* kKinds[] = {&kKind};
constexpr gp_info kInfo = gproxy_common::built_in("dev.gproxy.antigravity", "Antigravity", kKinds);
}  // namespace
}  // namespace gproxy_antigravity

GPROXY_MODULE(gproxy_antigravity::Provider, gproxy_antigravity::kInfo)
