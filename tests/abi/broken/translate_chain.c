/* SPDX-License-Identifier: MIT
 *
 * A TRANSLATE row whose target is a TRANSLATE row. */
#define ID "translate-chain"
#include "sound.h"

static const gp_route kChain[] = {
    {GP_PROTOCOL_CLAUDE, GP_OP_GENERATE, GP_ROUTE_TRANSLATE, GP_PROTOCOL_GEMINI},
    {GP_PROTOCOL_GEMINI, GP_OP_GENERATE, GP_ROUTE_TRANSLATE, GP_PROTOCOL_OPENAI_CHAT},
    {GP_PROTOCOL_OPENAI_CHAT, GP_OP_GENERATE, GP_ROUTE_NATIVE, 0},
};
static gp_status broken_create(gp_str kind, gp_str name, gp_str settings, gp_instance *out, gp_error *error) {
  gp_status status = sound_create(kind, name, settings, out, error);
  out->routes = kChain;
  out->route_count = 3;
  return status;
}
#define CREATE broken_create

#include "entry.h"
