/* SPDX-License-Identifier: MIT
 *
 * A TRANSLATE row whose target is not served. */
#define ID "translate-nowhere"
#include "sound.h"

static const gp_route kNowhere[] = {
    {GP_PROTOCOL_CLAUDE, GP_OP_GENERATE, GP_ROUTE_TRANSLATE, GP_PROTOCOL_GEMINI}};
static gp_status broken_create(gp_str kind, gp_str name, gp_str settings, gp_instance *out, gp_error *error) {
  gp_status status = sound_create(kind, name, settings, out, error);
  out->routes = kNowhere;
  out->route_count = 1;
  return status;
}
#define CREATE broken_create

#include "entry.h"
