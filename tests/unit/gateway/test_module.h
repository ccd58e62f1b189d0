// A module for the gateway's tests, linked in: kinds without quirks whose behaviour a test can read
// off the request it sees.
//   plain    native for everything; a credential {"Test":{"api_key":"k"}}; sends it as bearer token
//   keyless  the same without a credential
//   buffered as keyless, with a body hook that appends " " to JSON bodies
//   talker   LOCAL for chat: whole, or streamed in three pieces of which the second waits 5 ms
//   counter  LOCAL counts for all protocols, planned by the model's name ("estimate", "encoding:x",
//            "file:x", "url:x"; "url+bearer:x" sends the token "hf-secret")
//   expiring as plain; prepare refuses keys that begin with "old", a refresh makes "new-N" of them
#pragma once

#include "gproxy/abi.h"

namespace gproxy::gateway::test {

const gp_entry* test_module();
// How often a refresh machine was started.
int refreshes();
// Calls that were set and not released yet.
int live_calls();

}  // namespace gproxy::gateway::test
