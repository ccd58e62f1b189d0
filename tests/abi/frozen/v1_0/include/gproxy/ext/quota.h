/* SPDX-License-Identifier: MIT
 *
 * gproxy.quota/1 (module): what an account has left, asked live, as a step machine (gp_step in abi.h).
 * Serves the instances whose route table has USAGE as NATIVE.
 */
#ifndef GPROXY_EXT_QUOTA_H
#define GPROXY_EXT_QUOTA_H

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GP_EXT_QUOTA "gproxy.quota/1"

/* DONE carries:
 *   reply_json    the vendor's answer as it came
 *   windows_json  the same, normalised: an array of
 *                 {"name": string, "scope": string,             "five_hour", "model:x"
 *                  "used_percent"?: number 0..100,
 *                  "used"?: number, "limit"?: number, "remaining"?: number, "unit"?: string,
 *                  "resets_at_ms"?: integer}                     UNIX time in ms
 *                 with the members that the vendor tells and no others. */
typedef struct gp_quota_ext {
  uint32_t size;
  uint32_t flags; /* none defined, 0 */

  /* [any] First step; in->credential is the account. A FETCH that is answered 401 leads to one refresh of
   * the credential by the host, which then begins again at start. */
  gp_status (*start)(const gp_step_in *in, gp_step *out);

  /* [any] Goes on after FETCH, WAIT or COMPUTE. */
  gp_status (*resume)(const gp_step_in *in, gp_step *out);
} gp_quota_ext;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* GPROXY_EXT_QUOTA_H */
