/* SPDX-License-Identifier: MIT
 *
 * head puts a line end into a response header. */
#define ID "head-crlf"
#include "sound.h"

static gp_status broken_head(gp_call *call, const gp_head *in, gp_head *out) {
  static const gp_header kBad[] = {{STR("x-note"), STR("a\r\n\r\n<html>")}};
  (void)call, (void)in;
  out->headers = kBad;
  out->header_count = 1;
  return GP_OK;
}
#define HEAD broken_head

#include "entry.h"
