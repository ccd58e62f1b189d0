/* SPDX-License-Identifier: MIT
 *
 * create answers a number that means nothing. */
#define ID "create-unknown"
#include "sound.h"

static gp_status broken_create(gp_str kind, gp_str name, gp_str settings, gp_instance *out, gp_error *error) {
  gp_status status = sound_create(kind, name, settings, out, error);
  status = -12345;
  return status;
}
#define CREATE broken_create

#include "entry.h"
