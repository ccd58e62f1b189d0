/* SPDX-License-Identifier: MIT
 *
 * Built for another major: nothing behind abi_major may be read, so it is poison. */
#define ID "wrong-major"
#define NO_ENTRY 1
#include "sound.h"

#include "entry.h"

static const gp_entry kOther = {.size = sizeof(gp_entry),
                                .abi_major = 99,
                                .abi_minor = 7,
                                .info = (const gp_info *)(uintptr_t)0x10,
                                .provider = (const gp_provider_vt *)(uintptr_t)0x10};

GP_EXPORT const gp_entry *GP_ENTRY_1(void) {
  (void)kEntry;
  return &kOther;
}
