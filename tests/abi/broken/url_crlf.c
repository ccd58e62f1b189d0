/* SPDX-License-Identifier: MIT
 *
 * A URL with a line end. */
#define ID "url-crlf"
#include "sound.h"

static gp_status broken_prepare(const gp_provider *provider, const gp_request *request, gp_upstream *out,
                                gp_call **call, gp_error *error) {
  gp_status status = sound_prepare(provider, request, out, call, error);
  out->url = LITERAL("http://127.0.0.1:9/ HTTP/1.1\r\nx: y");
  return status;
}
#define PREPARE broken_prepare

#include "entry.h"
