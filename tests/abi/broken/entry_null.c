/* SPDX-License-Identifier: MIT
 *
 * The entry function answers NULL. */
#define ID "entry-null"
#define NO_ENTRY 1
#include "sound.h"

#include "entry.h"

GP_EXPORT const gp_entry *GP_ENTRY_1(void) {
  (void)kEntry;
  return NULL;
}
