#include "gateway/login_query.h"

#include "base/base64.h"
#include "base/strings.h"

namespace gproxy::gateway {

std::optional<std::string> query_parameter(std::string_view query, std::string_view name) {
  for (const auto part : split(query, '&')) {
    const size_t eq = part.find('=');
    if (eq == std::string_view::npos || part.substr(0, eq) != name) continue;
    const auto decoded = percent_decode(part.substr(eq + 1), /*plus_is_space=*/true);
    if (!decoded) return std::nullopt;
    const auto value = trim(*decoded);
    if (value.empty()) return std::nullopt;
    return std::string(value);
  }
  return std::nullopt;
}

bool brings_login_state(std::string_view query) {
  constexpr size_t kLength = (kLoginStateBytes * 8 + 5) / 6;
  const auto state = query_parameter(query, "state");
  return state && state->size() == kLength;
}

std::string own_callback(std::string_view query, std::string_view provider,
                         std::span<const http::HeaderView> headers) {
  if (query_parameter(query, "callback") != "gateway") return {};
  // The caller has a key and sees the address in the answer: by these headers nobody is deceived
  // but himself. Of a list, the first is the outermost proxy's.
  const auto first = [&](std::string_view name) {
    const auto value = http::find(headers, name);
    return trim(value.substr(0, value.find(',')));
  };
  auto host = first("x-forwarded-host");
  if (host.empty()) host = first("host");
  constexpr std::string_view kOdd = "/\\?#@ \t\"<>";
  if (host.empty() || host.size() > 255 || host.find_first_of(kOdd) != std::string_view::npos)
    return {};
  const bool tls = iequals(first("x-forwarded-proto"), "https");
  std::string out(tls ? "https://" : "http://");
  return out.append(host).append("/").append(provider).append("/oauth/callback");
}

CallbackQuery read_callback(std::string_view query) {
  const auto read = [](std::string_view from) {
    CallbackQuery out;
    out.state = query_parameter(from, "state");
    if (query_parameter(from, "error")) {
      out.error = query_parameter(from, "error_description");
      if (!out.error) out.error = query_parameter(from, "error");
    }
    return out;
  };
  auto out = read(query);
  const auto pasted = query_parameter(query, "callback_url");
  if (!pasted) return out;
  std::string_view inner = *pasted;
  inner = inner.substr(0, inner.find('#'));
  if (const auto question = inner.find('?'); question != std::string_view::npos)
    inner.remove_prefix(question + 1);
  auto more = read(inner);
  if (!out.state) out.state = std::move(more.state);
  if (!out.error) out.error = std::move(more.error);
  return out;
}

}  // namespace gproxy::gateway
