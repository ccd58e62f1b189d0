/* SPDX-License-Identifier: MIT
 *
 * gproxy.crypto/1 (host): what modules need of cryptography, so that they link no library for it.
 */
#ifndef GPROXY_EXT_CRYPTO_H
#define GPROXY_EXT_CRYPTO_H

#include "../abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GP_EXT_CRYPTO "gproxy.crypto/1"

typedef struct gp_crypto_ext {
  uint32_t size;
  uint32_t flags; /* none defined, 0 */

  /* [any] Fills `len` bytes with cryptographically secure random bytes. */
  gp_status (*random)(void *out, size_t len);

  /* [any] SHA-256 of `data` into 32 bytes at `out`. */
  gp_status (*sha256)(gp_str data, uint8_t *out);

  /* [any] HMAC-SHA-256 into 32 bytes at `out`. */
  gp_status (*hmac_sha256)(gp_str key, gp_str data, uint8_t *out);

  /* [any] RSASSA-PKCS1-v1_5 with SHA-256 (JWT's RS256) of `data` under a PKCS#8 or PKCS#1 private key in
   * PEM; *signature gets the raw bytes, in the arena. GP_ERR_INVALID if the key is not one. Takes
   * milliseconds: call it in a COMPUTE step. */
  gp_status (*rs256_sign)(gp_arena *arena, gp_str pem, gp_str data, gp_str *signature);

  /* [any] Base64 with the URL alphabet and without padding (RFC 4648 5), in the arena. */
  gp_status (*base64url_encode)(gp_arena *arena, gp_str bytes, gp_str *out);

  /* [any] The inverse; takes both alphabets, with or without padding. GP_ERR_INVALID otherwise. */
  gp_status (*base64url_decode)(gp_arena *arena, gp_str text, gp_str *out);
} gp_crypto_ext;

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* GPROXY_EXT_CRYPTO_H */
