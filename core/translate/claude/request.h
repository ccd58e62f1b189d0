// Requests of Claude Messages. Pure; see codec.h.
#pragma once

#include "translate/codec.h"

namespace gproxy::translate::claude {

Result<Request*> decode_request(const json::Value& body, DecodeContext& context);
Result<json::Value> encode_request(Request& request, EncodeContext& context);

}  // namespace gproxy::translate::claude
