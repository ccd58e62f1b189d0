// What the module says about itself.
#include "common/info.h"
#include "custom.h"

namespace gproxy_custom {
namespace {

// `id` and `enabled` stand in stored settings and have no effect.
constexpr std::string_view kSettingsSchema = R"json({
"$schema":"http://json-schema.org/draft-04/schema#","type":"object","additionalProperties":false,
"required":["base_url","proto"],"properties":{
"id":{"type":["string","null"],"title":"Id","description":"Kept, without effect."},
"enabled":{"type":["boolean","null"],"title":"Enabled","description":"Kept, without effect: the provider's row decides."},
"proto":{"type":"string","title":"Protocol","enum":["claude","openai_chat","openai_response","gemini","openai"],
 "description":"What the upstream speaks; the other protocols are translated to it."},
"base_url":{"type":"string","title":"Base URL","minLength":1,"description":"With or without /v1 or /v1beta."},
"dispatch":{"type":["object","array","null"],"title":"Dispatch","description":"Which operations are native, translated or refused: {\"ops\":[\u2026]} by position, or by name. Missing rules follow from the protocol."},
"model_table":{"type":["object","null"],"title":"Models","properties":{"models":{"type":["array","null"],
 "maxItems":10000,"items":{"type":"object","required":["id"],"properties":{"id":{"type":"string","minLength":1},
 "display_name":{"type":["string","null"]}}}}}},
"count_tokens":{"type":["string","null"],"title":"Token counts","enum":["upstream","local","estimate","tokenizers","tiktoken","",null],
 "default":"upstream","description":"Who counts: the upstream, or gproxy with the tokenizer or by estimate."},
"tokenizer":{"type":["object","null"],"title":"Tokenizer","additionalProperties":false,"properties":{
 "encoding":{"type":["string","null"],"title":"Encoding","enum":["o200k_base","cl100k_base","deepseek_v3","llama3","",null]},
 "file":{"type":["string","null"],"title":"File","description":"A tokenizer.json below tokenizers/ in the data directory."},
 "url":{"type":["string","null"],"title":"URL","description":"Of a tokenizer.json; fetched once and kept."},
 "token":{"type":["string","null"],"title":"Token for the URL","format":"password","description":"Never sent to another host."}}},
"json_param_mask":{"type":["array","null"],"title":"Masked parameters","maxItems":1000,
 "items":{"type":"string"},"description":"Paths of request members that must not reach the upstream."},
"json_param_mask_mode":{"type":["string","null"],"title":"Mask by","enum":["null","remove","",null],"default":"null"},
"extra_headers":{"type":["object","null"],"title":"Extra headers","additionalProperties":{"type":"string"}},
"extra_query":{"type":["object","null"],"title":"Extra query","additionalProperties":{"type":"string"}}
}})json";

}  // namespace

constexpr gp_kind kKind = {
    sizeof(gp_kind),
    GP_KIND_USER_CREATED,
    gp::str("custom"),
    gp::str("Custom"),
    gp::str("Custom"),
    gp::str("custom"),
    gp::str(kSettingsSchema),
    gp::str(gp::kApiKeySchema),
    gp::kApiKeyAliases,
    std::size(gp::kApiKeyAliases),
    nullptr,
    0,
};

gp::Status Provider::open_credential(const gp::CredentialText& text,
                                     std::unique_ptr<Credential>& out,
                                     gp_credential_info& info) const {
  return gp::ApiKey::open(text, "Custom", out, info);
}

namespace {
constexpr const gp_kind* kKinds[] = {&kKind};
constexpr gp_info kInfo = gproxy_common::built_in("dev.gproxy.custom", "Custom provider", kKinds);
}  // namespace
}  // namespace gproxy_custom

GPROXY_MODULE(gproxy_custom::Provider, gproxy_custom::kInfo)
