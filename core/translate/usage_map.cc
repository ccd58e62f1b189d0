#include "translate/usage_map.h"

#include <algorithm>

namespace gproxy::translate {

namespace {

int64_t clamp(int64_t n) {
  constexpr int64_t kMax = int64_t{1} << 53;  // what every client can read
  return n < 0 ? 0 : n > kMax ? kMax : n;
}

// Overwrites `to` when the member is there (null counts as 0).
bool take(const json::Value& object, std::string_view name, int64_t& to) {
  const auto* value = object.find(name);
  if (value == nullptr) return false;
  to = clamp(value->int_or(0));
  return !value->is_null();
}

}  // namespace

TokenUsage settled(TokenUsage usage) {
  usage.read = std::min(usage.read, usage.in_total);
  usage.write = std::min(usage.write, usage.in_total - usage.read);
  usage.reasoning = std::min(usage.reasoning, usage.out_total);
  usage.tool_prompt = std::min(usage.tool_prompt, usage.in_total);
  return usage;
}

namespace {

void read_openai(const json::Value& object, std::string_view in, std::string_view in_details,
                 std::string_view out, std::string_view out_details, TokenUsage& usage) {
  if (!object.is_object()) return;
  usage.known = true;
  take(object, in, usage.in_total);
  take(object, out, usage.out_total);
  const auto& input = object[in_details];
  take(input, "cached_tokens", usage.read);
  take(input, "cache_write_tokens", usage.write);
  take(input, "audio_tokens", usage.audio_in);
  const auto& output = object[out_details];
  if (take(output, "reasoning_tokens", usage.reasoning)) usage.reasoning_known = true;
  // Reasoning beside the output instead of inside of it: see UsageScan::usage().
  if (const int64_t beside = clamp(output["reasoning_tokens"].int_or(0));
      beside > 0 && object[out].is_number() &&
      clamp(object["total_tokens"].int_or(0)) ==
          clamp(object[in].int_or(0)) + clamp(object[out].int_or(0)) + beside) {
    usage.out_total = clamp(usage.out_total + beside);
  }
  take(output, "audio_tokens", usage.audio_out);
  take(output, "accepted_prediction_tokens", usage.accepted_prediction);
  take(output, "rejected_prediction_tokens", usage.rejected_prediction);
}

}  // namespace

void read_chat_usage(const json::Value& object, TokenUsage& usage) {
  read_openai(object, "prompt_tokens", "prompt_tokens_details", "completion_tokens",
              "completion_tokens_details", usage);
}

void read_responses_usage(const json::Value& object, TokenUsage& usage) {
  read_openai(object, "input_tokens", "input_tokens_details", "output_tokens",
              "output_tokens_details", usage);
}

void read_claude_usage(const json::Value& object, ClaudeUsage& parts, TokenUsage& usage) {
  if (!object.is_object()) return;
  usage.known = true;
  // A null in message_delta means "as before", not zero.
  const auto update = [&object](std::string_view name, int64_t& to) {
    const auto* value = object.find(name);
    if (value != nullptr && !value->is_null()) to = clamp(value->int_or(0));
    return value != nullptr && !value->is_null();
  };
  update("input_tokens", parts.input);
  update("cache_read_input_tokens", parts.read);
  update("cache_creation_input_tokens", parts.write);
  update("output_tokens", usage.out_total);
  usage.in_total = clamp(parts.input + parts.read + parts.write);
  usage.read = parts.read;
  usage.write = parts.write;
  if (const auto& split = object["cache_creation"]; split.is_object()) {
    usage.write_split_known = true;
    take(split, "ephemeral_5m_input_tokens", usage.write_5m);
    take(split, "ephemeral_1h_input_tokens", usage.write_1h);
  }
  if (take(object["output_tokens_details"], "thinking_tokens", usage.reasoning)) {
    usage.reasoning_known = true;
  }
  const auto& server = object["server_tool_use"];
  take(server, "web_search_requests", usage.web_search);
  take(server, "web_fetch_requests", usage.web_fetch);
}

void read_gemini_usage(const json::Value& object, TokenUsage& usage) {
  if (!object.is_object()) return;
  const auto either = [&object](std::string_view camel, std::string_view snake) {
    const auto* value = object.find(camel);
    if (value == nullptr) value = object.find(snake);
    return value == nullptr ? int64_t{0} : clamp(value->int_or(0));
  };
  // The last object wins as a whole.
  TokenUsage now;
  now.known = true;
  now.tool_prompt = either("toolUsePromptTokenCount", "tool_use_prompt_token_count");
  now.in_total = clamp(either("promptTokenCount", "prompt_token_count") + now.tool_prompt);
  now.read = either("cachedContentTokenCount", "cached_content_token_count");
  now.reasoning = either("thoughtsTokenCount", "thoughts_token_count");
  now.reasoning_known = object.has("thoughtsTokenCount") || object.has("thoughts_token_count");
  now.out_total = clamp(either("candidatesTokenCount", "candidates_token_count") + now.reasoning);
  usage = now;
}

void write_chat_usage(json::Writer& w, const TokenUsage& said) {
  const TokenUsage usage = settled(said);
  w.begin_object();
  w.field("prompt_tokens", usage.in_total);
  w.field("completion_tokens", usage.out_total);
  w.field("total_tokens", usage.in_total + usage.out_total);
  w.key("prompt_tokens_details");
  w.begin_object();
  w.field("cached_tokens", usage.read);
  if (usage.write > 0) w.field("cache_write_tokens", usage.write);
  if (usage.audio_in > 0) w.field("audio_tokens", usage.audio_in);
  w.end_object();
  w.key("completion_tokens_details");
  w.begin_object();
  w.field("reasoning_tokens", usage.reasoning);
  if (usage.audio_out > 0) w.field("audio_tokens", usage.audio_out);
  if (usage.accepted_prediction > 0) {
    w.field("accepted_prediction_tokens", usage.accepted_prediction);
  }
  if (usage.rejected_prediction > 0) {
    w.field("rejected_prediction_tokens", usage.rejected_prediction);
  }
  w.end_object();
  w.end_object();
}

void write_responses_usage(json::Writer& w, const TokenUsage& said) {
  const TokenUsage usage = settled(said);
  w.begin_object();
  w.field("input_tokens", usage.in_total);
  w.key("input_tokens_details");
  w.begin_object();
  w.field("cached_tokens", usage.read);
  w.field("cache_write_tokens", usage.write);
  w.end_object();
  w.field("output_tokens", usage.out_total);
  w.key("output_tokens_details");
  w.begin_object();
  w.field("reasoning_tokens", usage.reasoning);
  w.end_object();
  w.field("total_tokens", usage.in_total + usage.out_total);
  w.end_object();
}

void write_gemini_usage(json::Writer& w, const TokenUsage& said) {
  const TokenUsage usage = settled(said);
  w.begin_object();
  w.field("promptTokenCount", usage.in_total - usage.tool_prompt);
  if (usage.read > 0) w.field("cachedContentTokenCount", usage.read);
  w.field("candidatesTokenCount", usage.out_total - usage.reasoning);
  if (usage.reasoning > 0) w.field("thoughtsTokenCount", usage.reasoning);
  if (usage.tool_prompt > 0) w.field("toolUsePromptTokenCount", usage.tool_prompt);
  w.field("totalTokenCount", usage.in_total + usage.out_total);
  w.end_object();
}

void write_claude_usage(json::Writer& w, const TokenUsage& said, ClaudeUsageForm form,
                        int64_t estimated_input, int64_t estimated_output) {
  const TokenUsage usage = settled(said);
  const bool known = usage.known;
  w.begin_object();
  w.field("input_tokens", known ? std::max<int64_t>(0, usage.in_total - usage.read - usage.write)
                                : estimated_input);
  w.field("cache_creation_input_tokens", usage.write);
  w.field("cache_read_input_tokens", usage.read);
  if (form == ClaudeUsageForm::message) {
    w.key("cache_creation");
    if (usage.write_split_known) {
      w.begin_object();
      w.field("ephemeral_5m_input_tokens", usage.write_5m);
      w.field("ephemeral_1h_input_tokens", usage.write_1h);
      w.end_object();
    } else {
      w.null();
    }
  }
  w.field("output_tokens", known ? usage.out_total : estimated_output);
  w.key("output_tokens_details");
  if (usage.reasoning_known) {
    w.begin_object();
    w.field("thinking_tokens", usage.reasoning);
    w.end_object();
  } else {
    w.null();
  }
  w.key("server_tool_use");
  if (usage.web_search > 0 || usage.web_fetch > 0) {
    w.begin_object();
    w.field("web_search_requests", usage.web_search);
    w.field("web_fetch_requests", usage.web_fetch);
    w.end_object();
  } else {
    w.null();
  }
  if (form == ClaudeUsageForm::message) {
    for (const auto* name : {"service_tier", "speed", "inference_geo"}) {
      w.key(name);
      w.null();
    }
  }
  w.end_object();
}

}  // namespace gproxy::translate
