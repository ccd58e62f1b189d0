/* SPDX-License-Identifier: MIT
 *
 * The module itself: its kind, its routes, the local answers and the entry. Start reading here. */
#include "echo.h"

#include <stdlib.h>
#include <string.h>

#define STR(literal) \
  { literal, sizeof(literal) - 1 }
#define LITERAL(text) ((gp_str)STR(text))

static const gp_host *g_host;
static const gp_json_ext *g_json;

/* One configured instance. gp_provider is the module's own to define, as is gp_call. */
struct gp_provider {
  int64_t delay_ms;
};

/* One streamed answer. */
struct gp_call {
  echo_answer answer;
  size_t sent;      /* bytes of the text that are out */
  int64_t pieces;   /* how many */
  int64_t sequence; /* of Responses events */
  int64_t delay_ms;
  echo_buf piece;
};

/* ---- instances ---- */

#define LOCAL_ROW(protocol, operation) \
  { protocol, operation, GP_ROUTE_LOCAL, 0 }
static const gp_route kRoutes[] = {
    LOCAL_ROW(GP_PROTOCOL_CLAUDE, GP_OP_GENERATE),
    LOCAL_ROW(GP_PROTOCOL_CLAUDE, GP_OP_STREAM_GENERATE),
    LOCAL_ROW(GP_PROTOCOL_CLAUDE, GP_OP_COUNT_TOKENS),
    LOCAL_ROW(GP_PROTOCOL_CLAUDE, GP_OP_MODEL_LIST),
    LOCAL_ROW(GP_PROTOCOL_CLAUDE, GP_OP_MODEL_GET),
    LOCAL_ROW(GP_PROTOCOL_OPENAI_CHAT, GP_OP_GENERATE),
    LOCAL_ROW(GP_PROTOCOL_OPENAI_CHAT, GP_OP_STREAM_GENERATE),
    LOCAL_ROW(GP_PROTOCOL_OPENAI_RESPONSE, GP_OP_GENERATE),
    LOCAL_ROW(GP_PROTOCOL_OPENAI_RESPONSE, GP_OP_STREAM_GENERATE),
    LOCAL_ROW(GP_PROTOCOL_GEMINI, GP_OP_GENERATE),
    LOCAL_ROW(GP_PROTOCOL_GEMINI, GP_OP_STREAM_GENERATE),
    LOCAL_ROW(GP_PROTOCOL_GEMINI, GP_OP_COUNT_TOKENS),
    LOCAL_ROW(GP_PROTOCOL_GEMINI, GP_OP_MODEL_LIST),
    LOCAL_ROW(GP_PROTOCOL_GEMINI, GP_OP_MODEL_GET),
    LOCAL_ROW(GP_PROTOCOL_OPENAI, GP_OP_COUNT_TOKENS),
    LOCAL_ROW(GP_PROTOCOL_OPENAI, GP_OP_MODEL_LIST),
    LOCAL_ROW(GP_PROTOCOL_OPENAI, GP_OP_MODEL_GET),
};

/* A whole number from 0 to 10,000, or -1. */
static int64_t small_number(gp_str text) {
  int64_t value = 0;
  if (text.len == 0 || text.len > 5) return -1;
  for (size_t i = 0; i < text.len; ++i) {
    if (text.ptr[i] < '0' || text.ptr[i] > '9') return -1;
    value = value * 10 + (text.ptr[i] - '0');
  }
  return value <= 10000 ? value : -1;
}

static gp_status echo_create(gp_str kind, gp_str name, gp_str settings, gp_instance *out, gp_error *error) {
  gp_str delay;
  int64_t delay_ms = 40;
  (void)kind;
  (void)name;
  if (g_json->get(out->arena, settings, LITERAL("/delay_ms"), NULL, &delay) == GP_OK) {
    delay_ms = small_number(delay);
    if (delay_ms < 0) {
      error->message = LITERAL("delay_ms must be a whole number from 0 to 10000");
      error->param = LITERAL("delay_ms");
      return GP_ERR_INVALID;
    }
  }
  gp_provider *provider = malloc(sizeof *provider);
  if (provider == NULL) return GP_ERR_NO_MEMORY;
  provider->delay_ms = delay_ms;
  out->provider = provider;
  out->routes = kRoutes;
  out->route_count = sizeof kRoutes / sizeof kRoutes[0];
  return GP_OK;
}

static void echo_destroy(gp_provider *provider) { free(provider); }

/* Required by the table; with LOCAL routes alone the host has no reason to call them. */
static gp_status echo_prepare(const gp_provider *provider, const gp_request *request, gp_upstream *out,
                              gp_call **call, gp_error *error) {
  (void)provider;
  (void)request;
  (void)out;
  (void)call;
  error->message = LITERAL("echo has no upstream");
  return GP_ERR_UNSUPPORTED;
}

static void echo_release(gp_call *call) {
  free(call->piece.ptr);
  free(call);
}

/* ---- gproxy.local/1 ---- */

static const gp_header kJson[] = {{STR("content-type"), STR("application/json")}};
static const gp_header kSse[] = {{STR("content-type"), STR("text/event-stream")}};

static int has(gp_str text, const char *word) {
  size_t len = strlen(word);
  for (size_t i = 0; i + len <= text.len; ++i) {
    if (memcmp(text.ptr + i, word, len) == 0) return 1;
  }
  return 0;
}

static int wants_usage(const gp_request *request) {
  for (size_t i = 0; i < request->span_count; ++i) {
    const gp_span *span = &request->spans[i];
    if (span->field == GP_FIELD_INCLUDE_USAGE) return span->len == 4 && request->body.ptr[span->at] == 't';
  }
  return 0;
}

static echo_answer read_request(const gp_request *request) {
  echo_answer answer;
  memset(&answer, 0, sizeof answer);
  answer.protocol = request->protocol;
  answer.operation = request->operation;
  answer.id = request->request_id;
  answer.model = request->model;
  answer.created = g_host->now_ms() / 1000;
  if (request->body.len > 0) answer.text = echo_last_user_text(g_host, g_json, request->arena, request->body);
  answer.input_tokens = answer.output_tokens = echo_tokens(answer.text);
  answer.include_usage = wants_usage(request);
  answer.sse = request->protocol != GP_PROTOCOL_GEMINI || has(request->query, "alt=sse") ||
               (request->flags & GP_REQUEST_NEEDS_SSE) != 0;
  return answer;
}

static gp_status echo_respond(const gp_provider *provider, const gp_request *request, gp_local *out,
                              gp_call **call, gp_error *error) {
  (void)error;
  echo_answer answer = read_request(request);
  out->status = 200;
  out->headers = kJson;
  out->header_count = 1;
  if (request->operation == GP_OP_STREAM_GENERATE) {
    gp_call *made = calloc(1, sizeof *made);
    if (made == NULL) return GP_ERR_NO_MEMORY;
    made->answer = answer;
    made->delay_ms = provider->delay_ms;
    *call = made;
    if (answer.sse) out->headers = kSse;
    out->flags |= GP_LOCAL_STREAM;
    return GP_OK;
  }

  echo_buf body = {NULL, 0, 0, 0};
  if (request->operation == GP_OP_GENERATE) {
    echo_whole(&body, &answer);
  } else {
    out->status = echo_other(&body, &answer);
  }
  char *in_arena = body.failed ? NULL : g_host->alloc(request->arena, body.len, 1);
  if (in_arena != NULL) memcpy(in_arena, body.ptr, body.len);
  free(body.ptr);
  if (in_arena == NULL) return GP_ERR_NO_MEMORY;
  out->body.ptr = in_arena;
  out->body.len = body.len;
  return GP_OK;
}

/* Beginning with the first piece, then piece by piece, and the end in a piece of its own. */
static gp_status echo_next(gp_call *call, gp_piece *out) {
  const echo_answer *answer = &call->answer;
  gp_str rest = {answer->text.ptr + call->sent, answer->text.len - call->sent};
  call->piece.len = 0;
  if (call->pieces == 0) echo_begin(&call->piece, answer, &call->sequence);
  if (rest.len > 0) {
    gp_str piece = {rest.ptr, echo_piece_length(rest)};
    echo_delta(&call->piece, answer, piece, call->sent == 0, &call->sequence);
    call->sent += piece.len;
  } else {
    echo_end(&call->piece, answer, &call->sequence);
    out->flags |= GP_PIECE_LAST;
  }
  if (call->piece.failed) return GP_ERR_NO_MEMORY;
  out->delay_ms = call->pieces++ == 0 ? 0 : call->delay_ms;
  out->bytes.ptr = call->piece.ptr;
  out->bytes.len = call->piece.len;
  return GP_OK;
}

static const gp_local_ext kLocal = {sizeof(gp_local_ext), 0, echo_respond, echo_next, echo_release};

/* ---- the entry ---- */

static const gp_kind kKind = {
    .size = sizeof(gp_kind),
    .flags = GP_KIND_USER_CREATED,
    .name = STR("echo-v0-1"),
    .title = STR("Echo, frozen at 0.1"),
    .gen_ai_name = STR("echo"),
    .settings_schema =
        STR("{\"$schema\":\"http://json-schema.org/draft-04/schema#\",\"type\":\"object\","
            "\"additionalProperties\":false,\"properties\":{\"delay_ms\":{\"type\":\"integer\","
            "\"minimum\":0,\"maximum\":10000,\"default\":40,\"title\":\"Pause between pieces in ms\"}}}"),
};
static const gp_kind *const kKinds[] = {&kKind};

static const gp_info kInfo = {
    .size = sizeof(gp_info),
    .id = STR("dev.gproxy.frozen.v0-1"),
    .name = STR("Echo, frozen at ABI 0.1"),
    .version = STR("0.1.0"),
    .licence = STR("MIT"),
    .kinds = kKinds,
    .kind_count = 1,
};

static const gp_provider_vt kProvider = {
    .size = sizeof(gp_provider_vt),
    .create = echo_create,
    .destroy = echo_destroy,
    .prepare = echo_prepare,
    .release = echo_release,
};

static gp_status echo_init(const gp_host *host, gp_error *error) {
  g_host = host;
  g_json = host->extension(host, LITERAL(GP_EXT_JSON));
  if (g_json != NULL) return GP_OK;
  error->message = LITERAL("the host does not offer " GP_EXT_JSON);
  return GP_ERR_UNSUPPORTED;
}

static void echo_deinit(void) {
  g_host = NULL;
  g_json = NULL;
}

static const void *echo_extension(gp_str id) {
  static const char kId[] = GP_EXT_LOCAL;
  return id.len == sizeof kId - 1 && memcmp(id.ptr, kId, id.len) == 0 ? &kLocal : NULL;
}

static const gp_entry kEntry = {
    .size = sizeof(gp_entry),
    .abi_major = GP_ABI_MAJOR,
    .abi_minor = GP_ABI_MINOR,
    .info = &kInfo,
    .provider = &kProvider,
    .init = echo_init,
    .deinit = echo_deinit,
    .extension = echo_extension,
};

GP_EXPORT const gp_entry *GP_ENTRY_1(void) { return &kEntry; }
