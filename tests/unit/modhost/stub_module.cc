#include "stub_module.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace gproxy::modhost::test {
namespace {

Stub* stub = nullptr;

const gp_kind* const* kinds_of(Stub& s) {
  static const gp_kind* list[1];
  list[0] = &s.kind;
  return list;
}

gp_status on_create(gp_str, gp_str, gp_str settings, gp_instance* out, gp_error* error) {
  stub->seen_settings.assign(settings.ptr, settings.len);
  if (stub->create) return stub->create(out, error);
  ++stub->created;
  out->provider = reinterpret_cast<gp_provider*>(stub);
  out->routes = stub->routes.data();
  out->route_count = stub->routes.size();
  return GP_OK;
}
void on_destroy(gp_provider*) {
  ++stub->destroyed;
}
gp_status on_open(const gp_provider*, gp_str json, gp_credential_info* out, gp_error* error) {
  if (stub->open) return stub->open(json, out, error);
  ++stub->opened;
  out->credential = reinterpret_cast<gp_credential*>(stub);
  return GP_OK;
}
void on_close(gp_credential*) {
  ++stub->closed;
}
gp_status on_prepare(const gp_provider*, const gp_request* request, gp_upstream* out,
                     gp_call** call, gp_error* error) {
  return stub->prepare ? stub->prepare(request, out, call, error) : good_upstream(out);
}
gp_status on_head(gp_call* call, const gp_head* in, gp_head* out) {
  return stub->head(call, in, out);
}
gp_status on_data(gp_call* call, gp_str in, uint32_t flags, const gp_sink* sink) {
  return stub->data(call, in, flags, sink);
}
gp_status on_body(gp_call* call, const gp_reply* whole, gp_reply* out, gp_error* error) {
  return stub->body(call, whole, out, error);
}
gp_status on_classify(const gp_provider*, gp_call*, const gp_failure* failure, gp_verdict* out) {
  return stub->classify(failure, out);
}
void on_release(gp_call*) {
  ++stub->released;
}
gp_status on_respond(const gp_provider*, const gp_request* request, gp_local* out, gp_call** call,
                     gp_error* error) {
  return stub->respond(request, out, call, error);
}
gp_status on_next(gp_call* call, gp_piece* out) {
  return stub->next(call, out);
}
gp_status on_step(const gp_step_in* in, gp_step* out) {
  return stub->step(in, out);
}

gp_status on_usage(const gp_provider*, int32_t, gp_str bytes, gp_usage* out) {
  return stub->usage(bytes, out);
}

gp_status on_limits(const gp_provider*, const gp_limits_in* in, gp_limit* out, size_t room,
                    size_t* count) {
  return stub->limits(in, out, room, count);
}

const gp_limits_ext kLimits = {sizeof(gp_limits_ext), 0, on_limits};
const gp_usage_ext kUsage = {sizeof(gp_usage_ext), 0, on_usage};
const gp_oauth_ext kOauth = {sizeof(gp_oauth_ext), 0, on_step, on_step, on_step};
const gp_credential_ext kCredential = {sizeof(gp_credential_ext), 0, on_step, on_step};
const gp_quota_ext kQuota = {sizeof(gp_quota_ext), 0, on_step, on_step};
const gp_local_ext kLocal = {sizeof(gp_local_ext), 0, on_respond, on_next, on_release};

const void* on_extension(gp_str id) {
  std::string name(id.ptr, id.len);
  if (std::find(stub->extensions.begin(), stub->extensions.end(), name) == stub->extensions.end())
    return nullptr;
  if (name == GP_EXT_OAUTH) return &kOauth;
  if (name == GP_EXT_CREDENTIAL) return &kCredential;
  if (name == GP_EXT_QUOTA) return &kQuota;
  if (name == GP_EXT_LOCAL) return &kLocal;
  if (name == GP_EXT_USAGE) return &kUsage;
  if (name == GP_EXT_LIMITS) return &kLimits;
  return nullptr;
}
gp_status on_init(const gp_host* host, gp_error*) {
  stub->host = host;
  ++stub->inits;
  return GP_OK;
}
void on_deinit() {
  ++stub->deinits;
}

}  // namespace

Stub::Stub() {
  outer = stub;
  stub = this;
  kind.size = sizeof kind;
  kind.flags = GP_KIND_USER_CREATED;
  kind.name = str("stub");
  kind.credential_tag = str("Stub");
  info.size = sizeof info;
  info.id = str("dev.gproxy.test.stub");
  info.name = str("Stub");
  info.version = str("1.0");
  info.licence = str("MIT");
  info.kinds = kinds_of(*this);
  info.kind_count = 1;
  vt.size = sizeof vt;
  vt.create = on_create;
  vt.destroy = on_destroy;
  vt.credential_open = on_open;
  vt.credential_close = on_close;
  vt.prepare = on_prepare;
  vt.release = on_release;
  table.size = sizeof table;
  table.abi_major = GP_ABI_MAJOR;
  table.abi_minor = GP_ABI_MINOR;
  table.info = &info;
  table.provider = &vt;
  table.init = on_init;
  table.deinit = on_deinit;
  table.extension = on_extension;
}

Stub::~Stub() {
  reaper->close();
  stub = outer;
}

Result<std::shared_ptr<const Module>> Stub::module() {
  if (kind.settings_schema.ptr == nullptr) kind.settings_schema = str(settings_schema);
  if (kind.credential_schema.ptr == nullptr) kind.credential_schema = str(credential_schema);
  if (head) vt.head = on_head;
  if (data) vt.data = on_data;
  if (body) vt.body = on_body;
  if (classify) vt.classify = on_classify;
  return Module::from_entry(&table, "stub", reaper);
}

Result<std::shared_ptr<const Provider>> Stub::provider(std::string settings) {
  GP_TRY(auto loaded, module());
  return Provider::create(loaded, {"p", "stub", std::move(settings)}, clock);
}

std::shared_ptr<const Provider> Stub::good_provider(std::string settings) {
  auto made = provider(std::move(settings));
  REQUIRE_MESSAGE(made.ok(), made.error().message);
  return *made;
}

CallRequest ARequest::request() {
  CallRequest out;
  out.protocol = out.client_protocol = translate::Protocol::openai_chat;
  out.operation = translate::Operation::generate;
  out.method = "POST";
  out.path = "/v1/chat/completions";
  out.model = "m";
  out.body = body;
  out.arena = &arena;
  return out;
}

gp_status good_upstream(gp_upstream* out) {
  out->url = str("https://api.example.com/v1/chat/completions");
  return GP_OK;
}

}  // namespace gproxy::modhost::test
