/* SPDX-License-Identifier: MIT
 *
 * A number of splices that cannot be. */
#define ID "splice-count"
#include "sound.h"

static gp_status broken_prepare(const gp_provider *provider, const gp_request *request, gp_upstream *out,
                                gp_call **call, gp_error *error) {
  gp_status status = sound_prepare(provider, request, out, call, error);
  static const gp_splice one = {0, 0, STR("a")};
  out->splices = &one;
  out->splice_count = ~(size_t)0;
  return status;
}
#define PREPARE broken_prepare

#include "entry.h"
