#include "gateway/router.h"

#include <algorithm>
#include <string>

#include "base/base64.h"
#include "base/strings.h"

namespace gproxy::gateway {
namespace {

using translate::Operation;
using translate::Protocol;

constexpr std::string_view kTuned = "tunedModels/";
constexpr std::string_view kModels = "models/";

// What the wildcards of a pattern took.
struct Captures {
  std::string_view segment;  // {id}
  std::string_view rest;     // {model*}, {path*}
};

bool matches(std::string_view pattern, std::string_view path, Captures& captures) {
  size_t at = 0;
  while (!pattern.empty()) {
    const size_t brace = pattern.find('{');
    const auto literal = pattern.substr(0, brace);
    if (path.substr(at, literal.size()) != literal) return false;
    at += literal.size();
    if (brace == std::string_view::npos) return at == path.size();
    const size_t close = pattern.find('}', brace);
    if (pattern[close - 1] == '*') {
      captures.rest = path.substr(at);
      return !captures.rest.empty();
    }
    size_t end = path.find('/', at);
    if (end == std::string_view::npos) end = path.size();
    captures.segment = path.substr(at, end - at);
    if (captures.segment.empty()) return false;
    at = end;
    pattern.remove_prefix(close + 1);
  }
  return at == path.size();
}

// A quick no by the literal start of the pattern.
bool may_match(std::string_view pattern, std::string_view path) {
  const size_t n = std::min<size_t>(pattern.size(), 7);
  for (size_t i = 1; i < n && pattern[i] != '{'; ++i) {
    if (i >= path.size() || pattern[i] != path[i]) return false;
  }
  return true;
}

std::string_view decode(std::string_view text, Arena& arena) {
  if (text.find('%') == std::string_view::npos) return text;
  const auto decoded = percent_decode(text);
  return decoded ? arena.copy(*decoded) : std::string_view();
}

bool has_verb(const RouteRow& row) {
  return row.pattern.ends_with("{verb}");
}

// Splits a Gemini tail at its last colon and reads the verb.
void take_verb(std::string_view tail, RouteMatch& match) {
  const size_t colon = tail.rfind(':');
  if (colon == std::string_view::npos) {
    match.bad_verb = true;
    return;
  }
  const auto verb = trim(tail.substr(colon + 1));
  match.model = trim(tail.substr(0, colon));
  if (verb == "generateContent") {
    match.operation = Operation::generate;
  } else if (verb == "streamGenerateContent") {
    match.operation = Operation::stream_generate;
  } else if (verb == "countTokens") {
    match.operation = Operation::count_tokens;
  }
  match.bad_verb = match.operation == Operation::none || match.model.empty();
}

// Fills what the row says; `path` is behind the provider.
void take_row(const RouteRow& row, const Captures& captures, Arena& arena, RouteMatch& match) {
  match.kind = row.kind;
  match.protocol = row.protocol;
  match.operation = row.operation;
  match.by_key = row.kind == RouteKind::llm && row.protocol == Protocol::none;
  if (!captures.segment.empty()) match.resource = decode(captures.segment, arena);
  if (captures.rest.empty() || row.kind != RouteKind::llm) return;
  const auto tail = decode(captures.rest, arena);
  match.model = tail;
  if (has_verb(row)) take_verb(tail, match);
  if (row.pattern.find(kTuned) != std::string_view::npos) {
    match.model = arena.concat({kTuned, match.model});
  } else if (match.model.starts_with(kModels)) {
    match.model.remove_prefix(kModels.size());
  }
}

// Nothing matched below /v1 or /v1beta: whose error shape it gets.
Protocol guess_protocol(std::string_view path) {
  if (path.starts_with("/v1beta")) return Protocol::gemini;
  if (path.starts_with("/v1/messages") || path.starts_with("/v1/complete")) return Protocol::claude;
  return Protocol::openai;
}

bool below_version(std::string_view path) {
  return path == "/v1" || path == "/v1beta" || path.starts_with("/v1/") ||
         path.starts_with("/v1beta/");
}

}  // namespace

bool is_provider_name(std::string_view text) {
  if (text.empty() || text.size() > 64) return false;
  return std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

RouteMatch route(std::string_view method_text, std::string_view path, Arena& arena) {
  RouteMatch match;
  const auto method = parse_method(method_text);

  auto rest = path;
  const bool aggregate = below_version(path);
  if (!aggregate && path.size() > 1) {
    size_t end = path.find('/', 1);
    if (end == std::string_view::npos) end = path.size();
    match.provider = path.substr(1, end - 1);
    rest = path.substr(end);
  }
  const bool below_provider = is_provider_name(match.provider);

  const RouteRow* found = nullptr;
  Captures found_captures;
  std::string allow;
  const auto target = aggregate ? path : rest;
  for (const auto& row : route_table()) {
    // Most rows differ in their first bytes: "/v1/chat" and "/v1/mess", "/v1beta".
    if (!may_match(row.pattern, row.scope == RouteScope::root ? path : target)) continue;
    Captures captures;
    const bool root_match = row.scope == RouteScope::root ? matches(row.pattern, path, captures)
                            : row.scope == RouteScope::both && aggregate
                                ? matches(row.pattern, path, captures)
                                : below_provider && matches(row.pattern, rest, captures);
    if (!root_match) continue;
    // Without models/ only a colon tells a Gemini call from an unknown path.
    if (has_verb(row) && !row.pattern.ends_with("odels/{model*}:{verb}") &&
        decode(captures.rest, arena).find(':') == std::string_view::npos) {
      continue;
    }
    // HEAD is asked of whatever GET answers.
    const bool fits = row.method == method || row.method == Method::other ||
                      (method == Method::head && row.method == Method::get);
    if (fits) {
      found = &row;
      found_captures = captures;
      break;
    }
    if (row.kind == RouteKind::probe) continue;
    const auto word = name(row.method);
    if (allow.find(word) == std::string::npos) {
      if (!allow.empty()) allow += ", ";
      allow += word;
      if (row.method == Method::get && allow.find("HEAD") == std::string::npos) allow += ", HEAD";
    }
  }
  if (found != nullptr) {
    const bool at_root = found->scope == RouteScope::root;
    match.aggregate = !at_root && aggregate;
    if (at_root || aggregate) match.provider = {};
    match.path = at_root || aggregate ? path : rest;
    take_row(*found, found_captures, arena, match);
    return match;
  }
  const bool below = aggregate || (below_provider && below_version(rest));
  match.path = aggregate ? path : rest;
  if (below) match.protocol = guess_protocol(match.path);
  match.aggregate = aggregate;
  if (aggregate) match.provider = {};
  if (!allow.empty()) {
    match.kind = RouteKind::method_not_allowed;
    match.allow = arena.copy(allow);
  } else {
    match.kind = below ? RouteKind::unknown_operation : RouteKind::not_found;
  }
  return match;
}

void settle_protocol(RouteMatch& match, bool has_anthropic_version, KeySource source) {
  const bool unknown =
      match.kind == RouteKind::unknown_operation && match.protocol == Protocol::openai;
  if (!match.by_key && !unknown) return;
  if (has_anthropic_version) {
    match.protocol = Protocol::claude;
  } else if (match.by_key && (source == KeySource::x_goog_api_key || source == KeySource::query)) {
    match.protocol = Protocol::gemini;
  } else {
    match.protocol = Protocol::openai;
  }
}

ProviderModel split_provider_model(std::string_view text, Arena& arena) {
  text = trim(text);
  while (text.starts_with('/')) text.remove_prefix(1);
  const bool tuned = text.starts_with(kTuned);
  if (tuned) {
    text.remove_prefix(kTuned.size());
  } else if (text.starts_with(kModels)) {
    text.remove_prefix(kModels.size());
  }
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return {};
  ProviderModel out{trim(text.substr(0, slash)), trim(text.substr(slash + 1))};
  if (out.provider.empty() || out.model.empty()) return {};
  if (tuned) out.model = arena.concat({kTuned, out.model});
  return out;
}

}  // namespace gproxy::gateway
