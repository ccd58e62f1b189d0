// Token usage between the neutral counters and the four protocols (wire-formats 3.0.3). Pure.
#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"
#include "translate/model.h"

namespace gproxy::translate {

// Counters that agree with each other: parts no larger than their whole (some servers send such).
// The writers settle by themselves, since a stream's counters may come apart.
TokenUsage settled(TokenUsage usage);

// Each reads one protocol's usage object into `usage`, overwriting what the object says and leaving
// the rest (usage in streams is cumulative). Null and negative counters are 0.
void read_chat_usage(const json::Value& object, TokenUsage& usage);
void read_responses_usage(const json::Value& object, TokenUsage& usage);
void read_gemini_usage(const json::Value& object, TokenUsage& usage);

// Claude counts uncached input, so the total needs all three counters, which may come apart.
struct ClaudeUsage {
  int64_t input = 0, read = 0, write = 0;
};
void read_claude_usage(const json::Value& object, ClaudeUsage& parts, TokenUsage& usage);

// Each writes the protocol's usage object. Chat and Gemini omit it when usage is unknown: callers
// ask usage.known first. Responses writes zeros.
void write_chat_usage(json::Writer& w, const TokenUsage& usage);
void write_responses_usage(json::Writer& w, const TokenUsage& usage);
void write_gemini_usage(json::Writer& w, const TokenUsage& usage);

// Claude's full object (a message, message_start) and the cumulative one of message_delta.
enum class ClaudeUsageForm : uint8_t { message, delta };
// `estimated_input` and `estimated_output` stand in where usage is unknown: Claude clients need it.
void write_claude_usage(json::Writer& w, const TokenUsage& usage, ClaudeUsageForm form,
                        int64_t estimated_input, int64_t estimated_output);

}  // namespace gproxy::translate
