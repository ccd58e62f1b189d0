/* SPDX-License-Identifier: MIT
 *
 * Splices in the wrong order. */
#define ID "splice-order"
#include "sound.h"

static const gp_splice kSplices[] = {{2, 0, STR("a")}, {0, 0, STR("b")}};
static gp_status broken_prepare(const gp_provider *provider, const gp_request *request, gp_upstream *out,
                                gp_call **call, gp_error *error) {
  gp_status status = sound_prepare(provider, request, out, call, error);
  out->splices = kSplices;
  out->splice_count = sizeof kSplices / sizeof kSplices[0];
  return status;
}
#define PREPARE broken_prepare

#include "entry.h"
