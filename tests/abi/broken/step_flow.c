/* SPDX-License-Identifier: MIT
 *
 * A flow longer than 8 KiB. */
#define ID "step-flow"
#include "sound.h"

static gp_status broken_step(const gp_step_in *in, gp_step *out) {
  (void)in;
  out->kind = GP_STEP_WAIT;
  out->wait_ms = 1;
  out->flow.ptr = "x";
  out->flow.len = HUGE_LEN;
  return GP_OK;
}

static const gp_credential_ext kCredential = {sizeof(gp_credential_ext), 0, broken_step, broken_step};
static const void *broken_extension(gp_str id) {
  return id.len == sizeof GP_EXT_CREDENTIAL - 1 && memcmp(id.ptr, GP_EXT_CREDENTIAL, id.len) == 0
             ? &kCredential
             : NULL;
}
#define EXTENSION broken_extension

static gp_status expired_prepare(const gp_provider *provider, const gp_request *request, gp_upstream *out,
                                 gp_call **call, gp_error *error) {
  (void)provider, (void)request, (void)out, (void)call;
  error->message = LITERAL("expired");
  return GP_ERR_CREDENTIAL_EXPIRED;
}
#define PREPARE expired_prepare

#include "entry.h"
