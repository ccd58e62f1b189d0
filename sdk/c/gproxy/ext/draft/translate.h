/* SPDX-License-Identifier: MIT
 *
 * DRAFT: no part of ABI 1.0, may change or go. No host offers it yet: a module that asks gets NULL.
 *
 * gproxy.translate/1 (host): the escape hatch into the host's protocol translation. Modules normally
 * declare TRANSLATE rows and never see it; it is for upstreams that answer one request in several
 * protocols. Protocols are the four of generation (GP_PROTOCOL_CLAUDE, _OPENAI_CHAT, _OPENAI_RESPONSE,
 * _GEMINI).
 */
#ifndef GPROXY_EXT_DRAFT_TRANSLATE_H
#define GPROXY_EXT_DRAFT_TRANSLATE_H

#include "../../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GP_EXT_TRANSLATE "gproxy.translate/1"

typedef struct gp_translation gp_translation; /* host's: the state of one translated stream */

typedef struct gp_translate_ext {
  uint32_t size;
  uint32_t flags; /* none defined, 0 */

  /* [loop] A whole request body from one protocol to another; *out is in the arena. `operation` is
   * GENERATE, STREAM_GENERATE or COUNT_TOKENS; `model` the name to write. */
  gp_status (*request)(gp_arena *arena, int32_t from, int32_t to, int32_t operation, gp_str model,
                       gp_str body, gp_str *out, gp_error *error);

  /* [loop] A whole answer. */
  gp_status (*response)(gp_arena *arena, int32_t from, int32_t to, int32_t operation, gp_str body,
                        gp_str *out, gp_error *error);

  /* [loop] Begins a stream; *out dies by stream_free, on the same thread. */
  gp_status (*stream_new)(int32_t from, int32_t to, gp_translation **out);

  /* [loop] Feeds a piece of it; with GP_DATA_LAST in flags it is finished. Writes to `sink`. */
  gp_status (*stream_feed)(gp_translation *stream, gp_str in, uint32_t flags, const gp_sink *sink);

  /* [loop] */
  void (*stream_free)(gp_translation *stream);
} gp_translate_ext;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* GPROXY_EXT_DRAFT_TRANSLATE_H */
