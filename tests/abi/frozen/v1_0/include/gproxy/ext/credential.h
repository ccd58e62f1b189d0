/* SPDX-License-Identifier: MIT
 *
 * gproxy.credential/1 (module): renewing a credential, as a step machine (gp_step in abi.h): token
 * refresh, JWT grant, completion of a profile or project. One refresh of a credential runs at a time in
 * the whole installation; requests that need it wait for it. The new secret is stored before any request
 * uses it.
 */
#ifndef GPROXY_EXT_CREDENTIAL_H
#define GPROXY_EXT_CREDENTIAL_H

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GP_EXT_CREDENTIAL "gproxy.credential/1"

/* Why (gp_step_in.cause). From 1000 on: the module's own causes, from gp_verdict.cause or gp_error.code. */
#define GP_CAUSE_EXPIRING 0   /* expires_at_ms is near or past; also: unknown causes */
#define GP_CAUSE_REJECTED 1   /* the upstream refused it (401) */
#define GP_CAUSE_INCOMPLETE 2 /* GP_CREDENTIAL_INCOMPLETE */
#define GP_CAUSE_MODULE 1000

typedef struct gp_credential_ext {
  uint32_t size;
  uint32_t flags; /* none defined, 0 */

  /* [any] First step of a refresh of in->credential (in->credential_json). Ends with DONE and the whole
   * new credential_json, unknown members kept, or with FAIL: DEFINITIVE only when the issuer has refused
   * the secret for good (invalid_grant), not for a network fault or a 5xx. */
  gp_status (*refresh)(const gp_step_in *in, gp_step *out);

  /* [any] Goes on after FETCH, WAIT or COMPUTE. */
  gp_status (*resume)(const gp_step_in *in, gp_step *out);
} gp_credential_ext;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* GPROXY_EXT_CREDENTIAL_H */
