/* SPDX-License-Identifier: MIT
 *
 * The sound half of every broken module: a kind that would work, made of functions that each file replaces
 * one of. Order in a file: #define ID, #include "sound.h", the broken function, #define what it replaces,
 * #include "entry.h". */
#ifndef BROKEN_SOUND_H
#define BROKEN_SOUND_H

#include <stdlib.h>
#include <string.h>

#include "gproxy/abi.h"
#include "gproxy/ext/credential.h"
#include "gproxy/ext/local.h"

#define UNUSED __attribute__((unused))
#define STR(literal) \
  { literal, sizeof(literal) - 1 }
#define LITERAL(text) ((gp_str)STR(text))
#define HUGE_LEN ((size_t)1 << 62)

static const gp_host *g_host;

struct gp_provider {
  int unused;
};
struct gp_credential {
  int unused;
};
struct gp_call {
  int unused;
};

static struct gp_provider g_provider UNUSED;
static struct gp_credential g_credential UNUSED;

static const gp_route kSoundRoutes[] UNUSED = {
    {GP_PROTOCOL_OPENAI_CHAT, GP_OP_GENERATE, GP_ROUTE_NATIVE, 0},
    {GP_PROTOCOL_OPENAI_CHAT, GP_OP_STREAM_GENERATE, GP_ROUTE_NATIVE, 0},
};
static const gp_header kSoundHeaders[] UNUSED = {{STR("content-type"), STR("application/json")}};

static UNUSED gp_status sound_create(gp_str kind, gp_str name, gp_str settings, gp_instance *out,
                                     gp_error *error) {
  (void)kind, (void)name, (void)settings, (void)error;
  out->provider = &g_provider;
  out->routes = kSoundRoutes;
  out->route_count = sizeof kSoundRoutes / sizeof kSoundRoutes[0];
  return GP_OK;
}

static UNUSED void sound_destroy(gp_provider *provider) { (void)provider; }

static UNUSED gp_status sound_open(const gp_provider *provider, gp_str json, gp_credential_info *out,
                                   gp_error *error) {
  (void)provider, (void)json, (void)error;
  out->credential = &g_credential;
  return GP_OK;
}

static UNUSED void sound_close(gp_credential *credential) { (void)credential; }

static UNUSED gp_status sound_prepare(const gp_provider *provider, const gp_request *request,
                                      gp_upstream *out, gp_call **call, gp_error *error) {
  (void)provider, (void)error;
  out->url = LITERAL("http://127.0.0.1:9/v1/chat/completions");
  out->headers = kSoundHeaders;
  out->header_count = 1;
  if (request->operation == GP_OP_STREAM_GENERATE) out->flags |= GP_UPSTREAM_STREAM;
  *call = calloc(1, sizeof **call);
  return *call == NULL ? GP_ERR_NO_MEMORY : GP_OK;
}

static UNUSED void sound_release(gp_call *call) { free(call); }

static UNUSED gp_status sound_init(const gp_host *host, gp_error *error) {
  (void)error;
  g_host = host;
  return GP_OK;
}

static UNUSED void sound_deinit(void) { g_host = NULL; }

#endif
