/* SPDX-License-Identifier: MIT
 *
 * A module without kinds. */
#define ID "no-kinds"
#define KIND_COUNT 0
#include "sound.h"

#include "entry.h"
