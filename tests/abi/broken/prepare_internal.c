/* SPDX-License-Identifier: MIT
 *
 * prepare fails with INTERNAL, its call set. */
#define ID "prepare-internal"
#include "sound.h"

static gp_status broken_prepare(const gp_provider *provider, const gp_request *request, gp_upstream *out,
                                gp_call **call, gp_error *error) {
  gp_status status = sound_prepare(provider, request, out, call, error);
  status = GP_ERR_INTERNAL;
  return status;
}
#define PREPARE broken_prepare

#include "entry.h"
