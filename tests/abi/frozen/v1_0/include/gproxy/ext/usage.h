/* SPDX-License-Identifier: MIT
 *
 * gproxy.usage/1 (module): reads token usage out of an answer. Only for upstreams whose answers carry it
 * in a place of their own: without this extension the host reads usage by protocol.
 */
#ifndef GPROXY_EXT_USAGE_H
#define GPROXY_EXT_USAGE_H

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GP_EXT_USAGE "gproxy.usage/1"

/* Host-allocated; every count comes as -1 (not told) and keeps its last value over the pieces. */
typedef struct gp_usage {
  uint32_t size;
  uint32_t flags;              /* none defined, 0 */
  int64_t input_tokens;        /* all of the input, cached parts included */
  int64_t output_tokens;       /* all of the output, reasoning included */
  int64_t cached_read_tokens;  /* part of input_tokens */
  int64_t cached_write_tokens; /* part of input_tokens */
  int64_t reasoning_tokens;    /* part of output_tokens */
} gp_usage;

typedef struct gp_usage_ext {
  uint32_t size;
  uint32_t flags; /* none defined, 0 */

  /* [loop] `bytes` is the data of one server-sent event, or a whole answer. GP_OK if *out was changed,
   * GP_ERR_NOT_FOUND if there is no usage in it. */
  gp_status (*extract)(const gp_provider *provider, int32_t protocol, gp_str bytes, gp_usage *out);
} gp_usage_ext;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* GPROXY_EXT_USAGE_H */
