/* SPDX-License-Identifier: MIT
 *
 * A URL of another scheme. */
#define ID "url-file"
#include "sound.h"

static gp_status broken_prepare(const gp_provider *provider, const gp_request *request, gp_upstream *out,
                                gp_call **call, gp_error *error) {
  gp_status status = sound_prepare(provider, request, out, call, error);
  out->url = LITERAL("file:///etc/passwd");
  return status;
}
#define PREPARE broken_prepare

#include "entry.h"
