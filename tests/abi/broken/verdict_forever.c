/* SPDX-License-Identifier: MIT
 *
 * classify cools the credential down for longer than the universe. */
#define ID "verdict-forever"
#include "sound.h"

static gp_status broken_classify(const gp_provider *provider, gp_call *call, const gp_failure *failure,
                                 gp_verdict *verdict) {
  (void)provider, (void)call, (void)failure;
  verdict->action = GP_ACTION_COOL_DOWN;
  verdict->until_ms = INT64_MAX;
  verdict->reason = LITERAL("forever");
  return GP_OK;
}
#define CLASSIFY broken_classify

#include "entry.h"
