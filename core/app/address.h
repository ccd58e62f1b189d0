// May an address be bound? Tried before it is stored, so that a typing error costs nothing: the
// socket is closed again at once. Error "cannot_bind", 409, naming the setting.
#pragma once

#include "base/result.h"
#include "config/schema.h"

namespace gproxy::app {

inline constexpr char kCannotBind[] = "cannot_bind";

// At start. The workers share their port, so a stranger's would be shared as well, and each would
// get a part of the other's connections: a port that anybody listens on is refused. Any thread.
Result<void> try_address(const config::Settings& settings);
// Of a gproxy that listens on `before`. Any thread.
Result<void> try_other_address(const config::Settings& before, const config::Settings& after);

}  // namespace gproxy::app
