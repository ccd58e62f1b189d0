#include "account_module.h"

#include <cstdlib>
#include <string>
#include <string_view>

#include "gproxy/ext/credential.h"
#include "gproxy/ext/oauth.h"
#include "gproxy/ext/quota.h"
#include "module_parts.h"

namespace gproxy::gateway::test {
namespace {

struct Account {
  std::string key, id;
};
struct Vendor {
  std::string base;
};

std::string member(std::string_view json, std::string_view name) {
  const auto from = json.find("\"" + std::string(name) + "\":\"");
  if (from == std::string_view::npos) return {};
  const auto rest = json.substr(from + name.size() + 4);
  return std::string(rest.substr(0, rest.find('"')));
}

constexpr gp_route kRoutes[] = {
    {GP_PROTOCOL_OPENAI_CHAT, GP_OP_GENERATE, GP_ROUTE_NATIVE, 0},
    {GP_PROTOCOL_OPENAI_CHAT, GP_OP_STREAM_GENERATE, GP_ROUTE_NATIVE, 0},
    {GP_PROTOCOL_OPENAI_RESPONSE, GP_OP_GENERATE, GP_ROUTE_NATIVE, 0},
    {GP_PROTOCOL_OPENAI_RESPONSE, GP_OP_STREAM_GENERATE, GP_ROUTE_NATIVE, 0},
    {GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_GET, GP_ROUTE_NATIVE, 0},
    {GP_PROTOCOL_NONE, GP_OP_OAUTH_START, GP_ROUTE_NATIVE, 0},
    {GP_PROTOCOL_NONE, GP_OP_OAUTH_CALLBACK, GP_ROUTE_NATIVE, 0},
    {GP_PROTOCOL_NONE, GP_OP_USAGE, GP_ROUTE_NATIVE, 0},
};

std::string base_of(const gp_provider* provider) {
  return reinterpret_cast<const Vendor*>(provider)->base;
}

gp_status create(gp_str, gp_str, gp_str settings, gp_instance* out, gp_error*) {
  auto* vendor = new Vendor{member(view(settings), "base_url")};
  if (vendor->base.empty()) vendor->base = "https://vendor.test";
  out->provider = reinterpret_cast<gp_provider*>(vendor);
  out->routes = kRoutes;
  out->route_count = std::size(kRoutes);
  return GP_OK;
}
void destroy(gp_provider* provider) {
  delete reinterpret_cast<Vendor*>(provider);
}

gp_status credential_open(const gp_provider*, gp_str text, gp_credential_info* out, gp_error*) {
  const auto json = view(text);
  auto* account = new Account{member(json, "api_key"), member(json, "account")};
  out->credential = reinterpret_cast<gp_credential*>(account);
  out->identity = str(account->id);
  out->flags = GP_CREDENTIAL_REFRESHABLE;
  if (json.find("incomplete") != std::string_view::npos) out->flags |= GP_CREDENTIAL_INCOMPLETE;
  if (const auto at = json.find("\"expires_at_ms\":"); at != std::string_view::npos)
    out->expires_at_ms = std::atoll(std::string(json.substr(at + 16)).c_str());
  return GP_OK;
}
void credential_close(gp_credential* credential) {
  delete reinterpret_cast<Account*>(credential);
}

gp_status prepare(const gp_provider* provider, const gp_request* request, gp_upstream* out,
                  gp_call**, gp_error*) {
  const auto& account = *reinterpret_cast<const Account*>(request->credential);
  auto url = base_of(provider) + std::string(view(request->path));
  out->url = keep(request->arena, url);
  auto* header = static_cast<gp_header*>(host->alloc(request->arena, sizeof(gp_header), 8));
  *header = {str("authorization"), keep(request->arena, "Bearer " + account.key)};
  out->headers = header;
  out->header_count = 1;
  if (request->operation == GP_OP_STREAM_GENERATE) out->flags |= GP_UPSTREAM_STREAM;
  return GP_OK;
}
void release(gp_call*) {}

gp_status fetch(const gp_step_in* in, gp_step* out, const std::string& path, gp_str flow) {
  auto* request = static_cast<gp_upstream*>(host->alloc(in->arena, sizeof(gp_upstream), 8));
  *request = {};
  request->size = sizeof(gp_upstream);
  request->url = keep(in->arena, base_of(in->provider) + path);
  out->kind = GP_STEP_FETCH;
  out->fetch = request;
  out->flow = flow;
  return GP_OK;
}

gp_status fail(gp_step* out, int32_t status, std::string_view code, uint32_t flags = 0) {
  out->kind = GP_STEP_FAIL;
  out->status = status;
  out->code = str(code);
  out->message = str("said the module");
  out->flags = flags;
  return GP_OK;
}

bool answered(const gp_step_in* in) {
  return in->reply != nullptr && in->reply->status == 200;
}

gp_status start(const gp_step_in* in, gp_step* out) {
  out->kind = GP_STEP_REPLY;
  out->flags = GP_STEP_KEEP_FLOW;
  out->flow = str("verifier");
  const std::string state(view(in->state));
  out->reply_json =
      keep(in->arena, R"({"auth_url":")" + base_of(in->provider) + "/authorize?state=" + state +
                          R"(","state":")" + state + R"(","mode":"manual"})");
  return GP_OK;
}

gp_status callback(const gp_step_in* in, gp_step* out) {
  const auto query = view(in->query);
  if (query.find("poll") != std::string_view::npos) {
    out->kind = GP_STEP_REPLY;
    out->status = 409;
    out->flags = GP_STEP_KEEP_FLOW;
    out->flow = str("verifier-2");
    out->reply_json = str(R"({"error":"authorization_pending"})");
    return GP_OK;
  }
  const auto code = query.find("code=");
  if (code == std::string_view::npos) return fail(out, 400, "missing code");
  auto text = query.substr(code + 5);
  text = text.substr(0, text.find('&'));
  return fetch(in, out,
               "/token?code=" + std::string(text) + "&verifier=" + std::string(view(in->flow)) +
                   "&state=" + std::string(view(in->state)),
               keep(in->arena, text));
}

gp_status login_resume(const gp_step_in* in, gp_step* out) {
  if (!answered(in)) return fail(out, 400, "invalid_grant");
  const auto json = view(in->reply->body);
  out->kind = GP_STEP_DONE;
  out->credential_json = keep(in->arena, json);
  out->identity = keep(in->arena, member(json, "account"));
  out->name = str("an account");
  out->reply_json = view(in->flow) == "leak"
                        ? keep(in->arena, R"({"echo":")" + member(json, "api_key") + "\"}")
                        : str(R"({"plan":"plus"})");
  return GP_OK;
}

gp_status refresh(const gp_step_in* in, gp_step* out) {
  const auto& account = *reinterpret_cast<const Account*>(in->credential);
  return fetch(in, out, "/refresh?key=" + account.key, {});
}
gp_status refresh_resume(const gp_step_in* in, gp_step* out) {
  if (!answered(in)) {
    const bool definitive = in->reply != nullptr && in->reply->status == 400;
    return fail(out, 502, "refused", definitive ? GP_STEP_DEFINITIVE : 0);
  }
  out->kind = GP_STEP_DONE;
  out->credential_json = keep(in->arena, view(in->reply->body));
  return GP_OK;
}

gp_status quota(const gp_step_in* in, gp_step* out) {
  return fetch(in, out, "/quota", {});
}
gp_status quota_resume(const gp_step_in* in, gp_step* out) {
  if (!answered(in)) return fail(out, 502, "quota_failed");
  out->kind = GP_STEP_DONE;
  out->reply_json = keep(in->arena, view(in->reply->body));
  out->windows_json =
      str(R"([{"name":"5h","scope":"five_hour","used_percent":25,"resets_at_ms":1800000000000}])");
  return GP_OK;
}

const void* extension(gp_str id) {
  static constexpr gp_oauth_ext kOauth = {sizeof(gp_oauth_ext), 0, start, callback, login_resume};
  static constexpr gp_credential_ext kCredential = {sizeof(gp_credential_ext), 0, refresh,
                                                    refresh_resume};
  static constexpr gp_quota_ext kQuota = {sizeof(gp_quota_ext), 0, quota, quota_resume};
  if (view(id) == GP_EXT_OAUTH) return &kOauth;
  if (view(id) == GP_EXT_CREDENTIAL) return &kCredential;
  if (view(id) == GP_EXT_QUOTA) return &kQuota;
  return nullptr;
}

}  // namespace

const gp_entry* account_module() {
  static const gp_kind kind = [] {
    gp_kind out = a_kind("account", "Test");
    out.settings_schema = str(R"({"type":"object","properties":{"base_url":{"type":"string"}}})");
    return out;
  }();
  static const gp_kind* const kinds[] = {&kind};
  gp_provider_vt hooks{};
  hooks.create = create;
  hooks.destroy = destroy;
  hooks.credential_open = credential_open;
  hooks.credential_close = credential_close;
  hooks.prepare = prepare;
  hooks.release = release;
  static const ModuleTables tables("test.account", "account test module", kinds, hooks, extension);
  return &tables.entry;
}

}  // namespace gproxy::gateway::test

#ifdef GPROXY_ACCOUNT_MODULE
extern "C" GP_EXPORT const gp_entry* GP_ENTRY_1(void) {
  return gproxy::gateway::test::account_module();
}
#endif
