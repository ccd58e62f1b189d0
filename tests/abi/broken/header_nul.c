/* SPDX-License-Identifier: MIT
 *
 * A header value with a NUL. */
#define ID "header-nul"
#include "sound.h"

static const gp_header kBad[] = {{STR("x-note"), {"a\0b", 3}}};
static gp_status broken_prepare(const gp_provider *provider, const gp_request *request, gp_upstream *out,
                                gp_call **call, gp_error *error) {
  gp_status status = sound_prepare(provider, request, out, call, error);
  out->headers = kBad;
  out->header_count = sizeof kBad / sizeof kBad[0];
  return status;
}
#define PREPARE broken_prepare

#include "entry.h"
