/* SPDX-License-Identifier: MIT
 *
 * A number of headers that cannot be. */
#define ID "header-count"
#include "sound.h"

static gp_status broken_prepare(const gp_provider *provider, const gp_request *request, gp_upstream *out,
                                gp_call **call, gp_error *error) {
  gp_status status = sound_prepare(provider, request, out, call, error);
  out->header_count = ~(size_t)0;
  return status;
}
#define PREPARE broken_prepare

#include "entry.h"
