// Reads channel_settings once, in create, and makes the route table.
#include "common/settings.h"
#include "codex.h"

namespace gproxy_codex {
namespace {

using gproxy_common::text_setting;
using gproxy_common::url_setting;

// Only streamed Responses are spoken; the host puts a stream together for whoever wants it whole.
constexpr int32_t N = GP_ROUTE_NATIVE, T = GP_ROUTE_TRANSLATE;
constexpr gp_route kRoutes[] = {
    {GP_PROTOCOL_OPENAI_RESPONSE, GP_OP_STREAM_GENERATE, N, 0},
    {GP_PROTOCOL_OPENAI_CHAT, GP_OP_STREAM_GENERATE, T, GP_PROTOCOL_OPENAI_RESPONSE},
    {GP_PROTOCOL_CLAUDE, GP_OP_STREAM_GENERATE, T, GP_PROTOCOL_OPENAI_RESPONSE},
    {GP_PROTOCOL_GEMINI, GP_OP_STREAM_GENERATE, T, GP_PROTOCOL_OPENAI_RESPONSE},
    {GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_GET, N, 0},
    {GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_DELETE, N, 0},
    {GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_CANCEL, N, 0},
    {GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_INPUT_ITEMS, N, 0},
    {GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_COMPACT, N, 0},
    {GP_PROTOCOL_OPENAI, GP_OP_MEMORY_TRACE_SUMMARIZE, N, 0},
    {GP_PROTOCOL_OPENAI, GP_OP_COUNT_TOKENS, GP_ROUTE_LOCAL, 0},
    {GP_PROTOCOL_CLAUDE, GP_OP_COUNT_TOKENS, GP_ROUTE_LOCAL, 0},
    {GP_PROTOCOL_GEMINI, GP_OP_COUNT_TOKENS, GP_ROUTE_LOCAL, 0},
    {GP_PROTOCOL_NONE, GP_OP_OAUTH_START, N, 0},
    {GP_PROTOCOL_NONE, GP_OP_OAUTH_CALLBACK, N, 0},
    {GP_PROTOCOL_NONE, GP_OP_USAGE, N, 0},
};

// What the backend answers "Unsupported parameter" to.
constexpr std::string_view kDropped[] = {"max_output_tokens", "stream_options", "temperature",
                                         "top_p", "top_logprobs"};

constexpr std::string_view kEditedHere[] = {"model", "stream", "store", "instructions", "input"};

}  // namespace

gp::Status Provider::create(const gp::Settings& settings, std::unique_ptr<Provider>& out) {
  auto provider = std::make_unique<Provider>();
  const gp::Status status = provider->read_settings(settings);
  if (status.ok()) out = std::move(provider);
  return status;
}

gp::Status Provider::read_settings(const gp::Settings& settings) {
  gp::Status status = read_endpoints(settings);
  auto text = [&](std::string_view name, std::string_view otherwise, std::string& to) {
    if (status.ok()) status = text_setting(settings, name, otherwise, to);
  };
  text("client_id", "app_EMoamEEZ73f0CkXaXp7hrann", client_id_);
  text("scope", "openid profile email offline_access", scope_);
  text("client_version", "0.99.0", client_version_);
  bool vendor = false;
  if (status.ok()) status = gproxy_common::identity_setting(settings, vendor);
  text("originator", "codex_cli_rs", originator_);
  text("user_agent", "codex_cli_rs/" + client_version_, user_agent_);
  if (status.ok())
    status = url_setting(settings, {"redirect_uri"}, "http://localhost:1455/auth/callback",
                         redirect_uri_);
  if (status.ok()) status = read_dropped(settings);
  if (status.ok())
    status = models_.read(settings.json(), "/model_table", "model_table", settings.arena);
  if (!status.ok()) return status;
  if (!vendor) {
    originator_ = "gproxy";
    user_agent_.clear();
  }

  routes_.assign(std::begin(kRoutes), std::end(kRoutes));
  for (int32_t operation : {GP_OP_MODEL_LIST, GP_OP_MODEL_GET}) {
    for (int32_t protocol : {GP_PROTOCOL_OPENAI, GP_PROTOCOL_CLAUDE, GP_PROTOCOL_GEMINI}) {
      if (!models_.empty()) {
        routes_.push_back({protocol, operation, GP_ROUTE_LOCAL, 0});
      } else if (protocol == GP_PROTOCOL_OPENAI) {
        routes_.push_back({protocol, operation, N, 0});
      } else {
        routes_.push_back({protocol, operation, T, GP_PROTOCOL_OPENAI});
      }
    }
  }
  return gp::ok();
}

gp::Status Provider::read_endpoints(const gp::Settings& settings) {
  std::string issuer;
  gp::Status status =
      url_setting(settings, {"base_url"}, "https://chatgpt.com/backend-api/codex", endpoints_.api);
  if (status.ok()) status = url_setting(settings, {"issuer"}, "https://auth.openai.com", issuer);
  auto url = [&](std::string_view name, const std::string& otherwise, std::string& to) {
    if (status.ok()) status = url_setting(settings, {name}, otherwise, to);
  };
  url("authorize_url", issuer + "/oauth/authorize", endpoints_.authorize);
  url("token_url", issuer + "/oauth/token", endpoints_.token);
  url("device_code_url", issuer + "/api/accounts/deviceauth/usercode", endpoints_.device_code);
  url("device_token_url", issuer + "/api/accounts/deviceauth/token", endpoints_.device_poll);
  url("device_page_url", issuer + "/codex/device", endpoints_.device_page);
  endpoints_.device_redirect = issuer + "/deviceauth/callback";
  std::string_view beside = endpoints_.api;
  if (beside.ends_with("/codex")) beside.remove_suffix(6);
  url("usage_url", std::string(beside) + "/wham/usage", endpoints_.usage);
  return status;
}

gp::Status Provider::read_dropped(const gp::Settings& settings) {
  const gp::Json json = settings.json();
  const gp_json_node list = json.node("/drop_params");
  if ((list.flags & GP_NODE_FOUND) == 0 || list.type == GP_JSON_NULL) {
    dropped_.assign(std::begin(kDropped), std::end(kDropped));
    return gp::ok();
  }
  if (list.type != GP_JSON_ARRAY) return gp::invalid("must be an array of names", "drop_params");
  gp::Status status;
  json.each(list, [&](const gp_json_member& member) {
    const std::string_view name =
        member.value.type == GP_JSON_STRING ? json.decode(member.value) : std::string_view();
    const bool ours =
        std::find(std::begin(kEditedHere), std::end(kEditedHere), name) != std::end(kEditedHere);
    if (name.empty() || name.size() > 128 || ours) {
      const std::string position = std::to_string(dropped_.size());
      status = gp::invalid(ours ? "cannot be dropped" : "must be the name of a parameter",
                           settings.arena.concat({"drop_params[", position, "]"}));
    } else {
      dropped_.emplace_back(name);
    }
    return status.ok();
  });
  return status;
}

}  // namespace gproxy_codex
