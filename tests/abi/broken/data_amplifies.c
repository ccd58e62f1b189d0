/* SPDX-License-Identifier: MIT
 *
 * data turns each byte into a megabyte, in one call. */
#define ID "data-amplifies"
#include "sound.h"

static gp_status broken_data(gp_call *call, gp_str in, uint32_t flags, const gp_sink *sink) {
  static char block[65536];
  (void)call, (void)flags;
  memset(block, 'x', sizeof block);
  for (size_t i = 0; i < in.len * 16; ++i) {
    gp_str out = {block, sizeof block};
    gp_status status = sink->write(sink->ctx, out);
    if (status != GP_OK) return status;
  }
  return GP_OK;
}
#define DATA broken_data

#include "entry.h"
