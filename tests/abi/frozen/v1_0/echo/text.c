/* SPDX-License-Identifier: MIT
 *
 * Texts: the buffer that answers are written into, and the user's last words in a request. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "echo.h"

gp_str echo_str(const char *literal) {
  gp_str out = {literal, strlen(literal)};
  return out;
}

void echo_put_bytes(echo_buf *buf, const char *bytes, size_t len) {
  if (buf->failed || len == 0) return;
  if (buf->cap - buf->len < len) {
    size_t cap = (buf->cap + len) * 2;
    char *grown = realloc(buf->ptr, cap);
    if (grown == NULL) {
      buf->failed = 1;
      return;
    }
    buf->ptr = grown;
    buf->cap = cap;
  }
  memcpy(buf->ptr + buf->len, bytes, len);
  buf->len += len;
}

static void put_quoted(echo_buf *buf, gp_str text) {
  static const char kHex[] = "0123456789abcdef";
  size_t plain = 0;
  echo_put_bytes(buf, "\"", 1);
  for (size_t i = 0; i < text.len; ++i) {
    unsigned char c = (unsigned char)text.ptr[i];
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    echo_put_bytes(buf, text.ptr + plain, i - plain);
    plain = i + 1;
    if (c >= 0x20) {
      char escape[2] = {'\\', (char)c};
      echo_put_bytes(buf, escape, 2);
    } else {
      char escape[6] = {'\\', 'u', '0', '0', kHex[c >> 4], kHex[c & 15]};
      echo_put_bytes(buf, escape, 6);
    }
  }
  if (text.len > 0) echo_put_bytes(buf, text.ptr + plain, text.len - plain);
  echo_put_bytes(buf, "\"", 1);
}

static void put_number(echo_buf *buf, int64_t value) {
  char digits[24];
  size_t at = sizeof digits;
  uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  do {
    digits[--at] = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest > 0);
  if (value < 0) digits[--at] = '-';
  echo_put_bytes(buf, digits + at, sizeof digits - at);
}

void echo_put(echo_buf *buf, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  for (;;) {
    const char *percent = strchr(format, '%');
    echo_put_bytes(buf, format, percent == NULL ? strlen(format) : (size_t)(percent - format));
    if (percent == NULL) break;
    if (percent[1] == 'q') {
      put_quoted(buf, va_arg(arguments, gp_str));
    } else if (percent[1] == 's') {
      gp_str text = va_arg(arguments, gp_str);
      echo_put_bytes(buf, text.ptr, text.len);
    } else {
      put_number(buf, va_arg(arguments, int64_t));
    }
    format = percent + 2;
  }
  va_end(arguments);
}

static int is(gp_str text, const char *literal) {
  size_t len = strlen(literal);
  return text.len == len && memcmp(text.ptr, literal, len) == 0;
}

static gp_str part_of(gp_str body, const gp_json_node *node) {
  gp_str out = {body.ptr + node->at, node->len};
  return out;
}

/* A message's content: a string, or the texts of its parts, joined by line ends. */
static gp_str content_text(const gp_host *host, const gp_json_ext *json, gp_arena *arena, gp_str content) {
  gp_str texts[64];
  size_t count = 0, total = 0;
  int32_t type = GP_JSON_NULL;
  gp_str out = {NULL, 0};
  gp_json_node root = {0, content.len, GP_JSON_ARRAY, GP_NODE_FOUND};
  gp_json_member part;
  if (json->get(arena, content, echo_str(""), &type, &out) != GP_OK) return echo_str("");
  if (type == GP_JSON_STRING) return out;
  if (type != GP_JSON_ARRAY) return echo_str("");
  for (gp_status more = json->first(content, &root, &part); more == GP_OK && count < 64;
       more = json->next(content, &root, &part)) {
    if (json->get(arena, part_of(content, &part.value), echo_str("/text"), &type, &out) == GP_OK &&
        type == GP_JSON_STRING) {
      texts[count++] = out;
      total += out.len + 1;
    }
  }
  if (count == 0) return echo_str("");
  if (count == 1) return texts[0];
  char *joined = host->alloc(arena, total, 1);
  if (joined == NULL) return echo_str("");
  out.ptr = joined;
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) *joined++ = '\n';
    if (texts[i].len > 0) memcpy(joined, texts[i].ptr, texts[i].len);
    joined += texts[i].len;
  }
  out.len = (size_t)(joined - out.ptr);
  return out;
}

static int is_users(const gp_json_ext *json, gp_arena *arena, gp_str message) {
  gp_str role;
  return json->get(arena, message, echo_str("/role"), NULL, &role) != GP_OK || is(role, "user");
}

gp_str echo_last_user_text(const gp_host *host, const gp_json_ext *json, gp_arena *arena, gp_str body) {
  static const char *const kPlaces[] = {"/messages", "/input", "/contents",
                                        "/generateContentRequest/contents"};
  for (size_t i = 0; i < sizeof kPlaces / sizeof kPlaces[0]; ++i) {
    int32_t type = GP_JSON_NULL;
    gp_str list, last = {NULL, 0}, content;
    gp_json_member message;
    if (json->get(arena, body, echo_str(kPlaces[i]), &type, &list) != GP_OK) continue;
    if (type == GP_JSON_STRING) return list; /* Responses: input is one text */
    if (type == GP_JSON_OBJECT) last = list; /* Gemini: a single content */
    gp_json_node root = {0, list.len, type, GP_NODE_FOUND};
    for (gp_status more = type == GP_JSON_ARRAY ? json->first(list, &root, &message) : GP_ERR_NOT_FOUND;
         more == GP_OK; more = json->next(list, &root, &message)) {
      gp_str candidate = part_of(list, &message.value);
      if (message.value.type == GP_JSON_OBJECT && is_users(json, arena, candidate)) last = candidate;
    }
    if (last.len == 0) continue;
    gp_json_node found[2];
    gp_str pointers[2] = {echo_str("/content"), echo_str("/parts")};
    if (json->index(last, pointers, 2, found) != GP_OK) continue;
    const gp_json_node *where = (found[0].flags & GP_NODE_FOUND) != 0 ? &found[0] : &found[1];
    if ((where->flags & GP_NODE_FOUND) == 0) continue;
    content = part_of(last, where);
    return content_text(host, json, arena, content);
  }
  return echo_str("");
}

size_t echo_piece_length(gp_str text) {
  for (size_t i = 0; i < text.len; ++i) {
    if (text.ptr[i] == ' ' || text.ptr[i] == '\n') return i + 1;
    if (i >= 48 && ((unsigned char)text.ptr[i] & 0xc0u) != 0x80u) return i;
  }
  return text.len;
}

int64_t echo_tokens(gp_str text) { return (int64_t)(text.len / 4 + 1); }
