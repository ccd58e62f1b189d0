#include "translate/openai_responses/response_encode.h"

#include "translate/arguments.h"
#include "translate/usage_map.h"

namespace gproxy::translate::responses {

std::string_view error_code(const Error& error) {
  if (error.kind == ErrorKind::rate) return "rate_limit_exceeded";
  if (error.kind == ErrorKind::policy) return "invalid_prompt";
  return "server_error";
}

void write_response(const Snapshot& snapshot, const RequestEcho& echo, std::string& out) {
  json::Writer w(out);
  // The client's own value, else the default; an empty default leaves the member out.
  const auto echoed = [&w](std::string_view name, const std::string& said, std::string_view other) {
    if (said.empty() && other.empty()) return;
    w.key(name);
    w.raw(said.empty() ? other : std::string_view(said));
  };
  w.begin_object();
  w.field("id", snapshot.id);
  w.field("object", "response");
  w.field("created_at", snapshot.created_at);
  w.field("status", snapshot.status);
  echoed("background", echo.background, "false");
  w.key("completed_at");
  snapshot.completed_at > 0 ? w.integer(snapshot.completed_at) : w.null();
  w.key("error");
  if (snapshot.error != nullptr) {
    w.begin_object();
    w.field("code", error_code(*snapshot.error));
    w.field("message", snapshot.error->message);
    w.end_object();
  } else {
    w.null();
  }
  w.key("incomplete_details");
  if (!snapshot.incomplete_reason.empty()) {
    w.begin_object();
    w.field("reason", snapshot.incomplete_reason);
    w.end_object();
  } else {
    w.null();
  }
  echoed("instructions", echo.instructions, "null");
  echoed("max_output_tokens", echo.max_output_tokens, "null");
  echoed("max_tool_calls", echo.max_tool_calls, {});
  echoed("metadata", echo.metadata, "{}");
  w.field("model", snapshot.model);
  w.key("output");
  w.raw("[");
  out += snapshot.output;
  out += ']';
  echoed("parallel_tool_calls", echo.parallel_tool_calls, "true");
  echoed("previous_response_id", echo.previous_response_id, "null");
  echoed("prompt_cache_key", echo.prompt_cache_key, {});
  echoed("reasoning", echo.reasoning, R"({"effort":null,"summary":null})");
  echoed("safety_identifier", echo.safety_identifier, {});
  if (!snapshot.service_tier.empty()) {
    w.field("service_tier", snapshot.service_tier);
  } else {
    echoed("service_tier", echo.service_tier, {});
  }
  // Nothing is stored here, whatever was asked.
  w.field("store", false);
  echoed("temperature", echo.temperature, "null");
  echoed("text", echo.text, R"({"format":{"type":"text"}})");
  echoed("tool_choice", echo.tool_choice, "\"auto\"");
  echoed("tools", echo.tools, "[]");
  echoed("top_logprobs", echo.top_logprobs, {});
  echoed("top_p", echo.top_p, "null");
  echoed("truncation", echo.truncation, "\"disabled\"");
  if (snapshot.usage != nullptr) {
    w.key("usage");
    write_responses_usage(w, *snapshot.usage);
  }
  echoed("user", echo.user, {});
  w.end_object();
}

std::string reasoning_item(std::string_view id, std::string_view summary,
                           std::string_view encrypted_content) {
  std::string item;
  json::Writer w(item);
  w.begin_object();
  w.field("id", id);
  w.field("type", "reasoning");
  w.key("summary");
  w.begin_array();
  if (!summary.empty()) {
    w.begin_object();
    w.field("type", "summary_text");
    w.field("text", summary);
    w.end_object();
  }
  w.end_array();
  if (!encrypted_content.empty()) w.field("encrypted_content", encrypted_content);
  w.end_object();
  return item;
}

std::string call_item(const CallItem& call) {
  std::string item;
  json::Writer w(item);
  w.begin_object();
  w.field("id", call.id);
  if (call.kind == CallKind::tool_search) {
    w.field("type", "tool_search_call");
    w.field("status", call.status);
    w.field("call_id", call.call_id);
    w.field("execution", "client");
    Arena arena;
    w.key("arguments");
    w.value(args_object(call.arguments, arena));
    w.end_object();
    return item;
  }
  const bool custom = call.kind == CallKind::custom;
  w.field("type", custom ? "custom_tool_call" : "function_call");
  if (!custom) w.field("status", call.status);
  w.field("call_id", call.call_id);
  w.field("name", call.name);
  if (!call.name_space.empty()) w.field("namespace", call.name_space);
  w.field(custom ? "input" : "arguments", call.arguments);
  w.end_object();
  return item;
}

std::string search_item(std::string_view id, std::string_view status, std::string_view input,
                        const json::Value& results) {
  Arena arena(1024);
  const auto asked = args_object(input, arena);
  std::string item;
  json::Writer w(item);
  w.begin_object();
  w.field("id", id);
  w.field("type", "web_search_call");
  w.field("status", status);
  w.key("action");
  w.begin_object();
  w.field("type", "search");
  w.field("query", asked["query"].str());
  w.key("sources");
  w.begin_array();
  for (const auto& result : results.items()) {
    const auto url = result["url"].str();
    if (url.empty()) continue;
    w.begin_object();
    w.field("type", "url");
    w.field("url", url);
    w.end_object();
  }
  w.end_array();
  w.end_object();
  w.end_object();
  return item;
}

}  // namespace gproxy::translate::responses
