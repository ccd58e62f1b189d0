/* SPDX-License-Identifier: MIT
 *
 * Routes are counted but missing. */
#define ID "null-routes"
#include "sound.h"

static gp_status broken_create(gp_str kind, gp_str name, gp_str settings, gp_instance *out, gp_error *error) {
  gp_status status = sound_create(kind, name, settings, out, error);
  out->routes = NULL;
  return status;
}
#define CREATE broken_create

#include "entry.h"
