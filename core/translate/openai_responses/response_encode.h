// The `response` object of the Responses protocol: its own members and the echo of the client's
// request (wire-formats 1.2, 3.0.4). Internal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "translate/codec.h"

namespace gproxy::translate::responses {

struct Snapshot {
  std::string_view id, model, status;
  int64_t created_at = 0;
  int64_t completed_at = 0;            // 0 = null
  std::string_view incomplete_reason;  // empty = null
  std::string_view output;             // elements, without brackets
  const TokenUsage* usage = nullptr;   // null = left out, as while in progress
  const Error* error = nullptr;
  std::string_view service_tier;  // empty: the request's, if it gave one
};
void write_response(const Snapshot& snapshot, const RequestEcho& echo, std::string& out);

// Finished or growing output items, as JSON.
std::string reasoning_item(std::string_view id, std::string_view summary,
                           std::string_view encrypted_content);
enum class CallKind : uint8_t { function, custom, tool_search };
struct CallItem {
  CallKind kind = CallKind::function;
  std::string_view id, call_id, name, name_space, status, arguments;
};
std::string call_item(const CallItem& call);
// `input` is the search tool's argument text, `results` Claude's web_search_tool_result content.
std::string search_item(std::string_view id, std::string_view status, std::string_view input,
                        const json::Value& results);

// response.error.code of a neutral kind.
std::string_view error_code(const Error& error);

}  // namespace gproxy::translate::responses
