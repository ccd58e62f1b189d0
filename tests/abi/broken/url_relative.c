/* SPDX-License-Identifier: MIT
 *
 * A URL without scheme and host. */
#define ID "url-relative"
#include "sound.h"

static gp_status broken_prepare(const gp_provider *provider, const gp_request *request, gp_upstream *out,
                                gp_call **call, gp_error *error) {
  gp_status status = sound_prepare(provider, request, out, call, error);
  out->url = LITERAL("/v1/chat/completions");
  return status;
}
#define PREPARE broken_prepare

#include "entry.h"
