/* SPDX-License-Identifier: MIT
 *
 * init refuses the host. */
#define ID "init-fails"
#include "sound.h"

static gp_status broken_init(const gp_host *host, gp_error *error) {
  (void)host;
  error->message = LITERAL("this host is not good enough");
  return GP_ERR_UNSUPPORTED;
}
#define INIT broken_init

#include "entry.h"
