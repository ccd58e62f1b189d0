/* SPDX-License-Identifier: MIT
 *
 * gproxy provider module ABI, version 1.0, frozen. The only thing a module must include.
 *
 * A module is a shared library with one exported function, gproxy_entry_1(), which returns a table.
 * Through the table the host learns the module's kinds of provider, creates configured instances of
 * them, and asks for each request "what would you send, and where?" (prepare). A module does no I/O,
 * opens no socket, starts no thread and never blocks: it works on bytes. What needs I/O outside the
 * proxied request (logins, token refresh, quota) is a step machine, see ext/.
 *
 * THREADS
 *   [main]  the host's main thread, never concurrent with itself
 *   [loop]  a worker loop. Calls for one gp_call stay on one thread and are never concurrent; calls
 *           for different ones run concurrently on the same const gp_provider.
 *   [any]   any thread, concurrently
 * A hook must not block, must not keep a pointer past the lifetimes below and must not call [loop]
 * functions of the host from threads of its own. A hook that takes more than 5 ms is logged.
 *
 * MEMORY: three lifetimes, no free() across the boundary
 *   static  as long as the library is loaded
 *   arena   until the exchange, step or call that gave the arena ends; from gp_host.alloc; nobody frees
 *   call    views passed in, valid until the function returns
 * Handles (gp_provider, gp_credential, gp_call) are the module's own memory and die by destroy,
 * credential_close and release. Unless a field says otherwise, every view that a module puts into an
 * out structure must be static, arena, or owned by a handle that outlives its use.
 * A gp_str handed to a module may have ptr == NULL when len == 0, and so may one it hands back.
 *
 * GROWING TYPES start with `size`. Whoever allocates the structure zeroes it and sets size =
 * sizeof(the structure); whoever fills or reads it must not touch a field that the size does not
 * cover: use GP_HAS for each field added after 1.0 (its comment says "since 1.x"). A size larger than
 * one's own is fine, one smaller than version 1.0's is an error. Growing types are
 * never embedded by value and never put into arrays. They have no padding; integers are fixed-width;
 * there is no enum, bool, bit-field, long or variadic function. Unknown values of a number mean the
 * documented default; bits of a flags field that the reader does not know are ignored, and the writer
 * leaves those it does not know 0. The GP_MAX_ bounds may rise in a later version and never fall.
 *
 * VERSIONS: within a major, structures only grow at their end and nothing is reordered, retyped or
 * reused; removal means "stop using".
 *   - A module that was built with 1.0 loads into every 1.x host.
 *   - A module that was built with a newer minor than the host's loads too: the host leaves out what it
 *     does not know (route rows with unknown numbers, fields, extensions). What such a module finds
 *     missing it must do without, or say so: init compares gp_host.abi_minor, or asks for an extension,
 *     and fails with a message.
 *   - Another major is refused, with both versions in the message. A new major is a new symbol,
 *     gproxy_entry_2, so that one file may serve hosts of both.
 * Optional behaviour is an extension (a table queried by string id, gp_entry.extension and
 * gp_host.extension), not a flag; its id carries its own revision. Headers in ext/draft/ are no part of
 * the promise. 64-bit targets only.
 */
#ifndef GPROXY_ABI_H
#define GPROXY_ABI_H

#include <stddef.h>
#include <stdint.h>

#if UINTPTR_MAX != UINT64_MAX
#error "the gproxy module ABI is defined for 64-bit targets only"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define GP_ABI_MAJOR 1
#define GP_ABI_MINOR 0

/* True if the structure that `p` points to is long enough to hold `field`. */
#define GP_HAS(type, p, field) ((p)->size >= offsetof(type, field) + sizeof((p)->field))

/* The module's entry: GP_EXPORT const gp_entry *GP_ENTRY_1(void). A module that is linked into a test
 * binary is compiled with -DGPROXY_STATIC_MODULE=<name>; its entry is then gproxy_entry_1_<name>. */
#define GP_PASTE_(a, b) a##b
#define GP_PASTE(a, b) GP_PASTE_(a, b)
#ifdef GPROXY_STATIC_MODULE
#define GP_EXPORT
#define GP_ENTRY_1 GP_PASTE(gproxy_entry_1_, GPROXY_STATIC_MODULE)
#elif defined(_WIN32)
#define GP_EXPORT __declspec(dllexport)
#define GP_ENTRY_1 gproxy_entry_1
#else
#define GP_EXPORT __attribute__((visibility("default")))
#define GP_ENTRY_1 gproxy_entry_1
#endif
#define GP_ENTRY_SYMBOL "gproxy_entry_1"

/* ------------------------------------------------------------------------------------------------
 * Results. 0 is success, every failure is negative; any other value not listed means GP_ERR_INTERNAL.
 */
typedef int32_t gp_status;

#define GP_OK 0
#define GP_ERR_INTERNAL (-1)    /* a bug or a broken contract; counts against the module (502) */
#define GP_ERR_INVALID (-2)     /* what was given is wrong: the client's request (400), settings, secret */
#define GP_ERR_UNSUPPORTED (-3) /* not offered by this provider (501) */
#define GP_ERR_NOT_FOUND (-4)   /* no such model, path, member (404) */
#define GP_ERR_CREDENTIAL_EXPIRED (-5) /* prepare: refresh the credential, then prepare again, once */
#define GP_ERR_CREDENTIAL (-6)         /* prepare: this credential cannot serve this; try another */
#define GP_ERR_TOO_LARGE (-7)          /* over a limit (413) */
#define GP_ERR_NO_MEMORY (-8)          /* the arena's bound is reached */
#define GP_ERR_CANCELLED (-9)          /* from gp_sink.write: the reader is gone; stop and return it */

/* ------------------------------------------------------------------------------------------------
 * Vocabulary. The numbers never change.
 */
#define GP_PROTOCOL_NONE 0
#define GP_PROTOCOL_CLAUDE 1          /* Messages */
#define GP_PROTOCOL_OPENAI_CHAT 2     /* Chat Completions */
#define GP_PROTOCOL_OPENAI_RESPONSE 3 /* Responses */
#define GP_PROTOCOL_GEMINI 4          /* generateContent */
#define GP_PROTOCOL_OPENAI 5          /* model lists, input_tokens, Responses sub-resources */

#define GP_OP_NONE 0
#define GP_OP_GENERATE 1
#define GP_OP_STREAM_GENERATE 2
#define GP_OP_COUNT_TOKENS 3
#define GP_OP_MODEL_LIST 4
#define GP_OP_MODEL_GET 5
#define GP_OP_RESPONSE_GET 6
#define GP_OP_RESPONSE_DELETE 7
#define GP_OP_RESPONSE_CANCEL 8
#define GP_OP_RESPONSE_INPUT_ITEMS 9
#define GP_OP_RESPONSE_COMPACT 10
#define GP_OP_MEMORY_TRACE_SUMMARIZE 11
#define GP_OP_OAUTH_START 12 /* rows of protocol NONE: NATIVE if gproxy.oauth/1 serves this instance */
#define GP_OP_OAUTH_CALLBACK 13
#define GP_OP_USAGE 14 /* row of protocol NONE: NATIVE if gproxy.quota/1 serves this instance */

/* How an instance serves (protocol, operation). Of GENERATE and STREAM_GENERATE the host takes the other
 * where one is not served, also at a TRANSLATE's target. */
#define GP_ROUTE_UNSUPPORTED 0 /* also: no row, and unknown modes */
#define GP_ROUTE_NATIVE 1      /* prepare() is called in this protocol */
#define GP_ROUTE_TRANSLATE 2   /* the host translates to `target`, whose row is NATIVE or LOCAL */
#define GP_ROUTE_LOCAL 3       /* answered by gproxy.local/1, COUNT_TOKENS by gproxy.count/1 where the module
                                  has it; without upstream and without a credential */

/* JSON types (gp_span.flags & GP_SPAN_TYPE, gp_json_node.type). */
#define GP_JSON_NULL 0
#define GP_JSON_BOOL 1
#define GP_JSON_NUMBER 2
#define GP_JSON_STRING 3
#define GP_JSON_ARRAY 4
#define GP_JSON_OBJECT 5

/* Members of a request body that the host's one validating pass has located (gp_span.field). */
#define GP_FIELD_ROOT 0 /* the top-level object itself, from { to } */
#define GP_FIELD_MODEL 1
#define GP_FIELD_STREAM 2
#define GP_FIELD_STREAM_OPTIONS 3
#define GP_FIELD_INCLUDE_USAGE 4 /* stream_options.include_usage */
#define GP_FIELD_MESSAGES 5
#define GP_FIELD_SYSTEM 6
#define GP_FIELD_INPUT 7
#define GP_FIELD_INSTRUCTIONS 8
#define GP_FIELD_CONTENTS 9
#define GP_FIELD_TOOLS 10
#define GP_FIELD_MAX_TOKENS 11
#define GP_FIELD_MAX_COMPLETION_TOKENS 12
#define GP_FIELD_MAX_OUTPUT_TOKENS 13
#define GP_FIELD_TEMPERATURE 14
#define GP_FIELD_TOP_P 15
#define GP_FIELD_TOP_K 16
#define GP_FIELD_STORE 17
#define GP_FIELD_INCLUDE 18
#define GP_FIELD_METADATA 19
#define GP_FIELD_PROMPT_CACHE_KEY 20
#define GP_FIELD_PREVIOUS_RESPONSE_ID 21
#define GP_FIELD_SERVICE_TIER 22

#define GP_SPAN_TYPE 0x7u      /* mask: a GP_JSON_ number */
#define GP_SPAN_ESCAPED 0x100u /* a string whose text has escapes */

/* ------------------------------------------------------------------------------------------------
 * Opaque handles.
 */
typedef struct gp_provider gp_provider;     /* module's: one configured instance, immutable after create */
typedef struct gp_credential gp_credential; /* module's: one version of one secret, immutable */
typedef struct gp_call gp_call;             /* module's: one attempt or local answer, one thread */
typedef struct gp_arena gp_arena;           /* host's: bounded memory that dies as a whole */

/* ------------------------------------------------------------------------------------------------
 * Frozen value types: no size field, never change, may stand in arrays.
 */
typedef struct gp_str { /* a view; UTF-8 where text is meant; not NUL-terminated */
  const char *ptr;
  size_t len;
} gp_str;

typedef struct gp_header {
  gp_str name; /* compared without case */
  gp_str value;
} gp_header;

typedef struct gp_span { /* where a member's value stands in the body */
  int32_t field;         /* GP_FIELD_*; unknown ones are to be skipped */
  uint32_t flags;        /* GP_SPAN_* */
  size_t at;             /* first byte; a string's span includes its quotes */
  size_t len;
} gp_span;

typedef struct gp_splice { /* one edit of the request body: at `at` remove `remove` bytes, put `insert` */
  size_t at;
  size_t remove;
  gp_str insert;
} gp_splice;

typedef struct gp_route { /* one row of an instance's route table */
  int32_t protocol;       /* GP_PROTOCOL_* */
  int32_t operation;      /* GP_OP_* */
  int32_t mode;           /* GP_ROUTE_* */
  int32_t target;         /* GP_PROTOCOL_* with TRANSLATE, else 0 */
} gp_route;

typedef struct gp_alias { /* what other tools call a credential field */
  gp_str from;            /* "accessToken" */
  gp_str field;           /* "access_token" */
} gp_alias;

/* Where a data hook writes. The bytes are taken or copied before write returns. A result other than
 * GP_OK means that nobody reads any more: the hook must write nothing further and return that result. */
typedef struct gp_sink {
  void *ctx;
  gp_status (*write)(void *ctx, gp_str bytes); /* [loop] */
} gp_sink;

/* ------------------------------------------------------------------------------------------------
 * Growing types.
 */

/* Why a call failed. Host-allocated; filled only on failure. Messages are for people: lower case, no
 * full stop, never a secret, never a body. Texts are static or arena. */
typedef struct gp_error {
  uint32_t size;
  int32_t code; /* with GP_ERR_CREDENTIAL_EXPIRED: the cause given to gproxy.credential/1, 0 = EXPIRING */
  gp_str message;
  gp_str param; /* the field at fault, as a path ("dispatch.ops[3]"); may be empty */
} gp_error;

/* A kind of provider. Module-allocated, static. The host copies and validates it at load. */
#define GP_KIND_SEED 0x1u         /* gets a row at first start; can be disabled but not deleted */
#define GP_KIND_USER_CREATED 0x2u /* rows are created and deleted by the operator */

typedef struct gp_kind {
  uint32_t size;
  uint32_t flags;           /* GP_KIND_* */
  gp_str name;              /* "openai": [a-z0-9-]{1,32}, unique among all loaded modules */
  gp_str credential_tag;    /* the one key of its credential JSON: {"OpenAI": {…}}; empty = takes none */
  gp_str title;             /* for people */
  gp_str gen_ai_name;       /* gen_ai.provider.name in metrics ("openai", "anthropic", "gcp.gemini") */
  gp_str settings_schema;   /* JSON Schema draft 4 of channel_settings; empty = an object without members */
  gp_str credential_schema; /* JSON Schema draft 4 of what stands under the tag */
  const gp_alias *aliases;  /* import: other names of credential fields */
  size_t alias_count;
  const gp_str *forward_headers; /* client headers that may go upstream on native routes, lower case,
                                    besides the protocol's own (anthropic-version, anthropic-beta,
                                    openai-beta); a trailing * matches a prefix */
  size_t forward_header_count;
} gp_kind;

/* What a module is. Module-allocated, static. */
typedef struct gp_info {
  uint32_t size;
  uint32_t flags; /* none defined, 0 */
  gp_str id;   /* "dev.gproxy.openai": reverse domain, [a-z0-9.-]{1,64}; the same id is a newer generation */
  gp_str name; /* for people */
  gp_str version;
  gp_str licence;  /* SPDX expression */
  gp_str homepage; /* may be empty */
  const gp_kind *const *kinds;
  size_t kind_count; /* 1 to 32 */
} gp_info;

/* A configured instance. Host-allocated, filled by create. */
typedef struct gp_instance {
  uint32_t size;
  uint32_t flags;         /* none defined, 0 */
  gp_arena *arena;        /* in: scratch and error texts of this call; dies after it */
  gp_provider *provider;  /* out: the handle; may be NULL if the instance has no state */
  const gp_route *routes; /* out: the whole capability statement; owned by the provider, until destroy */
  size_t route_count;     /* out: 1 to 128; a (protocol, operation) may occur once */
} gp_instance;

/* An opened credential. Host-allocated, filled by credential_open. */
#define GP_CREDENTIAL_REFRESHABLE 0x1u /* gproxy.credential/1 can renew it */
#define GP_CREDENTIAL_INCOMPLETE 0x2u  /* must be refreshed (cause INCOMPLETE) before its first use */

typedef struct gp_credential_info {
  uint32_t size;
  uint32_t flags;            /* GP_CREDENTIAL_* */
  gp_arena *arena;           /* in: scratch and error texts of this call; dies after it */
  gp_credential *credential; /* out: the handle; may be NULL if the kind needs no credential */
  int64_t expires_at_ms;     /* out: UNIX time in ms, 0 = unknown or never; the host refreshes ahead */
  gp_str identity;           /* out: account id; an import or login with an equal one updates the row;
                                 owned by the credential, until credential_close */
  gp_str display_name;       /* out: for people (e-mail, key prefix); never the secret; as identity */
} gp_credential_info;

/* One request to be sent upstream. Host-allocated; everything in it lives as long as the arena.
 *
 * What stands in it, by operation:
 *   GENERATE, STREAM_GENERATE, COUNT_TOKENS, RESPONSE_COMPACT, MEMORY_TRACE_SUMMARIZE
 *       body is a JSON object of `protocol`, valid and indexed; its stream flag agrees with `operation`.
 *       model is the model's name for this upstream, without provider prefix and without "models/".
 *   MODEL_LIST  method GET, no body, no model; paging stands in query, in the words of `protocol`
 *               (claude: after_id, before_id, limit; gemini: pageSize, pageToken; openai: none).
 *   MODEL_GET   method GET, no body; model is the decoded id, without "models/"; it may hold '/'.
 *   RESPONSE_GET, _DELETE, _CANCEL, _INPUT_ITEMS
 *               resource is the decoded response id; query is the client's; model is empty.
 * The answer is read in `protocol`. */
#define GP_REQUEST_TRANSLATED 0x1u    /* the client spoke another protocol; forward none of its headers */
#define GP_REQUEST_NEEDS_SSE 0x2u     /* the host reads the stream itself: ask for server-sent events */
#define GP_REQUEST_MODEL_DIFFERS 0x4u /* the body's model is not `model`: splice GP_FIELD_MODEL */

typedef struct gp_request {
  uint32_t size;
  uint32_t flags;          /* GP_REQUEST_* */
  int32_t protocol;        /* GP_PROTOCOL_*: the protocol to speak upstream */
  int32_t operation;       /* GP_OP_* */
  int32_t client_protocol; /* what the client speaks; differs from protocol when TRANSLATED */
  uint32_t attempt;        /* 1 for the first try of this request */
  gp_str method;           /* the client's; for translated requests that of `protocol` */
  gp_str path;             /* the client's, decoded no further than it came, without provider prefix; for
                              information: modules build their own paths */
  gp_str query;            /* still encoded, without '?' and without any key */
  gp_str model;
  gp_str resource;
  gp_str body;
  const gp_header *headers; /* the client's, without authentication, cookies and hop-by-hop fields */
  size_t header_count;
  const gp_span *spans; /* by ascending `at`; the first is GP_FIELD_ROOT; none if there is no JSON body */
  size_t span_count;
  const gp_credential *credential; /* NULL for LOCAL routes and kinds that take none */
  gp_arena *arena;
  gp_str request_id; /* the exchange's id, for logs */
} gp_request;

/* What to send. Host-allocated for prepare; module-allocated (arena, stamped) for a FETCH step.
 * The body sent is: `body` if body.ptr is not NULL, else the request's body with the splices applied,
 * else the request's body as it came. Setting both body and splices is a broken contract.
 * Splices are in ascending order of `at`, do not overlap and lie within the request's body. */
#define GP_UPSTREAM_STREAM 0x1u  /* the answer is a stream if its status is 2xx: pass it on as it comes */
#define GP_UPSTREAM_BUFFER 0x2u  /* collect the answer (bounded) for the `body` hook; not with STREAM */
#define GP_UPSTREAM_NO_BODY 0x4u /* send no body although the client sent one */
#define GP_UPSTREAM_HTTP1 0x10u  /* do not use HTTP/2 */
/* stream_options.include_usage was put in for the host's sake: it reads the usage chunk and keeps it from
 * the client. */
#define GP_UPSTREAM_USAGE_ADDED 0x8u

#define GP_MAX_URL 8192u /* bytes, url and secret_query together */
#define GP_MAX_HEADERS 64u
#define GP_MAX_HEADER_VALUE 16384u
#define GP_MAX_SPLICES 4096u

typedef struct gp_upstream {
  uint32_t size;
  uint32_t flags;      /* GP_UPSTREAM_* */
  gp_str method;       /* empty = the request's method (FETCH: GET) */
  gp_str url;          /* absolute http(s) URL, encoded, with its query, without secrets and fragment */
  gp_str secret_query; /* "key=…", encoded: appended by the host, never logged, never a cache key */
  gp_str body;
  const gp_header *headers; /* the complete set; the host adds host, content-length, accept-encoding.
                               Names are tokens, values have no CR, LF, NUL */
  size_t header_count;
  const gp_splice *splices;
  size_t splice_count;
  int64_t connect_ms;    /* timeouts in ms, 0 = the host's: name, TCP and TLS */
  int64_t first_byte_ms; /* request sent until head received */
  int64_t idle_ms;       /* between two pieces of the answer */
  int64_t total_ms;      /* all of it */
} gp_upstream;

/* The head of an answer. Host-allocated; as `out` it comes filled with a copy of `in`. */
typedef struct gp_head {
  uint32_t size;
  int32_t status;
  const gp_header *headers;
  size_t header_count;
  gp_arena *arena;
} gp_head;

/* A whole answer. Host-allocated; as `out` it comes filled with a copy of the input. */
typedef struct gp_reply {
  uint32_t size;
  int32_t status;
  const gp_header *headers;
  size_t header_count;
  gp_str body;
  gp_arena *arena;
} gp_reply;

/* An attempt that failed. Host-allocated. */
#define GP_FAILURE_HTTP 0         /* an answer with status >= 400; also: unknown kinds, then status is 0 */
#define GP_FAILURE_STREAM_ERROR 1 /* status 2xx, then an error event before any content; body = its data */
#define GP_FAILURE_CONNECT 2
#define GP_FAILURE_DNS 3
#define GP_FAILURE_TLS 4
#define GP_FAILURE_CONNECT_TIMEOUT 5
#define GP_FAILURE_FIRST_BYTE_TIMEOUT 6
#define GP_FAILURE_IDLE_TIMEOUT 7
#define GP_FAILURE_TOTAL_TIMEOUT 8
#define GP_FAILURE_RESET 9     /* the connection broke */
#define GP_FAILURE_PROTOCOL 10 /* not HTTP, or a broken answer */
#define GP_FAILURE_TOO_LARGE 11
#define GP_FAILURE_PROXY 12
#define GP_FAILURE_OTHER 13

typedef struct gp_failure {
  uint32_t size;
  int32_t kind;     /* GP_FAILURE_* */
  int32_t status;   /* HTTP status, 0 if there was no head */
  uint32_t attempt; /* as in gp_request */
  int32_t protocol; /* of the attempt */
  int32_t operation;
  uint64_t bytes_sent_downstream; /* content bytes the client has; > 0: no retry is possible any more */
  const gp_header *headers;
  size_t header_count;
  gp_str body; /* up to 64 KiB of it */
  gp_str model;
  const gp_credential *credential;
  gp_arena *arena;
} gp_failure;

/* What to do about it. Host-allocated and zeroed: action DELIVER. */
#define GP_ACTION_DELIVER 0       /* the client gets this failure; also: unknown actions */
#define GP_ACTION_RETRY_SAME 1    /* once more with the same credential */
#define GP_ACTION_RETRY_PATCHED 2 /* store credential_json as its new version, then once more with it */
#define GP_ACTION_REFRESH 3       /* gproxy.credential/1 with `cause`, then once more */
#define GP_ACTION_NEXT 4          /* another credential, this one stays usable */
#define GP_ACTION_COOL_DOWN 5     /* as NEXT; do not use what `scope` names before until_ms */
#define GP_ACTION_DEAD 6          /* as NEXT; do not use the credential again until it is changed */

#define GP_SCOPE_CREDENTIAL 0 /* also: unknown scopes */
#define GP_SCOPE_MODEL 1      /* this credential with this model */
#define GP_SCOPE_OPERATION 2  /* this credential for this operation */

typedef struct gp_verdict {
  uint32_t size;
  int32_t action;         /* GP_ACTION_* */
  int32_t scope;          /* GP_SCOPE_*, with COOL_DOWN */
  int32_t cause;          /* with REFRESH: GP_CAUSE_* or the module's own (>= 1000), see ext/credential.h */
  int64_t until_ms;       /* with COOL_DOWN: UNIX time in ms, 0 = the host's default for the status */
  gp_str reason;          /* one word for logs and the admin API ("rate_limit"); static or arena */
  gp_str credential_json; /* with RETRY_PATCHED: the whole tagged JSON; arena */
} gp_verdict;

/* One step of a step machine (ext/oauth.h, ext/credential.h, ext/quota.h). The module gets a
 * gp_step_in and fills one gp_step. Modules keep nothing between steps but what they put into `flow`.
 * At most 32 steps and 120 s (waits for a person not counted). The host performs FETCH with its
 * timeouts, proxy and size cap (1 MiB), follows redirects only within the host, and logs it redacted. */
#define GP_STEP_FAIL 0    /* end: status, code, message, DEFINITIVE; also: unknown kinds */
#define GP_STEP_FETCH 1   /* perform `fetch`, then resume with the reply */
#define GP_STEP_WAIT 2    /* resume after wait_ms */
#define GP_STEP_COMPUTE 3 /* resume on the thread pool: for calls that take longer than 5 ms */
#define GP_STEP_REPLY 4   /* answer the person: status, reply_json; KEEP_FLOW or it ends */
#define GP_STEP_DONE 5    /* end: credential_json, identity, name, settings_json, reply_json, windows_json */

/* With REPLY: the flow waits for the callback. */
#define GP_STEP_KEEP_FLOW 0x1u
/* With FAIL of a refresh: the secret is refused for good (DEAD). Without it the host tries again later. */
#define GP_STEP_DEFINITIVE 0x2u
#define GP_MAX_FLOW 8192u

typedef struct gp_step {
  uint32_t size;
  int32_t kind;             /* GP_STEP_* */
  const gp_upstream *fetch; /* FETCH: method, url, headers, body */
  int64_t wait_ms;          /* WAIT: 1 to 60,000 */
  int32_t status;           /* REPLY, FAIL: HTTP status for the client, 0 = 200 or 502 */
  uint32_t flags;           /* GP_STEP_KEEP_FLOW, GP_STEP_DEFINITIVE */
  gp_str flow;              /* FETCH, WAIT, COMPUTE, REPLY: handed to the next call; up to GP_MAX_FLOW.
                               The host seals and stores it, so any process can go on with it */
  gp_str reply_json;        /* REPLY, DONE: what the client of the route gets; never a token */
  gp_str credential_json;   /* DONE: the new credential, tagged */
  gp_str identity;          /* DONE: as gp_credential_info.identity */
  gp_str name;              /* DONE: a proposed name for the credential's row */
  gp_str settings_json;     /* DONE: the credential row's settings; empty = unchanged */
  gp_str windows_json;      /* DONE of gproxy.quota/1, see there */
  gp_str code;              /* FAIL: one stable word ("invalid_grant") */
  gp_str message;           /* FAIL: for people, no secret */
} gp_step;

typedef struct gp_step_in {
  uint32_t size;
  uint32_t step; /* 0 for the first of the machine */
  const gp_provider *provider;
  const gp_credential *credential; /* the version being refreshed or asked about; NULL for a login */
  gp_str credential_json;          /* its tagged JSON */
  gp_str flow;                     /* what the last step left */
  const gp_reply *reply;    /* the answer to a FETCH; NULL after anything else and after a failed one */
  int32_t failure;          /* GP_FAILURE_* if the FETCH failed without an answer, else 0 */
  int32_t cause;            /* gproxy.credential/1: GP_CAUSE_* */
  gp_str query;             /* gproxy.oauth/1: the client's query, encoded */
  gp_str state;             /* gproxy.oauth/1: made by the host; goes into the authorisation URL */
  gp_str redirect_uri;      /* gproxy.oauth/1, start: gproxy's own callback address if the caller wants the
                               person's browser to end there, else empty: the module's own way */
  const gp_header *headers; /* gproxy.oauth/1: the client's */
  size_t header_count;
  gp_arena *arena; /* for everything in gp_step; dies when the host has taken the step */
} gp_step_in;

/* ------------------------------------------------------------------------------------------------
 * The host, as seen by a module. Host-allocated; valid from init to deinit.
 */
#define GP_LOG_DEBUG 0
#define GP_LOG_INFO 1
#define GP_LOG_WARN 2
#define GP_LOG_ERROR 3

typedef struct gp_host gp_host;
struct gp_host {
  uint32_t size;
  uint16_t abi_major;
  uint16_t abi_minor;
  gp_str version;    /* the product's: "0.1.0" */
  gp_str user_agent; /* "gproxy/0.1.0": what to send as user-agent where none is forwarded */

  /* `bytes` bytes aligned to `align` (a power of two up to 16), uninitialised, living as long as the
   * arena. NULL if the arena's bound is reached: return GP_ERR_NO_MEMORY then.
   * On the thread that was given the arena, during the calls that give it. */
  void *(*alloc)(gp_arena *arena, size_t bytes, size_t align);

  /* [any] One line into the host's log, with the module's id. Never a secret, never a body. Lines over
   * 1 KiB are cut; a module that logs too much is muted for a while. Unknown levels mean INFO. */
  void (*log)(const gp_host *self, int32_t level, gp_str message);

  /* [any] UNIX time in milliseconds. */
  int64_t (*now_ms)(void);

  /* [any] An extension of the host by id ("gproxy.json/1"), or NULL. The table is static. Query it once,
   * in init. */
  const void *(*extension)(const gp_host *self, gp_str id);
};

/* ------------------------------------------------------------------------------------------------
 * The provider table. Required: create, destroy, prepare, release; credential_open and credential_close
 * if any kind has a credential_tag. A null hook means the default and costs nothing.
 */
typedef struct gp_provider_vt {
  uint32_t size;
  uint32_t flags; /* none defined, 0 */

  /* [main] Makes an instance of `kind` from its settings. settings_json is valid JSON, already checked
   * against the kind's schema; members may be missing, and an empty string counts as missing. `name` is
   * the row's name, for messages. On failure fills error (param = the path of the setting), leaves
   * nothing behind, and destroy is not called. The views are valid during the call only. */
  gp_status (*create)(gp_str kind, gp_str name, gp_str settings_json, gp_instance *out, gp_error *error);

  /* [main] Ends an instance; no call on it is running or will follow, its credentials are closed. Also
   * called with provider == NULL if create left it so. */
  void (*destroy)(gp_provider *provider);

  /* [any] Parses a credential once, so that no request has to. credential_json is the whole tagged JSON
   * ({"OpenAI":{"api_key":"…"}}), valid JSON. Unknown members are to be ignored. The view is valid during
   * the call only. On failure fills error (param = the member), leaves nothing behind. */
  gp_status (*credential_open)(const gp_provider *provider, gp_str credential_json, gp_credential_info *out,
                               gp_error *error);

  /* [any] Ends a credential's version; wipe the secret. */
  void (*credential_close)(gp_credential *credential);

  /* [loop] Says what to send for a request of a NATIVE row. Fills `out` from the arena; sets *call
   * (NULL on entry) if later hooks need state. Failures: INVALID, NOT_FOUND, TOO_LARGE, UNSUPPORTED are
   * the client's (400, 404, 413, 501, with the message), CREDENTIAL_EXPIRED and CREDENTIAL see there,
   * others are the module's (502). release is called for a *call that was set, also after a failure. */
  gp_status (*prepare)(const gp_provider *provider, const gp_request *request, gp_upstream *out,
                       gp_call **call, gp_error *error);

  /* [loop] May edit status and headers of a 2xx head before it goes down; what it hands out is static, in
   * in->arena, a view of `in`, or the call's. Failures as prepare's, without a message. NULL = as it came. */
  gp_status (*head)(gp_call *call, const gp_head *in, gp_head *out);

  /* [loop] Sees the bytes of a 2xx answer as they come and writes what the client is to get, in the
   * request's protocol. Pieces split anywhere; `in` may be empty. The last call has GP_DATA_LAST. State
   * stays in the gp_call, not in the arena, which only grows. Failures as prepare's, without a message;
   * after the first byte went down they end the answer with the protocol's error event. NULL = as they
   * came. Not with BUFFER. */
  gp_status (*data)(gp_call *call, gp_str in, uint32_t flags, const gp_sink *sink);

  /* [loop] With GP_UPSTREAM_BUFFER only: gets the whole 2xx answer and may change status, headers and
   * body. Required if prepare ever sets BUFFER. Failures as prepare's. */
  gp_status (*body)(gp_call *call, const gp_reply *whole, gp_reply *out, gp_error *error);

  /* [loop] Turns a failed attempt into a verdict. `call` is what prepare set, or NULL. NULL hook or any
   * result but GP_OK = the host's own rule. As the host is configured out of the box, that is:
   *   429             COOL_DOWN of the model (of the operation where no model is named) for what Retry-After
   *                   or retry-after-ms says, at most an hour, else 30 s
   *   401             REFRESH once where the credential can be refreshed; else COOL_DOWN of the credential,
   *                   30 s, doubled by each further one in a row, at most an hour
   *   403, 408        NEXT; from the third 403 in a row on COOL_DOWN as for 401
   *   402             COOL_DOWN of the credential for what Retry-After says, else 10 min
   *   other 5xx (but 501, 505), error events of a stream, timeouts, broken connections and answers
   *                   NEXT; from the third failure in a row on COOL_DOWN of the credential for 10 s. An error
   *                   event that speaks of a rate limit is judged as a 429, so is a 5xx with Retry-After
   *   everything else DELIVER
   * COOL_DOWN without until_ms rests as long as this rule would, at least a second and at most 30 days. */
  gp_status (*classify)(const gp_provider *provider, gp_call *call, const gp_failure *failure,
                        gp_verdict *verdict);

  /* [loop] Ends a call: exactly once for each *call that prepare set to non-NULL, after every other hook
   * on it. Required if prepare ever sets it. */
  void (*release)(gp_call *call);
} gp_provider_vt;

#define GP_DATA_LAST 0x1u /* data: the answer is complete after this piece; write what is still held back */

/* ------------------------------------------------------------------------------------------------
 * The entry.
 */
typedef struct gp_entry {
  uint32_t size;
  uint16_t abi_major; /* GP_ABI_MAJOR as the module was compiled; checked before anything below is read */
  uint16_t abi_minor;
  const gp_info *info;
  const gp_provider_vt *provider;

  /* [main] First call. `host` stays valid until deinit. Query extensions of the host here; a missing one
   * that the module needs is a failure. init and deinit may run more than once, in pairs. */
  gp_status (*init)(const gp_host *host, gp_error *error);

  /* [main] Last call; no instance exists any more. */
  void (*deinit)(void);

  /* [any] An extension of the module by id ("gproxy.local/1"), or NULL; the table is static. Asked once
   * after init. The function itself may be NULL: no extensions. */
  const void *(*extension)(gp_str id);
} gp_entry;

/* [any] The one exported function. Must do nothing but return a static table. */
GP_EXPORT const gp_entry *GP_ENTRY_1(void);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* GPROXY_ABI_H */
