/* SPDX-License-Identifier: MIT
 *
 * A required hook is NULL. */
#define ID "null-hook"
#define PREPARE NULL
#include "sound.h"

#include "entry.h"
