// Protocols and operations. The numbers are the ABI's (sdk/c/gproxy/abi.h: GP_PROTOCOL_*, GP_OP_*);
// modhost asserts that they agree. Shared ground: changed in a commit of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace gproxy::translate {

enum class Protocol : int32_t {
  none = 0,
  claude = 1,
  openai_chat = 2,
  openai_response = 3,
  gemini = 4,
  openai = 5,  // model lists, input_tokens, Responses sub-resources
};

enum class Operation : int32_t {
  none = 0,
  generate = 1,
  stream_generate = 2,
  count_tokens = 3,
  model_list = 4,
  model_get = 5,
  response_get = 6,
  response_delete = 7,
  response_cancel = 8,
  response_input_items = 9,
  response_compact = 10,
  memory_trace_summarize = 11,
  oauth_start = 12,
  oauth_callback = 13,
  usage = 14,
};

// "claude", "openai_chat", "openai_response", "gemini", "openai".
std::string_view name(Protocol protocol);
std::optional<Protocol> parse_protocol(std::string_view name);
// The reference's operation names: "GenerateContent", "StreamGenerateContent", "CountTokens", …
std::string_view name(Operation operation);

constexpr bool is_generate(Operation op) {
  return op == Operation::generate || op == Operation::stream_generate;
}
// Errors of the basic OpenAI operations, of chat and of Responses have one shape.
constexpr bool is_openai(Protocol p) {
  return p == Protocol::openai || p == Protocol::openai_chat || p == Protocol::openai_response;
}

}  // namespace gproxy::translate
