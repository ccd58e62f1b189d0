/* SPDX-License-Identifier: MIT
 *
 * A route row with a protocol that does not exist. */
#define ID "bad-route"
#include "sound.h"

static const gp_route kBad[] = {{77, GP_OP_GENERATE, GP_ROUTE_NATIVE, 0}};
static gp_status broken_create(gp_str kind, gp_str name, gp_str settings, gp_instance *out, gp_error *error) {
  gp_status status = sound_create(kind, name, settings, out, error);
  out->routes = kBad;
  out->route_count = 1;
  return status;
}
#define CREATE broken_create

#include "entry.h"
