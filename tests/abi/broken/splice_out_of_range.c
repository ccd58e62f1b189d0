/* SPDX-License-Identifier: MIT
 *
 * A splice behind the end of the body; its end wraps around. */
#define ID "splice-out-of-range"
#include "sound.h"

static const gp_splice kSplices[] = {{1, ~(size_t)0, STR("a")}};
static gp_status broken_prepare(const gp_provider *provider, const gp_request *request, gp_upstream *out,
                                gp_call **call, gp_error *error) {
  gp_status status = sound_prepare(provider, request, out, call, error);
  out->splices = kSplices;
  out->splice_count = sizeof kSplices / sizeof kSplices[0];
  return status;
}
#define PREPARE broken_prepare

#include "entry.h"
