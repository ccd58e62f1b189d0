// What the module says about itself, its settings and its routes.
#include "common/info.h"
#include "common/problem.h"
#include "common/routes.h"
#include "common/settings.h"
#include "nvidia.h"

namespace gproxy_nvidia {
namespace {

using namespace gproxy_common;

constexpr std::string_view kSettingsSchema =
    R"({"$schema":"http://json-schema.org/draft-04/schema#","type":"object","additionalProperties":false,)"
    R"("properties":{"base_url":{"type":["string","null"],"title":"Base URL","default":"https://integrate.api.nvidia.com",)"
    R"("description":"Address of the API, with or without /v1. Empty: the vendor's."},)"
    R"("hf_url":{"type":["string","null"],"title":"Hugging Face URL","default":"https://huggingface.co",)"
    R"("description":"Where the tokenizers of models come from."},)"
    R"("hf_token":{"type":["string","null"],"title":"Hugging Face token","format":"password",)"
    R"("description":"For gated tokenizers; never sent to another host."},)"
    R"("data_dir":{"type":["string","null"],"title":"Cache folder","description":"Kept, without effect: the gateway has one cache."}}})";

constexpr Way kChat = into(GP_PROTOCOL_OPENAI_CHAT), kLookups = into(GP_PROTOCOL_OPENAI);
constexpr auto kRoutes =
    joined(generation(GP_PROTOCOL_OPENAI_CHAT, kNative), models(GP_PROTOCOL_OPENAI, kNative),
           generation(GP_PROTOCOL_OPENAI_RESPONSE, kChat), generation(GP_PROTOCOL_CLAUDE, kChat),
           models(GP_PROTOCOL_CLAUDE, kLookups), generation(GP_PROTOCOL_GEMINI, kChat),
           models(GP_PROTOCOL_GEMINI, kLookups), counts(GP_PROTOCOL_OPENAI, kLocal),
           counts(GP_PROTOCOL_CLAUDE, kLocal), counts(GP_PROTOCOL_GEMINI, kLocal));

}  // namespace

constexpr gp_kind kKind = {
    sizeof(gp_kind),
    GP_KIND_SEED,
    gp::str("nvidia"),
    gp::str("Nvidia"),
    gp::str("NVIDIA"),
    gp::str("nvidia"),
    gp::str(kSettingsSchema),
    gp::str(gp::kApiKeySchema),
    gp::kApiKeyAliases,
    std::size(gp::kApiKeyAliases),
    nullptr,
    0,
};

gp::Status Provider::create(const gp::Settings& settings, std::unique_ptr<Provider>& out) {
  auto provider = std::make_unique<Provider>();
  std::string base;
  gp::Status status =
      gproxy_common::url_setting(settings, {"base_url"}, "https://integrate.api.nvidia.com", base);
  if (status.ok()) {
    provider->base_url_ = base.ends_with("/v1") ? base : base + "/v1";
    status = gproxy_common::url_setting(settings, {"hf_url"}, "https://huggingface.co",
                                        provider->hf_url_);
  }
  if (status.ok()) {
    status = gproxy_common::text_setting(settings, "hf_token", {}, provider->hf_token_);
  }
  if (status.ok()) out = std::move(provider);
  return status;
}

std::span<const gp_route> Provider::routes() const {
  return kRoutes;
}

gp::Status Provider::open_credential(const gp::CredentialText& text,
                                     std::unique_ptr<Credential>& out,
                                     gp_credential_info& info) const {
  return gp::ApiKey::open(text, "Nvidia", out, info);
}

// The model's own tokenizer, from the hub.
gp::Status Provider::count_plan(const gp::Request& request, gp::CountPlan& plan) const {
  const std::string_view id = gproxy_common::path_of_id(request.arena(), request.model());
  if (id.empty()) return gp::invalid("the id cannot stand in a path", "model");
  plan.url(request.arena().concat({hf_url_, "/", id, "/resolve/main/tokenizer.json"}), hf_token_);
  return gp::ok();
}

namespace {
constexpr const gp_kind* kKinds[] = {&kKind};
constexpr gp_info kInfo = gproxy_common::built_in("dev.gproxy.nvidia", "NVIDIA", kKinds);
}  // namespace
}  // namespace gproxy_nvidia

GPROXY_MODULE(gproxy_nvidia::Provider, gproxy_nvidia::kInfo)
