// SPDX-License-Identifier: MIT
//
// gproxy.crypto/1 for tests: real SHA-256, HMAC and base64url; a random source that counts, so that
// tests repeat; an RS256 "signature" that is the HMAC of the data under the PEM text. Not for
// secrets.
#pragma once

#include <string>
#include <string_view>

#include "gproxy/ext/crypto.h"

namespace gp::testing {

const gp_crypto_ext* fake_crypto();
std::string sha256_hex(std::string_view data);
// The fake's random bytes begin again.
void reset_random();

}  // namespace gp::testing
