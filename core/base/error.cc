#include "base/error.h"

namespace gproxy {

int http_status(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid:
    case ErrorKind::context:
    case ErrorKind::policy:
    case ErrorKind::unsupported:
      return 400;
    case ErrorKind::auth:
      return 401;
    case ErrorKind::permission:
      return 403;
    case ErrorKind::not_found:
      return 404;
    case ErrorKind::conflict:
      return 409;
    case ErrorKind::too_large:
      return 413;
    case ErrorKind::billing:
    case ErrorKind::rate:
      return 429;
    case ErrorKind::cancelled:
      return 499;
    case ErrorKind::server:
      return 500;
    case ErrorKind::overloaded:
      return 503;
    case ErrorKind::timeout:
      return 504;
  }
  return 500;
}

std::string_view kind_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid:
      return "invalid";
    case ErrorKind::context:
      return "context";
    case ErrorKind::policy:
      return "policy";
    case ErrorKind::auth:
      return "auth";
    case ErrorKind::billing:
      return "billing";
    case ErrorKind::permission:
      return "permission";
    case ErrorKind::not_found:
      return "not_found";
    case ErrorKind::conflict:
      return "conflict";
    case ErrorKind::too_large:
      return "too_large";
    case ErrorKind::rate:
      return "rate";
    case ErrorKind::timeout:
      return "timeout";
    case ErrorKind::overloaded:
      return "overloaded";
    case ErrorKind::server:
      return "server";
    case ErrorKind::unsupported:
      return "unsupported";
    case ErrorKind::cancelled:
      return "cancelled";
  }
  return "server";
}

}  // namespace gproxy
