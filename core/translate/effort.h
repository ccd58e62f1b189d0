// Reasoning effort between the protocols (wire-formats 0.5): words, budgets, levels. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "translate/model.h"
#include "translate/profile.h"

namespace gproxy::translate {

std::optional<Effort> parse_effort(std::string_view word);
std::string_view name(Effort effort);
Effort effort_of_budget(int64_t tokens);
// The wanted effort or the nearest that is allowed (lower first, then higher); unset if none is.
Effort nearest_allowed(Effort wanted, EffortSet allowed);

// Chat and Responses: the word to send, empty = omit.
std::string_view openai_effort(const Reasoning& reasoning, const Profile& profile);

// Claude: what to put into `thinking` and `output_config.effort`.
struct ClaudeThinking {
  enum class Type : uint8_t { omit, enabled, adaptive, disabled };
  Type type = Type::omit;
  int64_t budget = 0;
  std::string_view effort;   // output_config.effort, empty = omit
  std::string_view display;  // "summarized", "omitted" or empty
  int64_t max_tokens = 0;    // maybe raised
  bool on() const { return type == Type::enabled || type == Type::adaptive; }
};
struct ClaudeThinkingFacts {
  int64_t max_tokens = 0;
  bool max_tokens_given = false;     // by the client
  bool forced_tool = false;          // tool_choice any or tool
  bool tool_turn_without_thinking = false;  // the last assistant tool turn has no thinking block
};
ClaudeThinking claude_thinking(const Reasoning& reasoning, const Profile& profile,
                               const ClaudeThinkingFacts& facts);

// Gemini: thinkingConfig.
struct GeminiThinking {
  bool any = false;
  std::optional<int64_t> budget;  // never together with level
  std::string_view level;
  bool include_thoughts = false;
};
GeminiThinking gemini_thinking(const Reasoning& reasoning, const Profile& profile);

}  // namespace gproxy::translate
