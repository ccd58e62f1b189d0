/* SPDX-License-Identifier: MIT
 *
 * gproxy.limits/1 (module): what an answer's headers say about a credential's limits. Vendors tell with each
 * answer how much of a rate limit or of a subscription's window is used up, in headers of their own. The host
 * knows none of these names; it asks here, keeps the last windows of each credential in memory, shows them to
 * the operator, and lets a used-up credential rest where the module says so. Modules without this extension
 * cost nothing; gproxy.quota/1 asks the vendor live instead.
 */
#ifndef GPROXY_EXT_LIMITS_H
#define GPROXY_EXT_LIMITS_H

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GP_EXT_LIMITS "gproxy.limits/1"

#define GP_MAX_LIMITS 16u /* windows of one answer, and of one credential that the host keeps */
#define GP_MAX_LIMIT_TEXT 48u /* bytes of a name, subject or unit; longer ones are a broken contract */

/* Nothing more can be had before resets_at_ms: the host lets what `scope` names rest until then. Only for
 * windows whose end is the end of the refusals; not for budgets that fill up little by little. Without a
 * resets_at_ms in the future it means nothing. Judging failed attempts is classify's business: the host
 * heeds this flag of answers with a status below 400 only. */
#define GP_LIMIT_REST 0x1u

/* One window. Frozen value type. Texts are static or views into what `read` was given. */
typedef struct gp_limit {
  gp_str name;          /* "requests", "five_hour"; as the windows of gproxy.quota/1 */
  gp_str subject;       /* whose window: "opus", "code_review"; empty = by `scope`: the account or the model */
  gp_str unit;          /* of limit and remaining: "requests", "tokens"; may be empty */
  int64_t used_ppm;     /* how much is used up, in millionths (1,000,000 = all); -1 = not told */
  int64_t limit;        /* -1 = not told */
  int64_t remaining;    /* -1 = not told */
  int64_t resets_at_ms; /* UNIX time in ms at which the window begins anew; 0 = not told */
  int32_t scope;        /* GP_SCOPE_*: what it is a limit of, and what rests */
  uint32_t flags;       /* GP_LIMIT_* */
} gp_limit;

/* The head of an answer. Host-allocated; views are valid during the call only. */
typedef struct gp_limits_in {
  uint32_t size;
  int32_t status;    /* of the answer, 100 to 599 */
  int32_t protocol;  /* GP_PROTOCOL_* of the attempt */
  int32_t operation; /* GP_OP_* of the attempt */
  int64_t now_ms;    /* UNIX time in ms, for headers that say "in so many seconds" */
  gp_str model;      /* the request's; may be empty */
  const gp_header *headers; /* the upstream's, as they came */
  size_t header_count;
  const gp_credential *credential; /* that was used, never NULL */
} gp_limits_in;

typedef struct gp_limits_ext {
  uint32_t size;
  uint32_t flags; /* none defined, 0 */

  /* [loop] Reads the headers of an answer that came for `in->credential`, once for each answer with a head,
   * before the hook `head`. Writes up to `room` windows to `out` (zeroed by the host, room is GP_MAX_LIMITS at
   * least) and their number to *count. Windows with equal name and subject (or model) replace what was known
   * of them. It stands between the first byte of an answer and its way down: one pass over the headers, no
   * allocation. GP_ERR_NOT_FOUND if the headers tell nothing; other failures are broken contracts, which are
   * logged and change nothing about the answer. */
  gp_status (*read)(const gp_provider *provider, const gp_limits_in *in, gp_limit *out, size_t room,
                    size_t *count);
} gp_limits_ext;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* GPROXY_EXT_LIMITS_H */
