#include "translate/claude/response_encode.h"

namespace gproxy::translate::claude {

std::string_view stop_reason(FinishReason reason, Protocol origin) {
  switch (reason) {
    case FinishReason::tool_calls:
      return "tool_use";
    case FinishReason::length:
      return "max_tokens";
    case FinishReason::context:
      return "model_context_window_exceeded";
    case FinishReason::stop_sequence:
      return "stop_sequence";
    case FinishReason::filtered:
      return "refusal";
    case FinishReason::pause:
      return origin == Protocol::claude ? "pause_turn" : "end_turn";
    default:
      return "end_turn";
  }
}

void write_stop_details(json::Writer& w, FinishReason reason, std::string_view category,
                        std::string_view explanation) {
  if (reason != FinishReason::filtered) {
    w.null();
    return;
  }
  w.begin_object();
  w.field("type", "refusal");
  w.key("category");
  category.empty() ? w.null() : w.string(category);
  w.key("explanation");
  explanation.empty() ? w.null() : w.string(explanation);
  w.end_object();
}

}  // namespace gproxy::translate::claude
