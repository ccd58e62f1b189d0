/* SPDX-License-Identifier: MIT
 *
 * A settings schema that is not JSON. */
#define ID "bad-schema"
#define SETTINGS_SCHEMA STR("{\"type\":")
#include "sound.h"

#include "entry.h"
