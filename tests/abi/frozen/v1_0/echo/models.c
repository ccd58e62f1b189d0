/* SPDX-License-Identifier: MIT
 *
 * Token counts and the one model, in the shapes of the three families. */
#include <string.h>

#include "echo.h"

static int is_echo(gp_str model) {
  return model.len == strlen(ECHO_MODEL) && memcmp(model.ptr, ECHO_MODEL, model.len) == 0;
}

static void model_object(echo_buf *out, int32_t protocol) {
  switch (protocol) {
    case GP_PROTOCOL_CLAUDE:
      echo_put(out, "{\"type\":\"model\",\"id\":\"" ECHO_MODEL
                    "\",\"display_name\":\"Echo\","
                    "\"created_at\":\"2026-01-01T00:00:00Z\"}");
      break;
    case GP_PROTOCOL_GEMINI:
      echo_put(
          out,
          "{\"name\":\"models/" ECHO_MODEL
          "\",\"version\":\"001\",\"displayName\":\"Echo\",\"description\":"
          "\"Answers with the last text of the "
          "user\",\"inputTokenLimit\":1000000,\"outputTokenLimit\":1000000,"
          "\"supportedGenerationMethods\":[\"generateContent\",\"streamGenerateContent\",\"countTokens\"]}");
      break;
    default:
      echo_put(out, "{\"id\":\"" ECHO_MODEL
                    "\",\"object\":\"model\",\"created\":1767225600,\"owned_by\":\"gproxy\"}");
      break;
  }
}

static void model_list(echo_buf *out, int32_t protocol) {
  switch (protocol) {
    case GP_PROTOCOL_CLAUDE:
      echo_put(out, "{\"data\":[");
      model_object(out, protocol);
      echo_put(out, "],\"has_more\":false,\"first_id\":\"" ECHO_MODEL "\",\"last_id\":\"" ECHO_MODEL "\"}");
      break;
    case GP_PROTOCOL_GEMINI:
      echo_put(out, "{\"models\":[");
      model_object(out, protocol);
      echo_put(out, "]}");
      break;
    default:
      echo_put(out, "{\"object\":\"list\",\"data\":[");
      model_object(out, protocol);
      echo_put(out, "]}");
      break;
  }
}

static void no_such_model(echo_buf *out, int32_t protocol) {
  switch (protocol) {
    case GP_PROTOCOL_CLAUDE:
      echo_put(out,
               "{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\",\"message\":\"no such model\"}}");
      break;
    case GP_PROTOCOL_GEMINI:
      echo_put(out, "{\"error\":{\"code\":404,\"message\":\"no such model\",\"status\":\"NOT_FOUND\"}}");
      break;
    default:
      echo_put(
          out,
          "{\"error\":{\"message\":\"no such model\",\"type\":\"invalid_request_error\",\"param\":\"model\","
          "\"code\":\"model_not_found\"}}");
      break;
  }
}

int32_t echo_other(echo_buf *out, const echo_answer *a) {
  if (a->operation == GP_OP_MODEL_LIST) {
    model_list(out, a->protocol);
  } else if (a->operation == GP_OP_MODEL_GET) {
    if (!is_echo(a->model)) {
      no_such_model(out, a->protocol);
      return 404;
    }
    model_object(out, a->protocol);
  } else if (a->protocol == GP_PROTOCOL_CLAUDE) {
    echo_put(out, "{\"input_tokens\":%d}", a->input_tokens);
  } else if (a->protocol == GP_PROTOCOL_GEMINI) {
    echo_put(out, "{\"totalTokens\":%d}", a->input_tokens);
  } else {
    echo_put(out, "{\"object\":\"response.input_tokens\",\"input_tokens\":%d}", a->input_tokens);
  }
  return 200;
}
