/* SPDX-License-Identifier: MIT
 *
 * A library that exports nothing. */
int broken_no_entry_unused(void);
int broken_no_entry_unused(void) { return 0; }
