/* SPDX-License-Identifier: MIT
 *
 * create fails without a word. */
#define ID "create-internal"
#include "sound.h"

static gp_status broken_create(gp_str kind, gp_str name, gp_str settings, gp_instance *out, gp_error *error) {
  gp_status status = sound_create(kind, name, settings, out, error);
  status = GP_ERR_INTERNAL;
  return status;
}
#define CREATE broken_create

#include "entry.h"
