/* SPDX-License-Identifier: MIT
 *
 * A number of routes that cannot be. */
#define ID "route-count"
#include "sound.h"

static gp_status broken_create(gp_str kind, gp_str name, gp_str settings, gp_instance *out, gp_error *error) {
  gp_status status = sound_create(kind, name, settings, out, error);
  out->route_count = ~(size_t)0;
  return status;
}
#define CREATE broken_create

#include "entry.h"
