/* SPDX-License-Identifier: MIT
 *
 * Generated answers as the four protocols write them: Chat Completions chunks, Responses events, Messages
 * events, generateContent elements. */
#include "echo.h"

/* ---- Chat Completions ---- */

static void chat_open(echo_buf *out, const echo_answer *a) {
  echo_put(out,
           "data: {\"id\":\"chatcmpl-%s\",\"object\":\"chat.completion.chunk\",\"created\":%d,\"model\":%q,",
           a->id, a->created, a->model);
}

static void chat_close(echo_buf *out, const echo_answer *a, const char *finish) {
  echo_put(out, ",\"logprobs\":null,\"finish_reason\":%s}]%s}\n\n", echo_str(finish),
           echo_str(a->include_usage ? ",\"usage\":null" : ""));
}

static void chat_usage(echo_buf *out, const echo_answer *a) {
  echo_put(out, "{\"prompt_tokens\":%d,\"completion_tokens\":%d,\"total_tokens\":%d}", a->input_tokens,
           a->output_tokens, a->input_tokens + a->output_tokens);
}

static void chat_whole(echo_buf *out, const echo_answer *a) {
  echo_put(
      out,
      "{\"id\":\"chatcmpl-%s\",\"object\":\"chat.completion\",\"created\":%d,\"model\":%q,\"choices\":[{"
      "\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":%q,\"refusal\":null},\"logprobs\":null,"
      "\"finish_reason\":\"stop\"}],\"usage\":",
      a->id, a->created, a->model, a->text);
  chat_usage(out, a);
  echo_put(out, "}");
}

static void chat_end(echo_buf *out, const echo_answer *a) {
  chat_open(out, a);
  echo_put(out, "\"choices\":[{\"index\":0,\"delta\":{}");
  chat_close(out, a, "\"stop\"");
  if (a->include_usage) {
    chat_open(out, a);
    echo_put(out, "\"choices\":[],\"usage\":");
    chat_usage(out, a);
    echo_put(out, "}\n\n");
  }
  echo_put(out, "data: [DONE]\n\n");
}

/* ---- Responses ---- */

/* Every event: its name, the type and the running number; the caller writes further members and "}\n\n". */
static void response_event(echo_buf *out, const char *type, int64_t *sequence) {
  echo_put(out, "event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%d", echo_str(type), echo_str(type),
           (*sequence)++);
}

static void response_item(echo_buf *out, const echo_answer *a, int done) {
  echo_put(out,
           "{\"id\":\"msg_%s\",\"type\":\"message\",\"status\":\"%s\",\"role\":\"assistant\",\"content\":[",
           a->id, echo_str(done ? "completed" : "in_progress"));
  if (done) {
    echo_put(out, "{\"type\":\"output_text\",\"text\":%q,\"annotations\":[],\"logprobs\":[]}", a->text);
  }
  echo_put(out, "]}");
}

static void response_object(echo_buf *out, const echo_answer *a, int done) {
  echo_put(out,
           "{\"id\":\"resp_%s\",\"object\":\"response\",\"created_at\":%d,\"status\":\"%s\",\"error\":null,"
           "\"incomplete_details\":null,\"instructions\":null,\"max_output_tokens\":null,\"metadata\":{},"
           "\"model\":%q,\"output\":[",
           a->id, a->created, echo_str(done ? "completed" : "in_progress"), a->model);
  if (done) response_item(out, a, 1);
  echo_put(out,
           "],\"parallel_tool_calls\":true,\"previous_response_id\":null,\"reasoning\":{\"effort\":null,"
           "\"summary\":null},\"store\":false,\"temperature\":1.0,\"text\":{\"format\":{\"type\":\"text\"}},"
           "\"tool_choice\":\"auto\",\"tools\":[],\"top_p\":1.0,\"truncation\":\"disabled\",\"usage\":");
  if (done) {
    echo_put(out,
             "{\"input_tokens\":%d,\"input_tokens_details\":{\"cached_tokens\":0},\"output_tokens\":%d,"
             "\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":%d}",
             a->input_tokens, a->output_tokens, a->input_tokens + a->output_tokens);
  } else {
    echo_put(out, "null");
  }
  echo_put(out, ",\"user\":null}");
}

static void response_snapshot(echo_buf *out, const echo_answer *a, const char *type, int done, int64_t *n) {
  response_event(out, type, n);
  echo_put(out, ",\"response\":");
  response_object(out, a, done);
  echo_put(out, "}\n\n");
}

static void response_begin(echo_buf *out, const echo_answer *a, int64_t *n) {
  response_snapshot(out, a, "response.created", 0, n);
  response_snapshot(out, a, "response.in_progress", 0, n);
  response_event(out, "response.output_item.added", n);
  echo_put(out, ",\"output_index\":0,\"item\":");
  response_item(out, a, 0);
  echo_put(out, "}\n\n");
  response_event(out, "response.content_part.added", n);
  echo_put(
      out,
      ",\"item_id\":\"msg_%s\",\"output_index\":0,\"content_index\":0,\"part\":{\"type\":\"output_text\","
      "\"text\":\"\",\"annotations\":[],\"logprobs\":[]}}\n\n",
      a->id);
}

static void response_end(echo_buf *out, const echo_answer *a, int64_t *n) {
  response_event(out, "response.output_text.done", n);
  echo_put(out,
           ",\"item_id\":\"msg_%s\",\"output_index\":0,\"content_index\":0,\"text\":%q,\"logprobs\":[]}\n\n",
           a->id, a->text);
  response_event(out, "response.content_part.done", n);
  echo_put(
      out,
      ",\"item_id\":\"msg_%s\",\"output_index\":0,\"content_index\":0,\"part\":{\"type\":\"output_text\","
      "\"text\":%q,\"annotations\":[],\"logprobs\":[]}}\n\n",
      a->id, a->text);
  response_event(out, "response.output_item.done", n);
  echo_put(out, ",\"output_index\":0,\"item\":");
  response_item(out, a, 1);
  echo_put(out, "}\n\n");
  response_snapshot(out, a, "response.completed", 1, n);
}

/* ---- Messages ---- */

static void claude_message(echo_buf *out, const echo_answer *a, int done) {
  echo_put(out, "{\"id\":\"msg_%s\",\"type\":\"message\",\"role\":\"assistant\",\"model\":%q,\"content\":[",
           a->id, a->model);
  if (done) echo_put(out, "{\"type\":\"text\",\"text\":%q}", a->text);
  echo_put(out,
           "],\"stop_reason\":%s,\"stop_sequence\":null,\"usage\":{\"input_tokens\":%d,"
           "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":%d}}",
           echo_str(done ? "\"end_turn\"" : "null"), a->input_tokens, done ? a->output_tokens : (int64_t)1);
}

static void claude_begin(echo_buf *out, const echo_answer *a) {
  echo_put(out, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":");
  claude_message(out, a, 0);
  echo_put(out,
           "}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
           "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
           "event: ping\ndata: {\"type\":\"ping\"}\n\n");
}

static void claude_end(echo_buf *out, const echo_answer *a) {
  echo_put(out,
           "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
           "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\","
           "\"stop_sequence\":null},\"usage\":{\"output_tokens\":%d}}\n\n"
           "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
           a->output_tokens);
}

/* ---- generateContent ---- */

static void gemini_object(echo_buf *out, const echo_answer *a, gp_str text, int done) {
  echo_put(out,
           "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":%q}]}%s,\"index\":0}],",
           text, echo_str(done ? ",\"finishReason\":\"STOP\"" : ""));
  echo_put(out,
           "\"usageMetadata\":{\"promptTokenCount\":%d,\"candidatesTokenCount\":%d,\"totalTokenCount\":%d},"
           "\"modelVersion\":%q,\"responseId\":\"%s\"}",
           a->input_tokens, a->output_tokens, a->input_tokens + a->output_tokens, a->model, a->id);
}

static void gemini_element(echo_buf *out, const echo_answer *a, gp_str text, int first, int done) {
  if (a->sse) {
    echo_put(out, "data: ");
    gemini_object(out, a, text, done);
    echo_put(out, "\r\n\r\n");
  } else {
    echo_put(out, first ? "[" : ",\n");
    gemini_object(out, a, text, done);
    echo_put(out, done ? "\n]" : "\n");
  }
}

/* ---- all of them ---- */

void echo_whole(echo_buf *out, const echo_answer *a) {
  switch (a->protocol) {
    case GP_PROTOCOL_CLAUDE:
      claude_message(out, a, 1);
      break;
    case GP_PROTOCOL_OPENAI_CHAT:
      chat_whole(out, a);
      break;
    case GP_PROTOCOL_OPENAI_RESPONSE:
      response_object(out, a, 1);
      break;
    default:
      gemini_object(out, a, a->text, 1);
      break;
  }
}

void echo_begin(echo_buf *out, const echo_answer *a, int64_t *sequence) {
  switch (a->protocol) {
    case GP_PROTOCOL_CLAUDE:
      claude_begin(out, a);
      break;
    case GP_PROTOCOL_OPENAI_CHAT:
      chat_open(out, a);
      echo_put(
          out,
          "\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}");
      chat_close(out, a, "null");
      break;
    case GP_PROTOCOL_OPENAI_RESPONSE:
      response_begin(out, a, sequence);
      break;
    default:
      break; /* its first element is its first piece */
  }
}

void echo_delta(echo_buf *out, const echo_answer *a, gp_str piece, int first, int64_t *sequence) {
  switch (a->protocol) {
    case GP_PROTOCOL_CLAUDE:
      echo_put(out,
               "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{"
               "\"type\":\"text_delta\",\"text\":%q}}\n\n",
               piece);
      break;
    case GP_PROTOCOL_OPENAI_CHAT:
      chat_open(out, a);
      echo_put(out, "\"choices\":[{\"index\":0,\"delta\":{\"content\":%q}", piece);
      chat_close(out, a, "null");
      break;
    case GP_PROTOCOL_OPENAI_RESPONSE:
      response_event(out, "response.output_text.delta", sequence);
      echo_put(
          out,
          ",\"item_id\":\"msg_%s\",\"output_index\":0,\"content_index\":0,\"delta\":%q,\"logprobs\":[]}\n\n",
          a->id, piece);
      break;
    default:
      gemini_element(out, a, piece, first, 0);
      break;
  }
}

void echo_end(echo_buf *out, const echo_answer *a, int64_t *sequence) {
  switch (a->protocol) {
    case GP_PROTOCOL_CLAUDE:
      claude_end(out, a);
      break;
    case GP_PROTOCOL_OPENAI_CHAT:
      chat_end(out, a);
      break;
    case GP_PROTOCOL_OPENAI_RESPONSE:
      response_end(out, a, sequence);
      break;
    default:
      gemini_element(out, a, echo_str(""), a->text.len == 0, 1);
      break;
  }
}
