#include "gateway/translation.h"

namespace gproxy::gateway {
namespace {

Error not_native(std::string message) {
  Error error{ErrorKind::unsupported, "unsupported_operation", std::move(message)};
  error.status = 501;
  return error;
}

}  // namespace

Result<void> translate_exchange_request(const modhost::Resolved& resolved) {
  return not_native("this provider speaks " +
                    std::string(translate::name(resolved.target_protocol)) +
                    " only, and this gateway does not translate to it");
}

Result<std::string> translate_model_list(translate::Protocol, translate::Protocol upstream,
                                         std::string_view) {
  return not_native("model lists of " + std::string(translate::name(upstream)) +
                    " are not translated");
}

}  // namespace gproxy::gateway
