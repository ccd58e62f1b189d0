/* SPDX-License-Identifier: MIT
 *
 * gp_entry.size is smaller than the first version's. */
#define ID "short-entry"
#define ENTRY_SIZE 16
#include "sound.h"

#include "entry.h"
