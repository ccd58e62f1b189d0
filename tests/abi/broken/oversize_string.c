/* SPDX-License-Identifier: MIT
 *
 * A string longer than memory. */
#define ID "oversize-string"
#define INFO_NAME \
  { "x", HUGE_LEN }
#include "sound.h"

#include "entry.h"
