/* SPDX-License-Identifier: MIT
 *
 * A module of ABI 1.0 that has every hook and every extension there is, each doing as little as shows that
 * it was called and that what it was given stands where it stood. */
#include <stdlib.h>
#include <string.h>

#include "gproxy/abi.h"
#include "gproxy/ext/count.h"
#include "gproxy/ext/credential.h"
#include "gproxy/ext/crypto.h"
#include "gproxy/ext/json.h"
#include "gproxy/ext/limits.h"
#include "gproxy/ext/local.h"
#include "gproxy/ext/oauth.h"
#include "gproxy/ext/quota.h"
#include "gproxy/ext/thread_check.h"
#include "gproxy/ext/usage.h"

#define STR(literal) \
  { literal, sizeof(literal) - 1 }
#define TEXT(literal) ((gp_str)STR(literal))

static const gp_host *g_host;
static const gp_json_ext *g_json;
static const gp_crypto_ext *g_crypto;

struct gp_provider {
  char base[128];
};
struct gp_credential {
  char key[128];
  char account[32];
};
struct gp_call {
  size_t seen; /* bytes of the answer */
};

static gp_status refuse(gp_error *error, gp_status code, gp_str message, gp_str param) {
  error->message = message;
  error->param = param;
  return code;
}

static void copy(char *to, size_t room, gp_str text) {
  const size_t len = text.len < room ? text.len : room - 1;
  if (len > 0) memcpy(to, text.ptr, len);
  to[len] = 0;
}

static gp_str joined(gp_arena *arena, gp_str a, gp_str b) {
  gp_str out = {NULL, 0};
  char *room = g_host->alloc(arena, a.len + b.len + 1, 1);
  if (room == NULL) return out;
  if (a.len > 0) memcpy(room, a.ptr, a.len);
  if (b.len > 0) memcpy(room + a.len, b.ptr, b.len);
  out.ptr = room;
  out.len = a.len + b.len;
  return out;
}
static gp_str of(const char *text) {
  gp_str out = {text, strlen(text)};
  return out;
}

static const gp_route kRoutes[] = {
    {GP_PROTOCOL_OPENAI_CHAT, GP_OP_GENERATE, GP_ROUTE_NATIVE, 0},
    {GP_PROTOCOL_OPENAI_CHAT, GP_OP_STREAM_GENERATE, GP_ROUTE_NATIVE, 0},
    {GP_PROTOCOL_CLAUDE, GP_OP_GENERATE, GP_ROUTE_TRANSLATE, GP_PROTOCOL_OPENAI_CHAT},
    {GP_PROTOCOL_OPENAI, GP_OP_MODEL_LIST, GP_ROUTE_LOCAL, 0},
    {GP_PROTOCOL_OPENAI, GP_OP_COUNT_TOKENS, GP_ROUTE_LOCAL, 0},
    {GP_PROTOCOL_NONE, GP_OP_OAUTH_START, GP_ROUTE_NATIVE, 0},
    {GP_PROTOCOL_NONE, GP_OP_OAUTH_CALLBACK, GP_ROUTE_NATIVE, 0},
    {GP_PROTOCOL_NONE, GP_OP_USAGE, GP_ROUTE_NATIVE, 0},
};

static gp_status create(gp_str kind, gp_str name, gp_str settings, gp_instance *out, gp_error *error) {
  gp_str base = {NULL, 0};
  (void)kind, (void)name;
  if (g_json->get(out->arena, settings, TEXT("/base_url"), NULL, &base) != GP_OK)
    base = TEXT("https://every.example");
  if (base.len == 0 || base.ptr[0] != 'h')
    return refuse(error, GP_ERR_INVALID, TEXT("is no address"), TEXT("base_url"));
  gp_provider *made = calloc(1, sizeof *made);
  if (made == NULL) return GP_ERR_NO_MEMORY;
  copy(made->base, sizeof made->base, base);
  out->provider = made;
  out->routes = kRoutes;
  out->route_count = sizeof kRoutes / sizeof kRoutes[0];
  return GP_OK;
}
static void destroy(gp_provider *provider) { free(provider); }

static gp_status credential_open(const gp_provider *provider, gp_str json, gp_credential_info *out,
                                 gp_error *error) {
  gp_str key = {NULL, 0};
  (void)provider;
  if (g_json->get(out->arena, json, TEXT("/Every/api_key"), NULL, &key) != GP_OK)
    return refuse(error, GP_ERR_INVALID, TEXT("is needed"), TEXT("api_key"));
  gp_credential *made = calloc(1, sizeof *made);
  if (made == NULL) return GP_ERR_NO_MEMORY;
  copy(made->key, sizeof made->key, joined(out->arena, TEXT("Bearer "), key));
  copy(made->account, sizeof made->account, TEXT("account-1"));
  out->credential = made;
  out->identity = of(made->account);
  out->display_name = of(made->account);
  out->expires_at_ms = 4102444800000; /* 2100 */
  out->flags = GP_CREDENTIAL_REFRESHABLE;
  return GP_OK;
}
static void credential_close(gp_credential *credential) { free(credential); }

static gp_status prepare(const gp_provider *provider, const gp_request *request, gp_upstream *out,
                         gp_call **call, gp_error *error) {
  if (request->credential == NULL)
    return refuse(error, GP_ERR_CREDENTIAL, TEXT("no credential"), TEXT(""));
  gp_header *headers = g_host->alloc(request->arena, 3 * sizeof *headers, 8);
  gp_splice *splice = g_host->alloc(request->arena, sizeof *splice, 8);
  if (headers == NULL || splice == NULL) return GP_ERR_NO_MEMORY;
  out->method = TEXT("POST");
  out->url = joined(request->arena, of(provider->base), TEXT("/chat"));
  out->secret_query = TEXT("key=secret");
  headers[0].name = TEXT("content-type");
  headers[0].value = TEXT("application/json");
  headers[1].name = TEXT("authorization");
  headers[1].value = of(request->credential->key);
  headers[2].name = TEXT("user-agent");
  headers[2].value = g_host->user_agent;
  out->headers = headers;
  out->header_count = 3;
  for (size_t i = 0; i < request->span_count; ++i) {
    if (request->spans[i].field != GP_FIELD_MODEL) continue;
    splice->at = request->spans[i].at;
    splice->remove = request->spans[i].len;
    if (g_json->quote(request->arena, joined(request->arena, request->model, TEXT("-every")),
                      &splice->insert) != GP_OK)
      return GP_ERR_NO_MEMORY;
    out->splices = splice;
    out->splice_count = 1;
  }
  if (request->operation == GP_OP_STREAM_GENERATE) {
    out->flags = GP_UPSTREAM_STREAM;
  } else {
    out->flags = GP_UPSTREAM_BUFFER | GP_UPSTREAM_HTTP1;
  }
  out->connect_ms = 1000;
  out->first_byte_ms = 2000;
  out->idle_ms = 3000;
  out->total_ms = 4000;
  *call = calloc(1, sizeof **call);
  return *call == NULL ? GP_ERR_NO_MEMORY : GP_OK;
}

static gp_status head(gp_call *call, const gp_head *in, gp_head *out) {
  (void)call;
  gp_header *headers = g_host->alloc(in->arena, (in->header_count + 1) * sizeof *headers, 8);
  if (headers == NULL) return GP_ERR_NO_MEMORY;
  if (in->header_count > 0) memcpy(headers, in->headers, in->header_count * sizeof *headers);
  headers[in->header_count].name = TEXT("x-every");
  headers[in->header_count].value = TEXT("1");
  out->headers = headers;
  out->header_count = in->header_count + 1;
  return GP_OK;
}
static gp_status data(gp_call *call, gp_str in, uint32_t flags, const gp_sink *sink) {
  call->seen += in.len;
  if (in.len > 0) {
    const gp_status status = sink->write(sink->ctx, in);
    if (status != GP_OK) return status;
  }
  return (flags & GP_DATA_LAST) != 0 ? sink->write(sink->ctx, TEXT(": end\n")) : GP_OK;
}
static gp_status body(gp_call *call, const gp_reply *whole, gp_reply *out, gp_error *error) {
  (void)error;
  call->seen += whole->body.len;
  out->status = 201;
  out->body = joined(whole->arena, TEXT("["), joined(whole->arena, whole->body, TEXT("]")));
  return GP_OK;
}
static gp_status classify(const gp_provider *provider, gp_call *call, const gp_failure *failure,
                          gp_verdict *verdict) {
  (void)provider, (void)call;
  if (failure->kind != GP_FAILURE_HTTP) return GP_ERR_UNSUPPORTED; /* as the host would */
  verdict->action = GP_ACTION_COOL_DOWN;
  verdict->scope = GP_SCOPE_MODEL;
  verdict->until_ms = g_host->now_ms() + 60000;
  verdict->reason = TEXT("every");
  return GP_OK;
}
static void release(gp_call *call) { free(call); }

/* gproxy.local/1 */
static gp_status respond(const gp_provider *provider, const gp_request *request, gp_local *out, gp_call **call,
                         gp_error *error) {
  static const gp_header kHeaders[] = {{STR("content-type"), STR("application/json")}};
  (void)provider, (void)request, (void)error;
  out->status = 200;
  out->headers = kHeaders;
  out->header_count = 1;
  out->flags = GP_LOCAL_STREAM;
  *call = calloc(1, sizeof **call);
  return *call == NULL ? GP_ERR_NO_MEMORY : GP_OK;
}
static gp_status next(gp_call *call, gp_piece *out) {
  out->bytes = call->seen == 0 ? TEXT("{\"object\":\"list\",") : TEXT("\"data\":[]}");
  out->delay_ms = call->seen == 0 ? 0 : 1;
  out->flags = call->seen == 0 ? 0 : GP_PIECE_LAST;
  ++call->seen;
  return GP_OK;
}
static const gp_local_ext kLocal = {sizeof(gp_local_ext), 0, respond, next, release};

/* gproxy.count/1 */
static gp_status plan(const gp_provider *provider, const gp_request *request, gp_count_plan *out,
                      gp_error *error) {
  (void)provider, (void)request, (void)error;
  out->source = GP_COUNT_ENCODING;
  out->name = TEXT("o200k_base");
  return GP_OK;
}
static const gp_count_ext kCount = {sizeof(gp_count_ext), 0, plan};

/* gproxy.oauth/1, gproxy.credential/1, gproxy.quota/1: one FETCH, then the end. */
static gp_status ask(const gp_step_in *in, gp_step *out, gp_str flow) {
  gp_upstream *fetch = g_host->alloc(in->arena, sizeof *fetch, 8);
  if (fetch == NULL) return GP_ERR_NO_MEMORY;
  memset(fetch, 0, sizeof *fetch);
  fetch->size = sizeof *fetch;
  fetch->method = TEXT("POST");
  fetch->url = joined(in->arena, of(in->provider->base), TEXT("/token"));
  fetch->body = TEXT("grant");
  out->kind = GP_STEP_FETCH;
  out->fetch = fetch;
  out->flow = flow;
  return GP_OK;
}
static gp_status finish(const gp_step_in *in, gp_step *out) {
  if (in->reply == NULL || in->reply->status != 200) {
    out->kind = GP_STEP_FAIL;
    out->status = 502;
    out->code = TEXT("refused");
    out->message = TEXT("the endpoint has refused");
    out->flags = in->failure == 0 ? GP_STEP_DEFINITIVE : 0;
    return GP_OK;
  }
  out->kind = GP_STEP_DONE;
  out->credential_json = TEXT("{\"Every\":{\"api_key\":\"new\"}}");
  out->identity = TEXT("account-1");
  out->name = TEXT("a name");
  out->reply_json = in->reply->body;
  out->windows_json = TEXT("[{\"name\":\"requests\",\"used_percent\":50}]");
  return GP_OK;
}
static gp_status oauth_start(const gp_step_in *in, gp_step *out) {
  uint8_t digest[32];
  gp_str challenge = {NULL, 0};
  if (g_crypto->sha256(in->state, digest) != GP_OK) return GP_ERR_INTERNAL;
  const gp_str bytes = {(const char *)digest, sizeof digest};
  if (g_crypto->base64url_encode(in->arena, bytes, &challenge) != GP_OK) return GP_ERR_NO_MEMORY;
  out->kind = GP_STEP_REPLY;
  out->status = 200;
  out->flags = GP_STEP_KEEP_FLOW;
  out->reply_json = joined(in->arena, TEXT("{\"challenge\":\""), joined(in->arena, challenge, TEXT("\"}")));
  out->flow = joined(in->arena, TEXT("to:"), in->redirect_uri);
  return GP_OK;
}
static gp_status oauth_callback(const gp_step_in *in, gp_step *out) { return ask(in, out, in->flow); }
static gp_status refresh(const gp_step_in *in, gp_step *out) { return ask(in, out, TEXT("refresh")); }
static gp_status quota(const gp_step_in *in, gp_step *out) { return ask(in, out, TEXT("quota")); }
static const gp_oauth_ext kOauth = {sizeof(gp_oauth_ext), 0, oauth_start, oauth_callback, finish};
static const gp_credential_ext kCredential = {sizeof(gp_credential_ext), 0, refresh, finish};
static const gp_quota_ext kQuota = {sizeof(gp_quota_ext), 0, quota, finish};

/* gproxy.usage/1 */
static gp_status extract(const gp_provider *provider, int32_t protocol, gp_str bytes, gp_usage *out) {
  (void)provider, (void)protocol;
  if (bytes.len == 0) return GP_ERR_NOT_FOUND;
  out->input_tokens = (int64_t)bytes.len;
  return GP_OK;
}
static const gp_usage_ext kUsage = {sizeof(gp_usage_ext), 0, extract};

/* gproxy.limits/1 */
static gp_status read_limits(const gp_provider *provider, const gp_limits_in *in, gp_limit *out, size_t room,
                             size_t *count) {
  (void)provider;
  if (in->header_count == 0 || room == 0) return GP_ERR_NOT_FOUND;
  out[0].name = in->headers[0].name;
  out[0].unit = TEXT("requests");
  out[0].used_ppm = -1;
  out[0].limit = 100;
  out[0].remaining = 25;
  out[0].resets_at_ms = in->now_ms + 1000;
  out[0].scope = GP_SCOPE_MODEL;
  out[0].flags = GP_LIMIT_REST;
  *count = 1;
  return GP_OK;
}
static const gp_limits_ext kLimits = {sizeof(gp_limits_ext), 0, read_limits};

static const void *extension(gp_str id) {
  static const struct {
    gp_str id;
    const void *table;
  } kTables[] = {{STR(GP_EXT_LOCAL), &kLocal},           {STR(GP_EXT_COUNT), &kCount},
                 {STR(GP_EXT_OAUTH), &kOauth},           {STR(GP_EXT_CREDENTIAL), &kCredential},
                 {STR(GP_EXT_QUOTA), &kQuota},           {STR(GP_EXT_USAGE), &kUsage},
                 {STR(GP_EXT_LIMITS), &kLimits}};
  for (size_t i = 0; i < sizeof kTables / sizeof kTables[0]; ++i) {
    if (kTables[i].id.len == id.len && memcmp(kTables[i].id.ptr, id.ptr, id.len) == 0) return kTables[i].table;
  }
  return NULL;
}

static gp_status init(const gp_host *host, gp_error *error) {
  g_host = host;
  g_json = host->extension(host, TEXT(GP_EXT_JSON));
  g_crypto = host->extension(host, TEXT(GP_EXT_CRYPTO));
  if (g_json == NULL || g_crypto == NULL)
    return refuse(error, GP_ERR_UNSUPPORTED, TEXT("the host has no json or no crypto"), TEXT(""));
  /* Ids that no host knows are answered, with nothing. */
  if (host->extension(host, TEXT("com.example.none/1")) != NULL) return GP_ERR_INTERNAL;
  host->log(host, GP_LOG_DEBUG, TEXT("every hook of 1.0"));
  return GP_OK;
}
static void deinit(void) {
  g_host = NULL;
  g_json = NULL;
  g_crypto = NULL;
}

static const gp_alias kAliases[] = {{STR("apiKey"), STR("api_key")}};
static const gp_str kForward[] = {STR("x-every-*")};
static const gp_kind kKind = {
    sizeof(gp_kind),
    GP_KIND_USER_CREATED,
    STR("every"),
    STR("Every"),
    STR("Every hook of 1.0"),
    STR("every"),
    STR("{\"type\":\"object\",\"properties\":{\"base_url\":{\"type\":\"string\"}}}"),
    STR("{\"type\":\"object\",\"required\":[\"api_key\"],\"properties\":{\"api_key\":{\"type\":\"string\"}}}"),
    kAliases,
    1,
    kForward,
    1,
};
static const gp_kind *const kKinds[] = {&kKind};
static const gp_info kInfo = {
    sizeof(gp_info), 0, STR("dev.gproxy.frozen.every"), STR("Every hook"), STR("1.0"), STR("MIT"), {NULL, 0},
    kKinds,          1,
};
static const gp_provider_vt kProvider = {
    sizeof(gp_provider_vt), 0, create, destroy, credential_open, credential_close, prepare, head, data, body,
    classify,               release,
};
static const gp_entry kEntry = {
    sizeof(gp_entry), GP_ABI_MAJOR, GP_ABI_MINOR, &kInfo, &kProvider, init, deinit, extension,
};

GP_EXPORT const gp_entry *GP_ENTRY_1(void) { return &kEntry; }
