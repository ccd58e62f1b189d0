/* SPDX-License-Identifier: MIT
 *
 * prepare writes nonsense into the structure's size. */
#define ID "prepare-sizes"
#include "sound.h"

static gp_status broken_prepare(const gp_provider *provider, const gp_request *request, gp_upstream *out,
                                gp_call **call, gp_error *error) {
  gp_status status = sound_prepare(provider, request, out, call, error);
  out->size = 3;
  return status;
}
#define PREPARE broken_prepare

#include "entry.h"
