#include "upstream/client.h"

namespace gproxy::upstream {

std::string_view name(FailureKind kind) {
  switch (kind) {
    case FailureKind::none:
      return "none";
    case FailureKind::connect:
      return "connect";
    case FailureKind::dns:
      return "dns";
    case FailureKind::tls:
      return "tls";
    case FailureKind::connect_timeout:
      return "connect_timeout";
    case FailureKind::first_byte_timeout:
      return "first_byte_timeout";
    case FailureKind::idle_timeout:
      return "idle_timeout";
    case FailureKind::total_timeout:
      return "total_timeout";
    case FailureKind::reset:
      return "reset";
    case FailureKind::protocol:
      return "protocol";
    case FailureKind::too_large:
      return "too_large";
    case FailureKind::proxy:
      return "proxy";
    case FailureKind::aborted:
      return "aborted";
    case FailureKind::other:
      return "other";
  }
  return "other";
}

}  // namespace gproxy::upstream
