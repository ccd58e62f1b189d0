// What the module says about itself, its settings and its routes.
#include "common/info.h"
#include "common/routes.h"
#include "common/settings.h"
#include "deepseek.h"

namespace gproxy_deepseek {
namespace {

using namespace gproxy_common;

constexpr std::string_view kSettingsSchema =
    R"({"$schema":"http://json-schema.org/draft-04/schema#","type":"object","additionalProperties":false,)"
    R"("properties":{"base_url":{"type":["string","null"],"title":"Base URL","default":"https://api.deepseek.com",)"
    R"("description":"Address of the API, with or without /v1, /beta or /anthropic. Empty: the vendor's."},)"
    R"("model_source":{"type":["string","null"],"title":"Models from","enum":["table","upstream","",null],"default":"table",)"
    R"("description":"Whether lists of models come from the table or from the vendor."},)"
    R"("model_table":{"type":["object","null"],"title":"Models","description":"{\"models\":[{\"id\",\"display_name\"?}]} instead of the built-in table.",)"
    R"("additionalProperties":false,"properties":{"models":{"type":["array","null"],"maxItems":1000,"items":{"type":"object",)"
    R"("required":["id"],"properties":{"id":{"type":"string","minLength":1},"display_name":{"type":["string","null"]}}}}}}}})";

// The list as this module's version knows it; model_table replaces it.
constexpr std::string_view kModels =
#include "deepseek/models.json.inc"
    ;

constexpr Way kChat = into(GP_PROTOCOL_OPENAI_CHAT);
constexpr auto kRoutes =
    joined(generation(GP_PROTOCOL_CLAUDE, kNative), generation(GP_PROTOCOL_OPENAI_CHAT, kNative),
           generation(GP_PROTOCOL_OPENAI_RESPONSE, kChat), generation(GP_PROTOCOL_GEMINI, kChat),
           counts(GP_PROTOCOL_OPENAI, kLocal), counts(GP_PROTOCOL_CLAUDE, kLocal),
           counts(GP_PROTOCOL_GEMINI, kLocal));

// The root that all of the vendor's surfaces hang on.
std::string_view root_of(std::string_view base) {
  for (std::string_view end : {"/v1", "/beta", "/anthropic"}) {
    if (base.ends_with(end)) base.remove_suffix(end.size());
  }
  return base;
}

}  // namespace

constexpr gp_kind kKind = {
    sizeof(gp_kind),
    GP_KIND_SEED,
    gp::str("deepseek"),
    gp::str("DeepSeek"),
    gp::str("DeepSeek"),
    gp::str("deepseek"),
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
      gproxy_common::url_setting(settings, {"base_url"}, "https://api.deepseek.com", base);
  if (!status.ok()) return status;
  const std::string root(root_of(base));
  provider->chat_base_ = base.ends_with("/beta") ? base : root + "/v1";
  provider->claude_base_ = root + "/anthropic/v1";

  const gp::Json data(settings.arena, settings.json_ext, kModels);
  status = provider->models_.read(data, "", "models", settings.arena);
  if (status.ok()) {
    status = provider->models_.read(settings.json(), "/model_table", "model_table", settings.arena);
  }
  if (!status.ok()) return status;

  const std::string_view source = settings.json().get("/model_source").or_empty();
  if (!source.empty() && source != "table" && source != "upstream")
    return gp::invalid("must be \"table\" or \"upstream\"", "model_source");
  provider->routes_.assign(std::begin(kRoutes), std::end(kRoutes));
  for (int32_t operation : {GP_OP_MODEL_LIST, GP_OP_MODEL_GET}) {
    for (int32_t protocol : {GP_PROTOCOL_OPENAI, GP_PROTOCOL_CLAUDE, GP_PROTOCOL_GEMINI}) {
      if (source != "upstream") {
        provider->routes_.push_back({protocol, operation, GP_ROUTE_LOCAL, 0});
      } else if (protocol == GP_PROTOCOL_OPENAI) {
        provider->routes_.push_back({protocol, operation, GP_ROUTE_NATIVE, 0});
      } else {
        provider->routes_.push_back({protocol, operation, GP_ROUTE_TRANSLATE, GP_PROTOCOL_OPENAI});
      }
    }
  }
  out = std::move(provider);
  return gp::ok();
}

gp::Status Provider::open_credential(const gp::CredentialText& text,
                                     std::unique_ptr<Credential>& out,
                                     gp_credential_info& info) const {
  return gp::ApiKey::open(text, "DeepSeek", out, info);
}

gp::Status Provider::respond(const gp::Request& request, gp::Local& out,
                             std::unique_ptr<LocalCall>&) const {
  return models_.respond(request, "deepseek", out);
}

gp::Status Provider::count_plan(const gp::Request&, gp::CountPlan& plan) const {
  plan.encoding("deepseek_v3");
  return gp::ok();
}

namespace {
constexpr const gp_kind* kKinds[] = {&kKind};
constexpr gp_info kInfo = gproxy_common::built_in("dev.gproxy.deepseek", "DeepSeek", kKinds);
}  // namespace
}  // namespace gproxy_deepseek

GPROXY_MODULE(gproxy_deepseek::Provider, gproxy_deepseek::kInfo)
