/* SPDX-License-Identifier: MIT
 *
 * A LOCAL row in a module without gproxy.local/1. */
#define ID "local-without-extension"
#include "sound.h"

static const gp_route kLocalRow[] = {{GP_PROTOCOL_CLAUDE, GP_OP_GENERATE, GP_ROUTE_LOCAL, 0}};
static gp_status broken_create(gp_str kind, gp_str name, gp_str settings, gp_instance *out, gp_error *error) {
  gp_status status = sound_create(kind, name, settings, out, error);
  out->routes = kLocalRow;
  out->route_count = 1;
  return status;
}
#define CREATE broken_create

#include "entry.h"
