// SPDX-License-Identifier: MIT
#include "wire.h"

#include "gproxy/abi.h"

namespace echo {
namespace {

struct Quoted {
  std::string_view text;
};

void append_one(std::string& out, std::string_view text) {
  out += text;
}
void append_one(std::string& out, int64_t number) {
  out += std::to_string(number);
}
void append_one(std::string& out, Quoted quoted) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (char c : quoted.text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}
template <class... Parts>
void append(std::string& out, const Parts&... parts) {
  (append_one(out, parts), ...);
}

// ---- Chat Completions ----

void chat_usage(std::string& out, const Answer& a) {
  append(out, R"({"prompt_tokens":)", a.tokens, R"(,"completion_tokens":)", a.tokens,
         R"(,"total_tokens":)", 2 * a.tokens, "}");
}

void chat_whole(std::string& out, const Answer& a) {
  append(out, R"({"id":"chatcmpl-)", a.id, R"(","object":"chat.completion","created":)", a.created,
         R"(,"model":)", Quoted{a.model},
         R"(,"choices":[{"index":0,"message":{"role":"assistant","content":)", Quoted{a.text},
         R"(,"refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":)");
  chat_usage(out, a);
  out += '}';
}

void chat_open(std::string& out, const Answer& a) {
  append(out, R"(data: {"id":"chatcmpl-)", a.id, R"(","object":"chat.completion.chunk","created":)",
         a.created, R"(,"model":)", Quoted{a.model}, R"(,"choices":[)");
}

template <class... Delta>
void chat_chunk(std::string& out, const Answer& a, std::string_view finish, const Delta&... delta) {
  chat_open(out, a);
  append(out, R"({"index":0,"delta":{)", delta..., R"(},"logprobs":null,"finish_reason":)", finish,
         "}]", a.include_usage ? R"(,"usage":null)" : "", "}\n\n");
}

void chat_end(std::string& out, const Answer& a) {
  chat_chunk(out, a, R"("stop")");
  if (a.include_usage) {
    chat_open(out, a);
    out += R"(],"usage":)";
    chat_usage(out, a);
    out += "}\n\n";
  }
  out += "data: [DONE]\n\n";
}

// ---- Responses ----

void response_item(std::string& out, const Answer& a, bool done) {
  append(out, R"({"id":"msg_)", a.id, R"(","type":"message","status":")",
         done ? "completed" : "in_progress", R"(","role":"assistant","content":[)");
  if (done)
    append(out, R"({"type":"output_text","text":)", Quoted{a.text},
           R"(,"annotations":[],"logprobs":[]})");
  out += "]}";
}

void response_object(std::string& out, const Answer& a, bool done) {
  append(
      out, R"({"id":"resp_)", a.id, R"(","object":"response","created_at":)", a.created,
      R"(,"status":")", done ? "completed" : "in_progress",
      R"(","error":null,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"metadata":{},)",
      R"("model":)", Quoted{a.model}, R"(,"output":[)");
  if (done) response_item(out, a, true);
  out +=
      R"(],"parallel_tool_calls":true,"previous_response_id":null,"reasoning":{"effort":null,"summary":null},)"
      R"("store":false,"temperature":1.0,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],)"
      R"("top_p":1.0,"truncation":"disabled","usage":)";
  if (done) {
    append(out, R"({"input_tokens":)", a.tokens,
           R"(,"input_tokens_details":{"cached_tokens":0},"output_tokens":)", a.tokens,
           R"(,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":)", 2 * a.tokens, "}");
  } else {
    out += "null";
  }
  out += R"(,"user":null})";
}

// Every event: its name, the type, the running number; the caller writes further members and
// "}\n\n".
void response_event(std::string& out, std::string_view type, int64_t& sequence) {
  append(out, "event: ", type, "\ndata: {\"type\":\"", type, R"(","sequence_number":)", sequence++);
}

void response_snapshot(std::string& out, const Answer& a, std::string_view type, bool done,
                       int64_t& sequence) {
  response_event(out, type, sequence);
  out += R"(,"response":)";
  response_object(out, a, done);
  out += "}\n\n";
}

void response_place(std::string& out, const Answer& a) {
  append(out, R"(,"item_id":"msg_)", a.id, R"(","output_index":0,"content_index":0)");
}

void response_item_event(std::string& out, const Answer& a, std::string_view type, bool done,
                         int64_t& sequence) {
  response_event(out, type, sequence);
  out += R"(,"output_index":0,"item":)";
  response_item(out, a, done);
  out += "}\n\n";
}

void response_part_event(std::string& out, const Answer& a, std::string_view type,
                         std::string_view text, int64_t& sequence) {
  response_event(out, type, sequence);
  response_place(out, a);
  append(out, R"(,"part":{"type":"output_text","text":)", Quoted{text},
         R"(,"annotations":[],"logprobs":[]}})", "\n\n");
}

void response_begin(std::string& out, const Answer& a, int64_t& sequence) {
  response_snapshot(out, a, "response.created", false, sequence);
  response_snapshot(out, a, "response.in_progress", false, sequence);
  response_item_event(out, a, "response.output_item.added", false, sequence);
  response_part_event(out, a, "response.content_part.added", "", sequence);
}

void response_delta(std::string& out, const Answer& a, std::string_view piece, int64_t& sequence) {
  response_event(out, "response.output_text.delta", sequence);
  response_place(out, a);
  append(out, R"(,"delta":)", Quoted{piece}, R"(,"logprobs":[]})", "\n\n");
}

void response_end(std::string& out, const Answer& a, int64_t& sequence) {
  response_event(out, "response.output_text.done", sequence);
  response_place(out, a);
  append(out, R"(,"text":)", Quoted{a.text}, R"(,"logprobs":[]})", "\n\n");
  response_part_event(out, a, "response.content_part.done", a.text, sequence);
  response_item_event(out, a, "response.output_item.done", true, sequence);
  response_snapshot(out, a, "response.completed", true, sequence);
}

// ---- Messages ----

void claude_message(std::string& out, const Answer& a, bool done) {
  append(out, R"({"id":"msg_)", a.id, R"(","type":"message","role":"assistant","model":)",
         Quoted{a.model}, R"(,"content":[)");
  if (done) append(out, R"({"type":"text","text":)", Quoted{a.text}, "}");
  append(out, R"(],"stop_reason":)", done ? R"("end_turn")" : "null",
         R"(,"stop_sequence":null,"usage":{"input_tokens":)", a.tokens,
         R"(,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":)",
         done ? a.tokens : int64_t{1}, "}}");
}

void claude_event(std::string& out, std::string_view type, std::string_view members) {
  append(out, "event: ", type, "\ndata: {\"type\":\"", type, "\"", members, "}\n\n");
}

void claude_begin(std::string& out, const Answer& a) {
  std::string message = R"(,"message":)";
  claude_message(message, a, false);
  claude_event(out, "message_start", message);
  claude_event(out, "content_block_start",
               R"(,"index":0,"content_block":{"type":"text","text":""})");
  claude_event(out, "ping", "");
}

void claude_delta(std::string& out, std::string_view piece) {
  std::string members = R"(,"index":0,"delta":{"type":"text_delta","text":)";
  append(members, Quoted{piece}, "}");
  claude_event(out, "content_block_delta", members);
}

void claude_end(std::string& out, const Answer& a) {
  claude_event(out, "content_block_stop", R"(,"index":0)");
  claude_event(
      out, "message_delta",
      R"(,"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":)" +
          std::to_string(a.tokens) + "}");
  claude_event(out, "message_stop", "");
}

// ---- generateContent ----

void gemini_object(std::string& out, const Answer& a, std::string_view text, bool done) {
  append(out, R"({"candidates":[{"content":{"role":"model","parts":[{"text":)", Quoted{text}, "}]}",
         done ? R"(,"finishReason":"STOP")" : "",
         R"(,"index":0}],"usageMetadata":{"promptTokenCount":)", a.tokens,
         R"(,"candidatesTokenCount":)", a.tokens, R"(,"totalTokenCount":)", 2 * a.tokens,
         R"(},"modelVersion":)", Quoted{a.model}, R"(,"responseId":")", a.id, "\"}");
}

void gemini_element(std::string& out, const Answer& a, std::string_view text, bool first,
                    bool done) {
  out += a.sse ? "data: " : first ? "[" : ",\n";
  gemini_object(out, a, text, done);
  out += a.sse ? "\r\n\r\n" : done ? "\n]" : "\n";
}

// ---- counts and models ----

void model_object(std::string& out, int32_t protocol) {
  if (protocol == GP_PROTOCOL_CLAUDE) {
    append(out, R"({"type":"model","id":")", kModel,
           R"(","display_name":"Echo","created_at":"2026-01-01T00:00:00Z"})");
  } else if (protocol == GP_PROTOCOL_GEMINI) {
    append(
        out, R"({"name":"models/)", kModel,
        R"(","version":"001","displayName":"Echo","description":)",
        R"("Answers with the last text of the user","inputTokenLimit":1000000,"outputTokenLimit":1000000,)",
        R"("supportedGenerationMethods":["generateContent","streamGenerateContent","countTokens"]})");
  } else {
    append(out, R"({"id":")", kModel,
           R"(","object":"model","created":1767225600,"owned_by":"gproxy"})");
  }
}

void model_list(std::string& out, int32_t protocol) {
  out += protocol == GP_PROTOCOL_GEMINI   ? R"({"models":[)"
         : protocol == GP_PROTOCOL_OPENAI ? R"({"object":"list","data":[)"
                                          : R"({"data":[)";
  model_object(out, protocol);
  if (protocol == GP_PROTOCOL_CLAUDE) {
    append(out, R"(],"has_more":false,"first_id":")", kModel, R"(","last_id":")", kModel, "\"}");
  } else {
    out += "]}";
  }
}

std::string_view no_such_model(int32_t protocol) {
  switch (protocol) {
    case GP_PROTOCOL_CLAUDE:
      return R"({"type":"error","error":{"type":"not_found_error","message":"no such model"}})";
    case GP_PROTOCOL_GEMINI:
      return R"({"error":{"code":404,"message":"no such model","status":"NOT_FOUND"}})";
    default:
      return R"({"error":{"message":"no such model","type":"invalid_request_error","param":"model",)"
             R"("code":"model_not_found"}})";
  }
}

}  // namespace

void append_whole(std::string& out, const Answer& a) {
  switch (a.protocol) {
    case GP_PROTOCOL_CLAUDE:
      return claude_message(out, a, true);
    case GP_PROTOCOL_OPENAI_CHAT:
      return chat_whole(out, a);
    case GP_PROTOCOL_OPENAI_RESPONSE:
      return response_object(out, a, true);
    default:
      return gemini_object(out, a, a.text, true);
  }
}

void append_begin(std::string& out, const Answer& a, int64_t& sequence) {
  switch (a.protocol) {
    case GP_PROTOCOL_CLAUDE:
      return claude_begin(out, a);
    case GP_PROTOCOL_OPENAI_CHAT:
      return chat_chunk(out, a, "null", R"("role":"assistant","content":"","refusal":null)");
    case GP_PROTOCOL_OPENAI_RESPONSE:
      return response_begin(out, a, sequence);
    default:
      return;  // its first element is its first piece
  }
}

void append_delta(std::string& out, const Answer& a, std::string_view piece, bool first,
                  int64_t& sequence) {
  switch (a.protocol) {
    case GP_PROTOCOL_CLAUDE:
      return claude_delta(out, piece);
    case GP_PROTOCOL_OPENAI_CHAT:
      return chat_chunk(out, a, "null", R"("content":)", Quoted{piece});
    case GP_PROTOCOL_OPENAI_RESPONSE:
      return response_delta(out, a, piece, sequence);
    default:
      return gemini_element(out, a, piece, first, false);
  }
}

void append_end(std::string& out, const Answer& a, int64_t& sequence) {
  switch (a.protocol) {
    case GP_PROTOCOL_CLAUDE:
      return claude_end(out, a);
    case GP_PROTOCOL_OPENAI_CHAT:
      return chat_end(out, a);
    case GP_PROTOCOL_OPENAI_RESPONSE:
      return response_end(out, a, sequence);
    default:
      return gemini_element(out, a, "", a.text.empty(), true);
  }
}

int32_t append_other(std::string& out, const Answer& a) {
  if (a.operation == GP_OP_MODEL_LIST) {
    model_list(out, a.protocol);
  } else if (a.operation == GP_OP_MODEL_GET) {
    if (a.model != kModel) {
      out += no_such_model(a.protocol);
      return 404;
    }
    model_object(out, a.protocol);
  } else if (a.protocol == GP_PROTOCOL_CLAUDE) {
    append(out, R"({"input_tokens":)", a.tokens, "}");
  } else if (a.protocol == GP_PROTOCOL_GEMINI) {
    append(out, R"({"totalTokens":)", a.tokens, "}");
  } else {
    append(out, R"({"object":"response.input_tokens","input_tokens":)", a.tokens, "}");
  }
  return 200;
}

}  // namespace echo
