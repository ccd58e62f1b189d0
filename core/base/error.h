// What can go wrong, as data. Errors travel in Result<T>; nothing throws across a floor.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace gproxy {

// The neutral kind of a failure. Each protocol's status, type and code follow from it
// (gateway/local_reply, translate/errors); so does the default HTTP status.
enum class ErrorKind : uint8_t {
  invalid,      // 400: the client's request is wrong
  context,      // 400: the prompt exceeds the model's window
  policy,       // 400: refused by content policy
  auth,         // 401: the client's own key
  billing,      // 402/429: quota or credit exhausted
  permission,   // 403
  not_found,    // 404
  conflict,     // 409
  too_large,    // 413
  rate,         // 429
  timeout,      // 504
  overloaded,   // 503 (Claude: 529)
  server,       // 500, or 502 where the upstream is at fault (Error::status says so)
  unsupported,  // 400 unsupported field, or 501 unsupported operation (Error::status)
  cancelled,    // 499: the client is gone
};

// Default HTTP status of a kind, in OpenAI's reading.
int http_status(ErrorKind kind);
std::string_view kind_name(ErrorKind kind);

// A failure. `code` is gproxy's own stable word (reference: no_active_credentials,
// provider_not_found, …), a literal; it goes into the header x-gproxy-error and into the protocol's
// code field. Messages are lower case, have no full stop, say what was expected and what came, and
// never hold a secret or a body.
struct Error {
  ErrorKind kind = ErrorKind::server;
  std::string_view code = "internal_error";  // static storage
  std::string message;
  std::string param = {};      // path of the offending field, where there is one
  int status = 0;              // HTTP status where it differs from the kind's default
  int64_t retry_after_ms = 0;  // hint for retry-after, 0 = none

  int http() const { return status != 0 ? status : http_status(kind); }

  Error& with_param(std::string path) & {
    param = std::move(path);
    return *this;
  }
  Error&& with_param(std::string path) && {
    param = std::move(path);
    return std::move(*this);
  }
  Error&& with_status(int http_status) && {
    status = http_status;
    return std::move(*this);
  }
};

inline Error invalid_error(std::string message, std::string param = {}) {
  return Error{ErrorKind::invalid, "invalid_request", std::move(message), std::move(param)};
}
inline Error internal_error(std::string message) {
  return Error{ErrorKind::server, "internal_error", std::move(message)};
}

}  // namespace gproxy
