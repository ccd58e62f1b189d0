/* SPDX-License-Identifier: MIT
 *
 * Only the next major's entry is exported: what it returns is nothing that this host knows. */
__attribute__((visibility("default"))) const void *gproxy_entry_2(void);
const void *gproxy_entry_2(void) { return (const void *)0x10; }
