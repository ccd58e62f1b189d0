#include "translate/errors.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/arena.h"
#include "base/json.h"
#include "base/strings.h"

namespace gproxy::translate {
namespace {

// One row per kind: what each protocol says (wire-formats 5.2).
struct Row {
  ErrorKind kind;
  int openai_status;
  std::string_view openai_type;
  std::string_view openai_code;  // empty = null
  int claude_status;
  std::string_view claude_type;
  int gemini_status;
  std::string_view gemini_name;
};
constexpr Row kRows[] = {
    {ErrorKind::invalid, 400, "invalid_request_error", "", 400, "invalid_request_error", 400,
     "INVALID_ARGUMENT"},
    {ErrorKind::context, 400, "invalid_request_error", "context_length_exceeded", 400,
     "invalid_request_error", 400, "INVALID_ARGUMENT"},
    {ErrorKind::policy, 400, "invalid_request_error", "content_policy_violation", 400,
     "invalid_request_error", 400, "INVALID_ARGUMENT"},
    {ErrorKind::auth, 401, "invalid_request_error", "invalid_api_key", 401, "authentication_error",
     401, "UNAUTHENTICATED"},
    {ErrorKind::billing, 429, "insufficient_quota", "insufficient_quota", 402, "billing_error", 429,
     "RESOURCE_EXHAUSTED"},
    {ErrorKind::permission, 403, "invalid_request_error", "permission_denied", 403,
     "permission_error", 403, "PERMISSION_DENIED"},
    {ErrorKind::not_found, 404, "invalid_request_error", "model_not_found", 404, "not_found_error",
     404, "NOT_FOUND"},
    {ErrorKind::conflict, 409, "invalid_request_error", "conflict", 409, "conflict_error", 409,
     "ABORTED"},
    {ErrorKind::too_large, 413, "invalid_request_error", "request_too_large", 413,
     "request_too_large", 400, "INVALID_ARGUMENT"},
    {ErrorKind::rate, 429, "rate_limit_error", "rate_limit_exceeded", 429, "rate_limit_error", 429,
     "RESOURCE_EXHAUSTED"},
    {ErrorKind::timeout, 504, "server_error", "timeout", 504, "timeout_error", 504,
     "DEADLINE_EXCEEDED"},
    {ErrorKind::overloaded, 503, "server_error", "overloaded", 529, "overloaded_error", 503,
     "UNAVAILABLE"},
    {ErrorKind::server, 500, "server_error", "server_error", 500, "api_error", 500, "INTERNAL"},
    {ErrorKind::unsupported, 400, "invalid_request_error", "unsupported_parameter", 400,
     "invalid_request_error", 400, "INVALID_ARGUMENT"},
    {ErrorKind::cancelled, 499, "server_error", "cancelled", 499, "api_error", 499, "CANCELLED"},
};

const Row& row_of(ErrorKind kind) {
  for (const auto& row : kRows) {
    if (row.kind == kind) return row;
  }
  return kRows[12];
}

// gproxy's own word, unless it says no more than the kind does.
std::string_view own_code(const Error& error) {
  if (error.code == kUpstreamError || error.code == "invalid_request" ||
      error.code == "internal_error") {
    return {};
  }
  return error.code;
}

std::string_view gemini_name(const Row& row, int status) {
  if (status == 501) return "UNIMPLEMENTED";
  if (status == 502 || status == 503) return "UNAVAILABLE";
  return row.gemini_name;
}

// Our own complaints name the field in the words that people read; an upstream's stay as they came.
bool names_field(const Error& error) {
  return error.code != kUpstreamError && !error.param.empty();
}

std::string message_of(const Error& error) {
  if (!names_field(error) || error.message.find(error.param) != std::string::npos) {
    return error.message;
  }
  return error.param + ": " + error.message;
}

std::string claude_message(const Error& error) {
  // Agents compact their history when they read these words.
  constexpr std::string_view kContext = "prompt is too long: ";
  if (error.kind == ErrorKind::context && !error.message.starts_with("prompt is too long")) {
    return std::string(kContext) + error.message;
  }
  return message_of(error);
}

void write_openai(json::Writer& w, const Row& row, const Error& error) {
  w.begin_object();
  w.field("message", message_of(error));
  w.field("type", row.openai_type);
  w.key("param");
  error.param.empty() ? w.null() : w.string(error.param);
  w.key("code");
  const auto own = own_code(error);
  const auto code = own.empty() ? row.openai_code : own;
  code.empty() ? w.null() : w.string(code);
  w.end_object();
}

void write_claude(json::Writer& w, const Row& row, const Error& error) {
  w.begin_object();
  w.field("type", row.claude_type);
  w.field("message", claude_message(error));
  if (const auto own = own_code(error); !own.empty()) {
    w.key("details");
    w.begin_object();
    w.field("error_code", own);
    if (own == "thread_unsupported_request") {
      // The SDK goes on without a thread when it is told of any feature that threads cannot have
      // here.
      w.key("unsupported");
      w.begin_array();
      w.string("inference_hooks");
      w.end_array();
    }
    w.end_object();
  }
  w.end_object();
}

std::string seconds_text(int64_t ms) {
  if (ms % 1000 == 0) return std::to_string(ms / 1000) + "s";
  auto fraction = std::to_string(ms % 1000);
  return std::to_string(ms / 1000) + "." + std::string(3 - fraction.size(), '0') + fraction + "s";
}

void write_gemini(json::Writer& w, const Row& row, const Error& error, int status) {
  w.begin_object();
  w.field("code", status);
  w.field("message", message_of(error));
  w.field("status", gemini_name(row, status));
  const auto own = own_code(error);
  const bool violation = error.kind == ErrorKind::unsupported && !error.param.empty();
  if (!own.empty() || error.retry_after_ms > 0 || violation) {
    w.key("details");
    w.begin_array();
    if (!own.empty()) {
      w.begin_object();
      w.field("@type", "type.googleapis.com/google.rpc.ErrorInfo");
      w.field("reason", own);
      w.field("domain", "gproxy");
      w.end_object();
    }
    if (error.retry_after_ms > 0) {
      w.begin_object();
      w.field("@type", "type.googleapis.com/google.rpc.RetryInfo");
      w.field("retryDelay", seconds_text(error.retry_after_ms));
      w.end_object();
    }
    if (violation) {
      w.begin_object();
      w.field("@type", "type.googleapis.com/google.rpc.BadRequest");
      w.key("fieldViolations");
      w.begin_array();
      w.begin_object();
      w.field("field", error.param);
      w.field("description", error.message);
      w.end_object();
      w.end_array();
      w.end_object();
    }
    w.end_array();
  }
  w.end_object();
}

// ---- decoding ---------------------------------------------------------------------------------

struct Word {
  std::string_view text;
  ErrorKind kind;
};
// Codes and types of OpenAI, types of Claude, status names of Gemini: they do not collide.
constexpr Word kWords[] = {
    {"context_length_exceeded", ErrorKind::context},
    {"content_policy_violation", ErrorKind::policy},
    {"content_filter", ErrorKind::policy},
    {"invalid_prompt", ErrorKind::policy},
    {"bio_policy", ErrorKind::policy},
    {"invalid_api_key", ErrorKind::auth},
    {"API_KEY_INVALID", ErrorKind::auth},
    {"insufficient_quota", ErrorKind::billing},
    {"billing_hard_limit_reached", ErrorKind::billing},
    {"billing_error", ErrorKind::billing},
    {"unsupported_country_region_territory", ErrorKind::permission},
    {"permission_denied", ErrorKind::permission},
    {"permission_error", ErrorKind::permission},
    {"PERMISSION_DENIED", ErrorKind::permission},
    {"model_not_found", ErrorKind::not_found},
    {"not_found_error", ErrorKind::not_found},
    {"NOT_FOUND", ErrorKind::not_found},
    {"conflict", ErrorKind::conflict},
    {"conflict_error", ErrorKind::conflict},
    {"ABORTED", ErrorKind::conflict},
    {"ALREADY_EXISTS", ErrorKind::conflict},
    {"request_too_large", ErrorKind::too_large},
    {"rate_limit_exceeded", ErrorKind::rate},
    {"rate_limit_error", ErrorKind::rate},
    {"requests", ErrorKind::rate},
    {"tokens", ErrorKind::rate},
    {"RESOURCE_EXHAUSTED", ErrorKind::rate},
    {"timeout", ErrorKind::timeout},
    {"timeout_error", ErrorKind::timeout},
    {"DEADLINE_EXCEEDED", ErrorKind::timeout},
    {"overloaded", ErrorKind::overloaded},
    {"overloaded_error", ErrorKind::overloaded},
    {"UNAVAILABLE", ErrorKind::overloaded},
    {"unsupported_parameter", ErrorKind::unsupported},
    {"unsupported_value", ErrorKind::unsupported},
    {"UNIMPLEMENTED", ErrorKind::unsupported},
    {"authentication_error", ErrorKind::auth},
    {"UNAUTHENTICATED", ErrorKind::auth},
    {"server_error", ErrorKind::server},
    {"internal_error", ErrorKind::server},
    {"api_error", ErrorKind::server},
    {"INTERNAL", ErrorKind::server},
    {"UNKNOWN", ErrorKind::server},
    {"DATA_LOSS", ErrorKind::server},
    {"CANCELLED", ErrorKind::cancelled},
    {"cancelled", ErrorKind::cancelled},
    {"invalid_request_error", ErrorKind::invalid},
    {"INVALID_ARGUMENT", ErrorKind::invalid},
    {"OUT_OF_RANGE", ErrorKind::invalid},
    {"FAILED_PRECONDITION", ErrorKind::invalid},
};

// Patterns that make an ill-sorted "invalid" into what it is (lower case).
constexpr Word kPatterns[] = {
    {"maximum context length", ErrorKind::context},
    {"prompt is too long", ErrorKind::context},
    {"exceed context limit", ErrorKind::context},
    {"exceeds the maximum number of tokens", ErrorKind::context},
    {"request payload size exceeds", ErrorKind::too_large},
    {"credit balance is too low", ErrorKind::billing},
    {"prohibited content", ErrorKind::policy},
    {"api key not valid", ErrorKind::auth},
};

ErrorKind kind_of_status(int status) {
  switch (status) {
    case 400:
    case 422:
      return ErrorKind::invalid;
    case 401:
      return ErrorKind::auth;
    case 402:
      return ErrorKind::billing;
    case 403:
      return ErrorKind::permission;
    case 404:
      return ErrorKind::not_found;
    case 405:
    case 501:
      return ErrorKind::unsupported;
    case 408:
    case 504:
      return ErrorKind::timeout;
    case 409:
      return ErrorKind::conflict;
    case 413:
      return ErrorKind::too_large;
    case 429:
      return ErrorKind::rate;
    case 499:
      return ErrorKind::cancelled;
    case 503:
    case 529:
      return ErrorKind::overloaded;
    default:
      return status >= 400 && status < 500 ? ErrorKind::invalid : ErrorKind::server;
  }
}

const Word* find_word(std::string_view text) {
  if (text.empty()) return nullptr;
  for (const auto& word : kWords) {
    if (word.text == text) return &word;
  }
  return nullptr;
}

bool refines(ErrorKind from) {
  return from == ErrorKind::invalid || from == ErrorKind::server || from == ErrorKind::too_large;
}

std::string strip_tags(std::string_view text) {
  std::string out;
  bool in_tag = false, space = false;
  for (const char c : text) {
    if (out.size() >= 600) break;
    if (c == '<') {
      in_tag = true;
    } else if (c == '>' && in_tag) {
      in_tag = false;
      space = true;
    } else if (!in_tag) {
      if (static_cast<unsigned char>(c) <= ' ') {
        space = true;
        continue;
      }
      if (space && !out.empty()) out += ' ';
      space = false;
      out += c;
    }
  }
  return out;
}

// A plain text body may be in any encoding: what is no UTF-8 becomes U+FFFD.
std::string repair_utf8(std::string_view text) {
  if (is_valid_utf8(text)) return std::string(text);
  std::string out;
  for (size_t i = 0; i < text.size();) {
    size_t taken = 0;
    for (size_t n = 1; n <= 4 && i + n <= text.size() && taken == 0; ++n) {
      if (is_valid_utf8(text.substr(i, n))) taken = n;
    }
    if (taken == 0) {
      out += "\xEF\xBF\xBD";
      taken = 1;
    } else {
      out += text.substr(i, taken);
    }
    i += taken;
  }
  return out;
}

int64_t duration_ms(std::string_view text) {  // "37s", "1.5s"
  if (text.empty() || text.back() != 's') return 0;
  double seconds = 0;
  const auto* end = text.data() + text.size() - 1;
  if (std::from_chars(text.data(), end, seconds).ec != std::errc{} || seconds <= 0) return 0;
  return seconds > 86400 ? 86'400'000 : static_cast<int64_t>(seconds * 1000);
}

// What the body says, in the order in which it counts.
struct Evidence {
  const Word* word = nullptr;
  std::string message;
  std::string param;
  int64_t retry_after_ms = 0;
  int status = 0;  // Gemini says it in the body, which is all there is inside a stream
};

Evidence read_body(const json::Value& root) {
  Evidence out;
  const json::Value* node = &root;
  if (node->is_array() && !node->empty()) node = &(*node)[0];
  if (const auto* error = node->find("error")) {
    node = error;
  } else if (const auto* response = node->find("response"); response && response->find("error")) {
    node = response->find("error");  // Responses: response.failed
  }
  if (node->is_string()) {
    out.message = node->str();
    if (const auto* detail = root.find("detail"); detail && detail->is_string()) {
      out.message += ": ";
      out.message += detail->str();
    }
    out.word = find_word(node->str());
    return out;
  }
  const auto& value = *node;
  out.message = value["message"].str(value["detail"].str());
  out.param = value["param"].str();
  const auto code = value["code"].int_or(0);
  if (code >= 400 && code <= 599) out.status = static_cast<int>(code);
  for (const auto& detail : value["details"].items()) {
    if (const auto delay = duration_ms(detail["retryDelay"].str())) out.retry_after_ms = delay;
    if (!out.word && detail["reason"].str() == "API_KEY_INVALID")
      out.word = find_word("API_KEY_INVALID");
  }
  for (const auto field : {"code", "type", "status"}) {
    if (out.word) break;
    out.word = find_word(value[field].str());
  }
  return out;
}

// Claude's member is always there, null where no request has a name.
void write_request_id(json::Writer& w, std::string_view id) {
  w.key("request_id");
  if (id.empty()) {
    w.null();
  } else {
    w.string(id);
  }
}

}  // namespace

int error_status(Protocol protocol, const Error& error) {
  if (error.status != 0) return error.status;
  const auto& row = row_of(error.kind);
  if (protocol == Protocol::claude) return row.claude_status;
  if (protocol == Protocol::gemini) return row.gemini_status;
  return row.openai_status;
}

std::string encode_error(Protocol protocol, const Error& error, std::string_view request_id) {
  const auto& row = row_of(error.kind);
  std::string out;
  // Nobody waits for it, and only Gemini has words for it.
  if (error.kind == ErrorKind::cancelled && protocol != Protocol::gemini) return out;
  json::Writer w(out);
  w.begin_object();
  if (protocol == Protocol::claude) {
    w.field("type", "error");
    w.key("error");
    write_claude(w, row, error);
    write_request_id(w, request_id);
  } else if (protocol == Protocol::gemini) {
    w.key("error");
    write_gemini(w, row, error, error_status(protocol, error));
  } else {
    w.key("error");
    write_openai(w, row, error);
  }
  w.end_object();
  return out;
}

std::string encode_stream_error(Protocol protocol, const Error& error, const StreamState& state) {
  const auto& row = row_of(error.kind);
  std::string body;
  json::Writer w(body);
  w.begin_object();
  switch (protocol) {
    case Protocol::claude:
      w.field("type", "error");
      w.key("error");
      write_claude(w, row, error);
      write_request_id(w, {});
      w.end_object();
      return "event: error\ndata: " + body + "\n\n";
    case Protocol::gemini: {
      w.key("error");
      write_gemini(w, row, error, error_status(protocol, error));
      w.end_object();
      if (!state.gemini_array) return "data: " + body + "\n\n";
      return (state.array_has_items ? ",\n" : "[") + body + "]";
    }
    case Protocol::openai_response: {
      const bool limited = error.kind == ErrorKind::rate;
      const auto code = limited                           ? "rate_limit_exceeded"
                        : error.kind == ErrorKind::policy ? "invalid_prompt"
                                                          : "server_error";
      if (!state.created) {
        w.field("type", "error");
        w.field("code", code);
        w.field("message", error.message);
        w.key("param");
        w.null();
        w.end_object();
        return "event: error\ndata: " + body + "\n\n";
      }
      w.field("type", "response.failed");
      w.key("response");
      w.begin_object();
      w.field("object", "response");
      w.field("status", "failed");
      w.key("error");
      w.begin_object();
      w.field("code", code);
      w.field("message", error.message);
      w.end_object();
      w.key("output");
      w.begin_array();
      w.end_array();
      w.end_object();
      w.end_object();
      return "event: response.failed\ndata: " + body + "\n\n";
    }
    default:
      w.key("error");
      write_openai(w, row, error);
      w.end_object();
      return "data: " + body + "\n\n";
  }
}

Error decode_error(Protocol upstream, int http_status, std::string_view body) {
  Error error;
  error.code = kUpstreamError;
  Evidence evidence;
  Arena arena(1024, size_t{1} << 20);
  const auto first = body.find_first_not_of(" \t\r\n");
  const bool looks_json =
      first != std::string_view::npos && (body[first] == '{' || body[first] == '[');
  if (looks_json) {
    if (auto parsed = json::parse(body, arena, {.max_depth = 32})) evidence = read_body(*parsed);
  }
  if (http_status < 400 && evidence.status != 0) http_status = evidence.status;
  error.kind = kind_of_status(http_status);
  if (evidence.word != nullptr) {
    // A type that only repeats "invalid" says less than a telling status does.
    const auto word = evidence.word->kind;
    const bool vague = word == ErrorKind::invalid || word == ErrorKind::server;
    const bool telling = !refines(error.kind) || error.kind == ErrorKind::too_large;
    if (!vague || !telling) error.kind = word;
    // Gemini has one word for a busy server and for a gateway's bad one.
    if (word == ErrorKind::overloaded && http_status == 502) error.kind = ErrorKind::server;
  }
  if (evidence.message.empty()) {
    evidence.message = looks_json ? std::string() : repair_utf8(strip_tags(body.substr(0, 8192)));
  }
  if (evidence.message.empty()) {
    evidence.message = "the upstream answered " + std::to_string(http_status);
  }
  if (refines(error.kind)) {
    const auto lower = to_lower(evidence.message);
    for (const auto& pattern : kPatterns) {
      if (lower.find(pattern.text) != std::string::npos) error.kind = pattern.kind;
    }
    if (lower.find("input token count") != std::string::npos &&
        lower.find("exceeds the maximum") != std::string::npos) {
      error.kind = ErrorKind::context;
    }
    if (upstream == Protocol::gemini && http_status == 400 &&
        lower.find("billing") != std::string::npos) {
      error.kind = ErrorKind::billing;
    }
  }
  if (error.kind == ErrorKind::server && http_status > 500 && http_status < 600) {
    error.status = 502;  // the fault is the upstream's
  }
  error.message = redact_message(evidence.message);
  error.param = std::move(evidence.param);
  error.retry_after_ms = evidence.retry_after_ms;
  return error;
}

Error as_gateway_fault(Error error) {
  error.kind = ErrorKind::server;
  error.status = 502;
  error.message = "the upstream refused the gateway's credential";
  error.param.clear();
  return error;
}

std::string redact_message(std::string_view message, size_t max_bytes) {
  static constexpr std::string_view kKeyStarts[] = {"sk-",    "AIza", "ya29.", "gsk_",
                                                    "nvapi-", "xai-", "eyJ"};
  static constexpr std::string_view kUrlStarts[] = {"http://", "https://"};
  std::string out;
  size_t i = 0;
  const auto token_end = [&](size_t from) {
    while (from < message.size() && static_cast<unsigned char>(message[from]) > ' ' &&
           message[from] != '"' && message[from] != '\'' && message[from] != ')' &&
           message[from] != ',') {
      ++from;
    }
    return from;
  };
  while (i < message.size() && out.size() < max_bytes) {
    const auto rest = message.substr(i);
    const bool fresh = i == 0 || !(std::isalnum(static_cast<unsigned char>(message[i - 1])) != 0 ||
                                   message[i - 1] == '-' || message[i - 1] == '_');
    const auto starts = [&](std::string_view prefix) { return rest.starts_with(prefix); };
    if (fresh && std::any_of(std::begin(kUrlStarts), std::end(kUrlStarts), starts)) {
      out += "[url]";
      i = token_end(i);
    } else if (fresh && std::any_of(std::begin(kKeyStarts), std::end(kKeyStarts), starts) &&
               token_end(i) - i >= 8) {
      out += "[key]";
      i = token_end(i);
    } else if (fresh && rest.size() > 7 && iequals(rest.substr(0, 7), "bearer ")) {
      out += "Bearer [key]";
      i = token_end(i + 7);
    } else {
      out += message[i++];
    }
  }
  // Never cut inside a UTF-8 sequence.
  while (i < message.size() && !out.empty() &&
         (static_cast<unsigned char>(out.back()) & 0xc0) == 0x80) {
    out.pop_back();
  }
  if (i < message.size() && !out.empty() && static_cast<unsigned char>(out.back()) >= 0xc0)
    out.pop_back();
  return out;
}

}  // namespace gproxy::translate
