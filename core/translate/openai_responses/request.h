// Requests of OpenAI Responses. Pure; see codec.h.
#pragma once

#include "translate/codec.h"

namespace gproxy::translate::openai_responses {

Result<Request*> decode_request(const json::Value& body, DecodeContext& context);
Result<json::Value> encode_request(Request& request, EncodeContext& context);

}  // namespace gproxy::translate::openai_responses
