// A whole answer told as a stream of its own protocol, for clients that asked for a stream of a
// provider that only answers whole (wire-formats 4.5): members, items, blocks and words that this
// code does not know survive. Pure; one answer, on its loop.
#pragma once

#include <string>
#include <string_view>

#include "base/arena.h"
#include "base/json.h"
#include "translate/codec.h"

namespace gproxy::translate {

// Appends the stream to `out`, with `model` in the protocol's member where it is not empty. False
// (and nothing written): `answer` has no such shape. `request` says how the client reads streams.
bool split_native(const json::Value& answer, const RequestContext& request, std::string_view model,
                  Arena& arena, std::string& out);

}  // namespace gproxy::translate
