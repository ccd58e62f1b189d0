/* SPDX-License-Identifier: MIT
 *
 * head answers a status that is none. */
#define ID "head-status"
#include "sound.h"

static gp_status broken_head(gp_call *call, const gp_head *in, gp_head *out) {
  (void)call, (void)in;
  out->status = 99999;
  return GP_OK;
}
#define HEAD broken_head

#include "entry.h"
