/* SPDX-License-Identifier: MIT
 *
 * The same route row twice. */
#define ID "duplicate-route"
#include "sound.h"

static const gp_route kTwice[] = {{GP_PROTOCOL_CLAUDE, GP_OP_GENERATE, GP_ROUTE_NATIVE, 0},
                                  {GP_PROTOCOL_CLAUDE, GP_OP_GENERATE, GP_ROUTE_UNSUPPORTED, 0}};
static gp_status broken_create(gp_str kind, gp_str name, gp_str settings, gp_instance *out, gp_error *error) {
  gp_status status = sound_create(kind, name, settings, out, error);
  out->routes = kTwice;
  out->route_count = 2;
  return status;
}
#define CREATE broken_create

#include "entry.h"
