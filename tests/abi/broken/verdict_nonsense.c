/* SPDX-License-Identifier: MIT
 *
 * classify answers numbers and texts that mean nothing. */
#define ID "verdict-nonsense"
#include "sound.h"

static gp_status broken_classify(const gp_provider *provider, gp_call *call, const gp_failure *failure,
                                 gp_verdict *verdict) {
  (void)provider, (void)call, (void)failure;
  verdict->action = 77;
  verdict->scope = -5;
  verdict->until_ms = INT64_MAX;
  verdict->reason.ptr = "x";
  verdict->reason.len = HUGE_LEN;
  return GP_OK;
}
#define CLASSIFY broken_classify

#include "entry.h"
