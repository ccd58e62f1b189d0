/* SPDX-License-Identifier: MIT
 *
 * A URL longer than memory. */
#define ID "url-oversize"
#include "sound.h"

static gp_status broken_prepare(const gp_provider *provider, const gp_request *request, gp_upstream *out,
                                gp_call **call, gp_error *error) {
  gp_status status = sound_prepare(provider, request, out, call, error);
  out->url.len = HUGE_LEN;
  return status;
}
#define PREPARE broken_prepare

#include "entry.h"
