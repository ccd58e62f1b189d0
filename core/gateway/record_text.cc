#include "gateway/record_text.h"

#include <algorithm>

#include "base/json.h"
#include "base/strings.h"

namespace gproxy::gateway {
namespace {

constexpr size_t kMaxHeadersJson = 16 * 1024;

// Shown in full; every other header a client or module sets might carry a secret.
constexpr std::string_view kHarmless[] = {
    "accept",
    "accept-encoding",
    "accept-language",
    "anthropic-beta",
    "anthropic-version",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "date",
    "expect",
    "host",
    "openai-beta",
    "openai-organization",
    "openai-processing-ms",
    "openai-version",
    "request-id",
    "retry-after",
    "server",
    "transfer-encoding",
    "user-agent",
    "via",
    "x-app",
    "x-goog-api-client",
    "x-request-id",
};
constexpr std::string_view kHarmlessPrefixes[] = {"x-stainless-", "x-ratelimit-",
                                                  "anthropic-ratelimit-"};

constexpr std::string_view kSecretParameters[] = {
    "key",           "api_key",       "access_token", "refresh_token", "id_token",
    "authorization", "session_key",   "code",         "state",         "callback_url",
    "admin_key",     "client_secret", "token",
};

bool harmless(std::string_view name) {
  const auto equal = [&](std::string_view word) { return iequals(name, word); };
  const auto begins = [&](std::string_view word) {
    return name.size() > word.size() && iequals(name.substr(0, word.size()), word);
  };
  return std::any_of(std::begin(kHarmless), std::end(kHarmless), equal) ||
         std::any_of(std::begin(kHarmlessPrefixes), std::end(kHarmlessPrefixes), begins);
}

}  // namespace

std::string redacted_headers_json(std::span<const http::HeaderView> headers) {
  std::string out;
  json::Writer w(out);
  w.begin_array();
  for (const auto& header : headers) {
    if (out.size() + header.name.len + header.value.len > kMaxHeadersJson) break;
    w.begin_array();
    w.string(header.name);
    w.string(harmless(header.name) ? std::string_view(header.value) : std::string_view("***"));
    w.end_array();
  }
  w.end_array();
  return out;
}

std::string_view redacted_query(std::string_view query, Arena& arena) {
  if (query.empty()) return {};
  std::string out;
  bool changed = false;
  for (const auto pair : split(query, '&')) {
    if (!out.empty()) out += '&';
    const auto name = pair.substr(0, pair.find('='));
    const auto secret = [&](std::string_view word) { return iequals(name, word); };
    if (name.size() < pair.size() &&
        std::any_of(std::begin(kSecretParameters), std::end(kSecretParameters), secret)) {
      out.append(name);
      out += "=***";
      changed = true;
    } else {
      out.append(pair);
    }
  }
  return changed ? arena.copy(out) : query;
}

void keep_beginning(std::string& kept, std::string_view bytes) {
  if (kept.size() < kLoggedBody) kept.append(bytes.substr(0, kLoggedBody - kept.size()));
}

}  // namespace gproxy::gateway
