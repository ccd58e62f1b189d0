/* SPDX-License-Identifier: MIT
 *
 * A number of kinds that cannot be. */
#define ID "kind-count"
#define KIND_COUNT (~(size_t)0)
#include "sound.h"

#include "entry.h"
