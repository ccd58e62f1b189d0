// What an account's tokens say about it. Claims are read without checking the signature: they came
// from the issuer's own endpoint, or are only shown.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/steps.h"
#include "common/text.h"

namespace gproxy_codex {

struct Claims {
  std::string_view email, account_id, plan;
  int64_t access_expires_at = 0;  // UNIX time in seconds, 0 = not told
};
Claims read_claims(const gp::StepIn& in, std::string_view id_token, std::string_view access_token);

// UNIX time in seconds; 0 = nobody says.
int64_t expires_at(const gp::StepIn& in, const gproxy_common::TokenReply& tokens,
                   const Claims& claims);

}  // namespace gproxy_codex
