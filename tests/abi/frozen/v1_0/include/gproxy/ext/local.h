/* SPDX-License-Identifier: MIT
 *
 * gproxy.local/1 (module): answers of LOCAL routes, without upstream and without a credential: model
 * tables, counts, test providers. An answer is whole, or comes in pieces with pauses between them.
 */
#ifndef GPROXY_EXT_LOCAL_H
#define GPROXY_EXT_LOCAL_H

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GP_EXT_LOCAL "gproxy.local/1"

#define GP_LOCAL_STREAM 0x1u /* only the head is here: the host asks next() for the body, piece by piece */

/* Host-allocated and zeroed, filled by respond. */
typedef struct gp_local {
  uint32_t size;
  uint32_t flags;           /* GP_LOCAL_* */
  int32_t status;           /* HTTP status, 200 to 599. An error is a body in the request's protocol */
  int32_t reserved;         /* 0; keeps the pointers aligned */
  const gp_header *headers; /* content-type at least; the host adds content-length, date, … */
  size_t header_count;
  gp_str body; /* without STREAM: all of it; static or arena */
} gp_local;

#define GP_PIECE_LAST 0x1u /* nothing follows */

/* Host-allocated and zeroed, filled by next. */
typedef struct gp_piece {
  uint32_t size;
  uint32_t flags;   /* GP_PIECE_* */
  int64_t delay_ms; /* send this piece so much later than the one before, 0 to 60,000 */
  gp_str bytes;     /* in the request's protocol, framing included; valid until the next call of next or
                       release for this gp_call */
} gp_piece;

typedef struct gp_local_ext {
  uint32_t size;
  uint32_t flags; /* none defined, 0 */

  /* [loop] Answers `request` (request->credential is NULL). With STREAM it must set *call. Failures as
   * gp_provider_vt.prepare. */
  gp_status (*respond)(const gp_provider *provider, const gp_request *request, gp_local *out, gp_call **call,
                       gp_error *error);

  /* [loop] The next piece. Called only when the reader can take it. At most 1 MiB a piece. After
   * GP_PIECE_LAST it is not called again. A failure ends the answer with the protocol's error event.
   * May be NULL if respond never sets STREAM. */
  gp_status (*next)(gp_call *call, gp_piece *out);

  /* [loop] Exactly once for each *call that respond set to non-NULL; also in the middle, when the client
   * has gone. May be NULL if respond never sets *call. */
  void (*release)(gp_call *call);
} gp_local_ext;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* GPROXY_EXT_LOCAL_H */
