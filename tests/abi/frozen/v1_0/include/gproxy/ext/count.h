/* SPDX-License-Identifier: MIT
 *
 * gproxy.count/1 (module): token counts that the host makes. A module that has it declares COUNT_TOKENS rows
 * as GP_ROUTE_LOCAL, for each protocol that it wants counted (CLAUDE, GEMINI, OPENAI), and says by `plan` with
 * what tokenizer. The host reads the request in the client's protocol, counts its texts, tools and media by
 * the rules of docs/token-counting.md and answers in that protocol. No credential and no upstream is involved.
 * Vocabularies are loaded when first needed, off the loop, and shared by all providers and workers.
 */
#ifndef GPROXY_EXT_COUNT_H
#define GPROXY_EXT_COUNT_H

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GP_EXT_COUNT "gproxy.count/1"

#define GP_COUNT_ESTIMATE 0 /* from the number of bytes and characters; also: unknown sources */
#define GP_COUNT_ENCODING 1 /* built in: "o200k_base", "cl100k_base", "deepseek_v3", "llama3" */
#define GP_COUNT_FILE 2     /* a tokenizer.json in the folder `tokenizers` of the host's data directory */
#define GP_COUNT_URL 3      /* a tokenizer.json that the host fetches once and keeps in its data directory */

/* With what a request is counted. Host-allocated and zeroed; views are static, arena, or owned by the
 * provider. An answer that is not exact (an estimate, a tokenizer.json of another kind than byte-level BPE
 * with a known split pattern, a vocabulary that cannot be had) carries the header x-gproxy-estimated: 1. */
typedef struct gp_count_plan {
  uint32_t size;
  int32_t source; /* GP_COUNT_* */
  gp_str name;    /* ENCODING: its name. FILE: a path relative to that folder, without "..". URL: absolute
                     http(s), encoded, without user information; also the key of what is kept */
  gp_str bearer;  /* URL: sent as "authorization: Bearer …" to the URL's own host, never to one that it
                     redirects to, and never logged; may be empty */
} gp_count_plan;

typedef struct gp_count_ext {
  uint32_t size;
  uint32_t flags; /* none defined, 0 */

  /* [loop] Says how `request` is counted: its operation is COUNT_TOKENS, its body the client's, its protocol
   * the client's, its credential NULL. Usually looks at the settings and at request->model only. Failures as
   * gp_provider_vt.prepare. */
  gp_status (*plan)(const gp_provider *provider, const gp_request *request, gp_count_plan *out,
                    gp_error *error);
} gp_count_ext;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* GPROXY_EXT_COUNT_H */
