/* SPDX-License-Identifier: MIT
 *
 * data fails in the middle of a stream. */
#define ID "data-internal"
#include "sound.h"

static gp_status broken_data(gp_call *call, gp_str in, uint32_t flags, const gp_sink *sink) {
  (void)call, (void)in, (void)flags, (void)sink;
  return GP_ERR_INTERNAL;
}
#define DATA broken_data

#include "entry.h"
