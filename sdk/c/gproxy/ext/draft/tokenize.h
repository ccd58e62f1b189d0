/* SPDX-License-Identifier: MIT
 *
 * DRAFT: no part of ABI 1.0, may change or go. No host offers it yet: a module that asks gets NULL.
 *
 * gproxy.tokenize/1 (host): token counts inside a module. Modules whose counts the host can
 * make name a tokenizer through gproxy.count/1 instead, which loads it off the loop.
 */
#ifndef GPROXY_EXT_DRAFT_TOKENIZE_H
#define GPROXY_EXT_DRAFT_TOKENIZE_H

#include "../../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GP_EXT_TOKENIZE "gproxy.tokenize/1"

typedef struct gp_tokenizer gp_tokenizer; /* host's: an opened vocabulary, shared and immutable */

typedef struct gp_tokenize_ext {
  uint32_t size;
  uint32_t flags; /* none defined, 0 */

  /* [any] Tokens of `text` in a built-in encoding ("o200k_base", "cl100k_base"). GP_ERR_NOT_FOUND for an
   * encoding that the host does not have. */
  gp_status (*count)(gp_str encoding, gp_str text, uint64_t *tokens);

  /* [main] Opens a vocabulary file (tokenizer.json or BPE ranks) below the host's data directory; `path`
   * is relative and has no "..". To be closed in destroy. */
  gp_status (*open)(gp_str path, gp_tokenizer **out, gp_error *error);

  /* [main] */
  void (*close)(gp_tokenizer *tokenizer);

  /* [any] Tokens of `text` in an opened vocabulary. */
  gp_status (*count_with)(const gp_tokenizer *tokenizer, gp_str text, uint64_t *tokens);
} gp_tokenize_ext;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* GPROXY_EXT_DRAFT_TOKENIZE_H */
