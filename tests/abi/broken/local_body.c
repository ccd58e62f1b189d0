/* SPDX-License-Identifier: MIT
 *
 * A local body longer than memory. */
#define ID "local-body"
#include "sound.h"

static const gp_route kLocalRoutes[] = {{GP_PROTOCOL_OPENAI_CHAT, GP_OP_GENERATE, GP_ROUTE_LOCAL, 0},
                                        {GP_PROTOCOL_OPENAI_CHAT, GP_OP_STREAM_GENERATE, GP_ROUTE_LOCAL, 0}};
static gp_status broken_create(gp_str kind, gp_str name, gp_str settings, gp_instance *out, gp_error *error) {
  gp_status status = sound_create(kind, name, settings, out, error);
  out->routes = kLocalRoutes;
  out->route_count = 2;
  return status;
}
#define CREATE broken_create

static gp_status broken_respond(const gp_provider *provider, const gp_request *request, gp_local *out,
                                gp_call **call, gp_error *error) {
  (void)provider, (void)request, (void)error;
  out->status = 200;
  out->headers = kSoundHeaders;
  out->header_count = 1;
  out->body.ptr = "x";
  out->body.len = HUGE_LEN;
  (void)call;
  return GP_OK;
}

static gp_status broken_next(gp_call *call, gp_piece *out) {
  (void)call;
  (void)out;
  return GP_OK;
}

static const gp_local_ext kLocalExt = {sizeof(gp_local_ext), 0, broken_respond, broken_next, sound_release};
static const void *broken_extension(gp_str id) {
  return id.len == sizeof GP_EXT_LOCAL - 1 && memcmp(id.ptr, GP_EXT_LOCAL, id.len) == 0 ? &kLocalExt : NULL;
}
#define EXTENSION broken_extension

#include "entry.h"
