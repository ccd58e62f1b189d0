/* SPDX-License-Identifier: MIT
 *
 * gproxy.json/1 (host): reading JSON without building anything, so that modules need no JSON library and
 * edit bodies by splices (gp_splice) instead of writing them anew. Texts stay where they are; nodes are
 * positions in them. Numbers are text. The host's limits on size and depth hold.
 *
 * All functions but validate REQUIRE valid JSON: request bodies, settings and credentials that the host
 * hands out are; other texts must pass validate first. Given something else they answer GP_ERR_INVALID or
 * nonsense within the text, never more.
 */
#ifndef GPROXY_EXT_JSON_H
#define GPROXY_EXT_JSON_H

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GP_EXT_JSON "gproxy.json/1"

#define GP_NODE_FOUND 0x1u   /* the node stands in the text */
#define GP_NODE_ESCAPED 0x2u /* a string with escapes */

/* Frozen value types. */
typedef struct gp_json_node { /* a value */
  size_t at;                  /* first byte; a string's quotes are part of it */
  size_t len;
  int32_t type;   /* GP_JSON_* */
  uint32_t flags; /* GP_NODE_* */
} gp_json_node;

typedef struct gp_json_member { /* a member of an object, or an element of an array */
  gp_json_node key;             /* its name, a string; zero for array elements */
  gp_json_node value;
} gp_json_member;

typedef struct gp_json_ext {
  uint32_t size;
  uint32_t flags; /* none defined, 0 */

  /* [any] Checks grammar, UTF-8, escapes, size and depth of the whole text; fills error (static texts)
   * and answers GP_ERR_INVALID or GP_ERR_TOO_LARGE. *root (may be NULL) gets the top-level value. */
  gp_status (*validate)(gp_str text, gp_json_node *root, gp_error *error);

  /* [any] Finds `count` values (up to 64) in one pass: pointers[i] is a JSON Pointer (RFC 6901: "/a/0/b",
   * ~1 for '/', ~0 for '~', "" for the top-level value); out[i] gets its node, or a zero node (without
   * GP_NODE_FOUND). Of members with equal names the last counts. Segments are compared with decoded
   * names; on arrays they are decimal indices. */
  gp_status (*index)(gp_str text, const gp_str *pointers, size_t count, gp_json_node *out);

  /* [any] One value by JSON Pointer, read: *value gets a string's decoded text (in the arena where it has
   * escapes, else in `text`), for everything else its bytes in `text`. *type (may be NULL) gets its type.
   * GP_ERR_NOT_FOUND if there is none. */
  gp_status (*get)(gp_arena *arena, gp_str text, gp_str pointer, int32_t *type, gp_str *value);

  /* [any] The first member or element of `container`, an array or object node of `text`.
   * GP_ERR_NOT_FOUND if it is empty or no container. */
  gp_status (*first)(gp_str text, const gp_json_node *container, gp_json_member *out);

  /* [any] The one after *member, in place. GP_ERR_NOT_FOUND after the last. */
  gp_status (*next)(gp_str text, const gp_json_node *container, gp_json_member *member);

  /* [any] The decoded text of a string node: in `text` itself where it has no escapes, else in the arena. */
  gp_status (*decode)(gp_arena *arena, gp_str text, const gp_json_node *node, gp_str *out);

  /* [any] `raw` as a JSON string with its quotes, in the arena. Invalid UTF-8 is replaced by U+FFFD. */
  gp_status (*quote)(gp_arena *arena, gp_str raw, gp_str *out);
} gp_json_ext;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* GPROXY_EXT_JSON_H */
