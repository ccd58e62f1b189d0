/* SPDX-License-Identifier: MIT
 *
 * The echo provider in C: answers each generation with the last text of the user, in all four protocols,
 * whole or piece by piece, without an upstream and without a credential.
 */
#ifndef ECHO_H
#define ECHO_H

#include "gproxy/abi.h"
#include "gproxy/ext/json.h"
#include "gproxy/ext/local.h"

#define ECHO_MODEL "echo"

/* A growing text on the heap; after a failed allocation it stays `failed` and ignores further puts. */
typedef struct echo_buf {
  char *ptr;
  size_t len, cap;
  int failed;
} echo_buf;

/* %s a gp_str as it is, %q a gp_str as a JSON string, %d an int64_t. Arguments by value. */
void echo_put(echo_buf *buf, const char *format, ...);
void echo_put_bytes(echo_buf *buf, const char *bytes, size_t len);

gp_str echo_str(const char *literal);

/* What is being answered. Views are in the exchange's arena. */
typedef struct echo_answer {
  int32_t protocol;
  int32_t operation;
  gp_str id;       /* of the exchange */
  gp_str model;    /* as asked for */
  gp_str text;     /* to be echoed */
  int64_t created; /* UNIX time in s */
  int64_t input_tokens, output_tokens;
  int include_usage; /* Chat Completions: the client wants the usage chunk */
  int sse;           /* Gemini: server-sent events rather than one array */
} echo_answer;

/* text.c: the last text of the user in a request body of any protocol; len 0 if there is none. */
gp_str echo_last_user_text(const gp_host *host, const gp_json_ext *json, gp_arena *arena, gp_str body);
/* The length of the piece of `text` to send next: a word with its space, or 48 bytes of an unbroken run;
 * never half a character. */
size_t echo_piece_length(gp_str text);
/* A rough count: four bytes a token. */
int64_t echo_tokens(gp_str text);

/* wire.c: a whole answer. */
void echo_whole(echo_buf *out, const echo_answer *answer);
/* wire.c: a stream's beginning, one piece of text, its end. `sequence` numbers the events of Responses. */
void echo_begin(echo_buf *out, const echo_answer *answer, int64_t *sequence);
void echo_delta(echo_buf *out, const echo_answer *answer, gp_str piece, int first, int64_t *sequence);
void echo_end(echo_buf *out, const echo_answer *answer, int64_t *sequence);

/* models.c: count, model list and model get. Returns the HTTP status. */
int32_t echo_other(echo_buf *out, const echo_answer *answer);

#endif
