// Shared by the .cc files of this folder only: the one place where libuv's header comes in.
#pragma once

#include <uv.h>

#include <string>

#include "base/error.h"

namespace gproxy::net {

inline Error uv_error(std::string what, int status) {
  return Error{ErrorKind::server, "io_error", std::move(what) + ": " + uv_strerror(status), {}};
}

}  // namespace gproxy::net
