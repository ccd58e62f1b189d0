/* SPDX-License-Identifier: MIT
 *
 * gproxy.oauth/1 (module): logging an account in, as a step machine (gp_step in abi.h). Serves the
 * instances whose route table has OAUTH_START and OAUTH_CALLBACK as NATIVE. Covers authorisation code,
 * PKCE and device flows. The host keeps and seals the flow with its state, provider, opener and expiry
 * (600 s); dropping it is cancelling it. Who may call the routes is the host's business: a caller with a key,
 * or the browser of a person who brings the state back and has none.
 */
#ifndef GPROXY_EXT_OAUTH_H
#define GPROXY_EXT_OAUTH_H

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GP_EXT_OAUTH "gproxy.oauth/1"

typedef struct gp_oauth_ext {
  uint32_t size;
  uint32_t flags; /* none defined, 0 */

  /* [any] Begins a login. in->query holds the caller's parameters, in->state the state to put into the
   * authorisation URL, in->redirect_uri where the vendor is to send the person if the caller asked for
   * gproxy's own callback. Usually answers REPLY with KEEP_FLOW and
   * {"auth_url", "state", …}; a device flow FETCHes its code first. The PKCE verifier goes into flow. */
  gp_status (*start)(const gp_step_in *in, gp_step *out);

  /* [any] The person came back: in->query holds code or callback_url, in->flow what start left. For a
   * device flow this is one poll: REPLY 202 with KEEP_FLOW while pending. */
  gp_status (*callback)(const gp_step_in *in, gp_step *out);

  /* [any] Goes on after FETCH, WAIT or COMPUTE of either. A negative result is a broken contract; what
   * went wrong outside is a FAIL step. */
  gp_status (*resume)(const gp_step_in *in, gp_step *out);
} gp_oauth_ext;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* GPROXY_EXT_OAUTH_H */
