/* SPDX-License-Identifier: MIT
 *
 * gproxy.thread-check/1 (host): which thread am I on? For assertions in debug builds of a module.
 */
#ifndef GPROXY_EXT_THREAD_CHECK_H
#define GPROXY_EXT_THREAD_CHECK_H

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GP_EXT_THREAD_CHECK "gproxy.thread-check/1"

typedef struct gp_thread_check_ext {
  uint32_t size;
  uint32_t flags; /* none defined, 0 */

  /* [any] 1 on the host's main thread, else 0. */
  int32_t (*is_main)(void);

  /* [any] 1 on the loop that `call` belongs to, else 0. */
  int32_t (*is_loop_of)(const gp_call *call);
} gp_thread_check_ext;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* GPROXY_EXT_THREAD_CHECK_H */
