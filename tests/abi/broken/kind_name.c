/* SPDX-License-Identifier: MIT
 *
 * A kind whose name is not a name. */
#define ID "kind-name"
#define KIND_NAME STR("Broken Kind/../x")
#include "sound.h"

#include "entry.h"
