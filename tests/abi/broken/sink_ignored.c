/* SPDX-License-Identifier: MIT
 *
 * data writes on after the sink has refused, and then claims success. */
#define ID "sink-ignored"
#include "sound.h"

static gp_status broken_data(gp_call *call, gp_str in, uint32_t flags, const gp_sink *sink) {
  (void)call, (void)flags;
  for (int i = 0; i < 1000; ++i) sink->write(sink->ctx, in);
  return GP_OK;
}
#define DATA broken_data

#include "entry.h"
