#include "translate/protocol.h"

namespace gproxy::translate {

std::string_view name(Protocol protocol) {
  switch (protocol) {
    case Protocol::none: return "none";
    case Protocol::claude: return "claude";
    case Protocol::openai_chat: return "openai_chat";
    case Protocol::openai_response: return "openai_response";
    case Protocol::gemini: return "gemini";
    case Protocol::openai: return "openai";
  }
  return "none";
}

std::optional<Protocol> parse_protocol(std::string_view text) {
  for (auto p : {Protocol::claude, Protocol::openai_chat, Protocol::openai_response, Protocol::gemini,
                 Protocol::openai}) {
    if (name(p) == text) return p;
  }
  return std::nullopt;
}

std::string_view name(Operation operation) {
  switch (operation) {
    case Operation::none: return "None";
    case Operation::generate: return "GenerateContent";
    case Operation::stream_generate: return "StreamGenerateContent";
    case Operation::count_tokens: return "CountTokens";
    case Operation::model_list: return "ModelList";
    case Operation::model_get: return "ModelGet";
    case Operation::response_get: return "ResponseGet";
    case Operation::response_delete: return "ResponseDelete";
    case Operation::response_cancel: return "ResponseCancel";
    case Operation::response_input_items: return "ResponseListInputItems";
    case Operation::response_compact: return "ResponseCompact";
    case Operation::memory_trace_summarize: return "MemoryTraceSummarize";
    case Operation::oauth_start: return "OAuthStart";
    case Operation::oauth_callback: return "OAuthCallback";
    case Operation::usage: return "Usage";
  }
  return "None";
}

}  // namespace gproxy::translate
