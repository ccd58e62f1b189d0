// A module for tests of logins, refreshes and quotas, linked in. Kind "account", credential
// {"Test":{"api_key":"k","account":"a","expires_at_ms":1}}: refreshable, "account" is its identity,
// "incomplete" in the text makes it so. Chat, Responses and response_get go to https://vendor.test
// (setting base_url) with the key as bearer token. Tests of the binary load it as a file.
//   start     replies with auth_url and state; the flow is "verifier"
//   callback  ?poll: 409 and waits on; no code: 400 "missing code"; else fetches
//             /token?code=…&verifier=<flow>&state=<state>; a 200's body is the credential
//   refresh   fetches /refresh?key=<api_key>; a 200's body is the credential, 400 is definitive
//   quota     fetches /quota
#pragma once

#include "gproxy/abi.h"

namespace gproxy::gateway::test {

const gp_entry* account_module();

}  // namespace gproxy::gateway::test
