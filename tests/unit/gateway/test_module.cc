#include "test_module.h"

#include <atomic>
#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "gproxy/ext/count.h"
#include "gproxy/ext/credential.h"
#include "gproxy/ext/local.h"
#include "gproxy/ext/usage.h"
#include "module_parts.h"

struct gp_provider {
  std::string kind;
  std::vector<gp_route> routes;
};
struct gp_credential {
  std::string key;
};
struct gp_call {
  int pieces = 0;
  int fails_at = -1;  // of a local answer: the piece that breaks the contract
};

namespace gproxy::gateway::test {
namespace {

std::atomic<int> refresh_count{0};
std::atomic<int> call_count{0};

gp_status create(gp_str kind, gp_str, gp_str, gp_instance* out, gp_error*) {
  auto* provider = new gp_provider;
  provider->kind = view(kind);
  if (provider->kind == "counter") {
    for (const int32_t protocol : {GP_PROTOCOL_CLAUDE, GP_PROTOCOL_OPENAI, GP_PROTOCOL_GEMINI})
      provider->routes.push_back({protocol, GP_OP_COUNT_TOKENS, GP_ROUTE_LOCAL, 0});
    out->provider = provider;
    out->routes = provider->routes.data();
    out->route_count = provider->routes.size();
    return GP_OK;
  }
  if (provider->kind == "bridge") {  // an upstream that speaks OpenAI Chat alone
    for (const int32_t operation : {GP_OP_GENERATE, GP_OP_STREAM_GENERATE}) {
      provider->routes.push_back({GP_PROTOCOL_OPENAI_CHAT, operation, GP_ROUTE_NATIVE, 0});
      provider->routes.push_back(
          {GP_PROTOCOL_CLAUDE, operation, GP_ROUTE_TRANSLATE, GP_PROTOCOL_OPENAI_CHAT});
    }
    out->provider = provider;
    out->routes = provider->routes.data();
    out->route_count = provider->routes.size();
    return GP_OK;
  }
  const bool talker = provider->kind == "talker";
  const int32_t mode = talker ? GP_ROUTE_LOCAL : GP_ROUTE_NATIVE;
  const auto add = [&](int32_t protocol, int32_t operation) {
    provider->routes.push_back({protocol, operation, mode, 0});
  };
  for (const int32_t protocol : {GP_PROTOCOL_CLAUDE, GP_PROTOCOL_OPENAI_CHAT,
                                 GP_PROTOCOL_OPENAI_RESPONSE, GP_PROTOCOL_GEMINI}) {
    if (talker && protocol != GP_PROTOCOL_OPENAI_CHAT) continue;
    add(protocol, GP_OP_GENERATE);
    add(protocol, GP_OP_STREAM_GENERATE);
  }
  if (!talker) {
    for (const int32_t protocol : {GP_PROTOCOL_CLAUDE, GP_PROTOCOL_OPENAI, GP_PROTOCOL_GEMINI}) {
      for (const int32_t operation : {GP_OP_COUNT_TOKENS, GP_OP_MODEL_LIST, GP_OP_MODEL_GET})
        add(protocol, operation);
    }
    add(GP_PROTOCOL_OPENAI, GP_OP_RESPONSE_GET);
  } else {
    provider->routes.push_back(
        {GP_PROTOCOL_CLAUDE, GP_OP_GENERATE, GP_ROUTE_TRANSLATE, GP_PROTOCOL_OPENAI_CHAT});
  }
  out->provider = provider;
  out->routes = provider->routes.data();
  out->route_count = provider->routes.size();
  return GP_OK;
}

void destroy(gp_provider* provider) {
  delete provider;
}

gp_status credential_open(const gp_provider*, gp_str text, gp_credential_info* out, gp_error*) {
  const auto json = view(text);
  const auto from = json.find("\"api_key\":\"");
  if (from == std::string_view::npos) return GP_ERR_INVALID;
  const auto rest = json.substr(from + 11);
  out->credential = new gp_credential{std::string(rest.substr(0, rest.find('"')))};
  return GP_OK;
}

void credential_close(gp_credential* credential) {
  delete credential;
}

gp_status prepare(const gp_provider* provider, const gp_request* request, gp_upstream* out,
                  gp_call** call, gp_error*) {
  if (provider->kind == "expiring" && request->credential->key.starts_with("old"))
    return GP_ERR_CREDENTIAL_EXPIRED;
  std::string url = "https://upstream.test";
  url += view(request->path);
  if (request->operation == GP_OP_MODEL_GET)
    url = "https://upstream.test/v1/models/" + std::string(view(request->model));
  if (request->query.len > 0) url += "?" + std::string(view(request->query));
  out->url = keep(request->arena, url);
  if (request->operation == GP_OP_STREAM_GENERATE) out->flags |= GP_UPSTREAM_STREAM;
  if (provider->kind == "buffered") out->flags |= GP_UPSTREAM_BUFFER;
  auto* headers = static_cast<gp_header*>(host->alloc(request->arena, sizeof(gp_header) * 8, 8));
  size_t n = 0;
  if (request->credential != nullptr) {
    headers[n++] = {str("authorization"),
                    keep(request->arena, "Bearer " + request->credential->key)};
  }
  for (size_t i = 0; i < request->header_count && n < 8; ++i) {
    if (view(request->headers[i].name) == "x-test") headers[n++] = request->headers[i];
  }
  out->headers = headers;
  out->header_count = n;
  auto* splices = static_cast<gp_splice*>(host->alloc(request->arena, sizeof(gp_splice) * 2, 8));
  size_t s = 0;
  bool has_options = false;
  for (size_t i = 0; i < request->span_count; ++i)
    has_options |= request->spans[i].field == GP_FIELD_STREAM_OPTIONS;
  if (request->protocol == GP_PROTOCOL_OPENAI_CHAT && request->operation == GP_OP_STREAM_GENERATE &&
      !has_options) {
    splices[s++] = {request->spans[0].at + 1, 0,
                    str("\"stream_options\":{\"include_usage\":true},")};
    out->flags |= GP_UPSTREAM_USAGE_ADDED;
  }
  for (size_t i = 0; i < request->span_count; ++i) {
    if (request->spans[i].field != GP_FIELD_MODEL ||
        (request->flags & GP_REQUEST_MODEL_DIFFERS) == 0)
      continue;
    splices[s++] = {request->spans[i].at, request->spans[i].len,
                    keep(request->arena, "\"" + std::string(view(request->model)) + "\"")};
  }
  out->splices = splices;
  out->splice_count = s;
  if (provider->kind == "buffered") {
    *call = new gp_call;
    ++call_count;
  }
  return GP_OK;
}

gp_status body(gp_call*, const gp_reply* whole, gp_reply* out, gp_error*) {
  out->body = keep(whole->arena, std::string(view(whole->body)) + " ");
  return GP_OK;
}

void release(gp_call* call) {
  --call_count;
  delete call;
}

constexpr gp_header kEventStream[] = {{{"content-type", 12}, {"text/event-stream", 17}}};
constexpr gp_header kJson[] = {{{"content-type", 12}, {"application/json", 16}}};

gp_status respond(const gp_provider*, const gp_request* request, gp_local* out, gp_call** call,
                  gp_error*) {
  out->status = 200;
  out->header_count = 1;
  if (request->operation == GP_OP_STREAM_GENERATE) {
    out->headers = kEventStream;
    out->flags = GP_LOCAL_STREAM;
    *call = new gp_call;
    const auto model = view(request->model);
    if (model == "fails-first") (*call)->fails_at = 0;
    if (model == "fails-later") (*call)->fails_at = 1;
    ++call_count;
    return GP_OK;
  }
  out->headers = kJson;
  out->body = str(
      R"({"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}})");
  return GP_OK;
}

gp_status next(gp_call* call, gp_piece* out) {
  if (call->pieces == call->fails_at) return GP_ERR_INTERNAL;
  switch (call->pieces++) {
    case 0:
      out->bytes = str("data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n");
      return GP_OK;
    case 1:
      out->bytes = str(
          "data: {\"model\":\"m\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n");
      out->delay_ms = 5;
      return GP_OK;
    default:
      out->bytes = str("data: [DONE]\n\n");
      out->flags = GP_PIECE_LAST;
      return GP_OK;
  }
}

gp_status refresh(const gp_step_in* in, gp_step* out) {
  ++refresh_count;
  auto* fetch = static_cast<gp_upstream*>(host->alloc(in->arena, sizeof(gp_upstream), 8));
  *fetch = {};
  fetch->size = sizeof(gp_upstream);
  fetch->url = str("https://issuer.test/token");
  fetch->method = str("POST");
  out->kind = GP_STEP_FETCH;
  out->fetch = fetch;
  return GP_OK;
}

gp_status resume(const gp_step_in* in, gp_step* out) {
  if (in->reply == nullptr || in->reply->status != 200) {
    out->kind = GP_STEP_FAIL;
    out->flags = in->reply != nullptr && in->reply->status == 400 ? GP_STEP_DEFINITIVE : 0;
    out->code = str("refused");
    out->message = str("the issuer refused");
    return GP_OK;
  }
  out->kind = GP_STEP_DONE;
  out->credential_json = keep(
      in->arena, "{\"Test\":{\"api_key\":\"new-" + std::to_string(refresh_count.load()) + "\"}}");
  return GP_OK;
}

gp_status plan(const gp_provider*, const gp_request* request, gp_count_plan* out, gp_error* error) {
  const auto model = view(request->model);
  const auto colon = model.find(':');
  if (colon == std::string_view::npos) {
    error->message = str("no such model");
    return model == "estimate" ? GP_OK : GP_ERR_NOT_FOUND;
  }
  const auto how = model.substr(0, colon);
  out->name = keep(request->arena, model.substr(colon + 1));
  if (how == "encoding") out->source = GP_COUNT_ENCODING;
  if (how == "file") out->source = GP_COUNT_FILE;
  if (how.starts_with("url")) out->source = GP_COUNT_URL;
  if (how == "url+bearer") out->bearer = str("hf-secret");
  return GP_OK;
}

// Usage in a place of this upstream's own: "metered":OUTPUT. -1 there is a fault of ours.
gp_status extract(const gp_provider*, int32_t, gp_str bytes, gp_usage* out) {
  constexpr std::string_view kName = "\"metered\":";
  const auto text = view(bytes);
  const auto at = text.find(kName);
  if (at == std::string_view::npos) return GP_ERR_NOT_FOUND;
  const auto number = text.substr(at + kName.size());
  if (number.starts_with("-1")) return GP_ERR_INTERNAL;
  out->input_tokens = 100;
  out->cached_read_tokens = 60;
  std::from_chars(number.data(), number.data() + number.size(), out->output_tokens);
  return GP_OK;
}

const void* extension(gp_str id) {
  static constexpr gp_usage_ext kUsage = {sizeof(gp_usage_ext), 0, extract};
  if (view(id) == GP_EXT_USAGE) return &kUsage;
  static constexpr gp_count_ext kCount = {sizeof(gp_count_ext), 0, plan};
  if (view(id) == GP_EXT_COUNT) return &kCount;
  static constexpr gp_local_ext kLocal = {sizeof(gp_local_ext), 0, respond, next, release};
  static constexpr gp_credential_ext kCredential = {sizeof(gp_credential_ext), 0, refresh, resume};
  if (view(id) == GP_EXT_LOCAL) return &kLocal;
  if (view(id) == GP_EXT_CREDENTIAL) return &kCredential;
  return nullptr;
}

constexpr gp_kind kPlain = a_kind("plain", "Test");
constexpr gp_kind kKeyless = a_kind("keyless", "");
constexpr gp_kind kBuffered = a_kind("buffered", "");
constexpr gp_kind kBridge = a_kind("bridge", "");
constexpr gp_kind kTalker = a_kind("talker", "");
constexpr gp_kind kCounter = a_kind("counter", "");
constexpr gp_kind kExpiring = a_kind("expiring", "Test");
constexpr const gp_kind* kKinds[] = {&kPlain,  &kKeyless, &kBuffered, &kBridge,
                                     &kTalker, &kCounter, &kExpiring};

}  // namespace

const gp_entry* test_module() {
  gp_provider_vt hooks{};
  hooks.create = create;
  hooks.destroy = destroy;
  hooks.credential_open = credential_open;
  hooks.credential_close = credential_close;
  hooks.prepare = prepare;
  hooks.body = body;
  hooks.release = release;
  static const ModuleTables tables("test.gateway", "gateway test module", kKinds, hooks, extension);
  return &tables.entry;
}

int refreshes() {
  return refresh_count;
}
int live_calls() {
  return call_count;
}

}  // namespace gproxy::gateway::test
