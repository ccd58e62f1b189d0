/* SPDX-License-Identifier: MIT
 *
 * The body is replaced and spliced at once. */
#define ID "body-and-splices"
#include "sound.h"

static const gp_splice kSplices[] = {{0, 0, STR("a")}};
static gp_status broken_prepare(const gp_provider *provider, const gp_request *request, gp_upstream *out,
                                gp_call **call, gp_error *error) {
  gp_status status = sound_prepare(provider, request, out, call, error);
  out->splices = kSplices;
  out->splice_count = sizeof kSplices / sizeof kSplices[0];
  out->body = LITERAL("{}");
  return status;
}
#define PREPARE broken_prepare

#include "entry.h"
