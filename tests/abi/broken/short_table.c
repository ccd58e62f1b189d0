/* SPDX-License-Identifier: MIT
 *
 * gp_provider_vt.size ends before the required hooks. */
#define ID "short-table"
#define TABLE_SIZE 24
#include "sound.h"

#include "entry.h"
