// The scope under which an operation rests; models' names stand beside it, and none begins with
// '@'.
#pragma once

#include <string_view>

#include "translate/protocol.h"

namespace gproxy::gateway {

constexpr std::string_view operation_scope(translate::Operation operation) {
  using enum translate::Operation;
  switch (operation) {
    case generate:
    case stream_generate:
      return "@generate";
    case count_tokens:
      return "@count_tokens";
    case model_list:
    case model_get:
      return "@models";
    default:
      return "@other";
  }
}

}  // namespace gproxy::gateway
