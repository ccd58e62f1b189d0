/* SPDX-License-Identifier: MIT
 *
 * release is NULL although prepare sets calls. */
#define ID "null-release"
#define RELEASE NULL
#include "sound.h"

#include "entry.h"
