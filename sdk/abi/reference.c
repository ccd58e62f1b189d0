/* SPDX-License-Identifier: MIT
 *
 * Everything the ABI is made of, reachable from exported functions, so that a dump of this library
 * (tests/abi/check_abi) holds every type. Never loaded. */
#include "gproxy/abi.h"
#include "gproxy/ext/count.h"
#include "gproxy/ext/credential.h"
#include "gproxy/ext/crypto.h"
#include "gproxy/ext/json.h"
#include "gproxy/ext/limits.h"
#include "gproxy/ext/local.h"
#include "gproxy/ext/oauth.h"
#include "gproxy/ext/quota.h"
#include "gproxy/ext/thread_check.h"
#include "gproxy/ext/usage.h"

const gp_entry *gproxy_entry_1(void) { return 0; }

#define EXTENSION(name)                          \
  const gp_##name##_ext *reference_##name(void); \
  const gp_##name##_ext *reference_##name(void) { return 0; }

EXTENSION(count)
EXTENSION(credential)
EXTENSION(crypto)
EXTENSION(json)
EXTENSION(limits)
EXTENSION(local)
EXTENSION(oauth)
EXTENSION(quota)
EXTENSION(thread_check)
EXTENSION(usage)
