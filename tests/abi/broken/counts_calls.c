/* SPDX-License-Identifier: MIT
 *
 * Sound, but it logs "prepared" and "released": a host that forgets release is found out. */
#define ID "counts-calls"
#include "sound.h"

static gp_status broken_prepare(const gp_provider *provider, const gp_request *request, gp_upstream *out,
                                gp_call **call, gp_error *error) {
  g_host->log(g_host, GP_LOG_INFO, LITERAL("prepared"));
  return sound_prepare(provider, request, out, call, error);
}
#define PREPARE broken_prepare

static void counting_release(gp_call *call) {
  g_host->log(g_host, GP_LOG_INFO, LITERAL("released"));
  sound_release(call);
}
#define RELEASE counting_release

#include "entry.h"
