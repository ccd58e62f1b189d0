/* SPDX-License-Identifier: MIT
 *
 * A credential whose identity is longer than memory. */
#define ID "credential-nonsense"
#include "sound.h"

static gp_status broken_open(const gp_provider *provider, gp_str json, gp_credential_info *out,
                             gp_error *error) {
  gp_status status = sound_open(provider, json, out, error);
  out->identity.ptr = "x";
  out->identity.len = HUGE_LEN;
  out->size = 0;
  return status;
}
#define OPEN broken_open

#include "entry.h"
