/* SPDX-License-Identifier: MIT
 *
 * Sound, but of a newer minor: its tables are longer than ours, and it has a row with numbers that we do not
 * know. */
#include <stddef.h>

#define ID "newer-minor"
#include "sound.h"

static const gp_route kNewerRoutes[] = {
    {GP_PROTOCOL_OPENAI_CHAT, GP_OP_GENERATE, GP_ROUTE_NATIVE, 0},
    {GP_PROTOCOL_OPENAI_CHAT, GP_OP_STREAM_GENERATE, GP_ROUTE_NATIVE, 0},
    {77, 99, GP_ROUTE_NATIVE, 0},
};
static gp_status newer_create(gp_str kind, gp_str name, gp_str settings, gp_instance *out,
                              gp_error *error) {
  const gp_status status = sound_create(kind, name, settings, out, error);
  out->routes = kNewerRoutes;
  out->route_count = sizeof kNewerRoutes / sizeof kNewerRoutes[0];
  return status;
}
#define CREATE newer_create
#define NO_ENTRY 1
#define MINOR 99
#include "entry.h"

static const struct {
  gp_provider_vt known;
  void (*newer_hook)(void);
} kLongTable = {.known = {.size = sizeof kLongTable,
                          .create = newer_create,
                          .destroy = sound_destroy,
                          .credential_open = sound_open,
                          .credential_close = sound_close,
                          .prepare = sound_prepare,
                          .release = sound_release}};
static const struct {
  gp_entry known;
  const void *newer_field;
} kLongEntry = {.known = {.size = sizeof kLongEntry,
                          .abi_major = GP_ABI_MAJOR,
                          .abi_minor = 99,
                          .info = &kInfo,
                          .provider = &kLongTable.known,
                          .init = sound_init,
                          .deinit = sound_deinit}};

GP_EXPORT const gp_entry *GP_ENTRY_1(void) {
  (void)kEntry;
  return &kLongEntry.known;
}
