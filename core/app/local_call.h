// One request to the gproxy that runs on this machine, for sub-commands. Blocking; main thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "app/options.h"

namespace gproxy::app {

// Sends `request` (a whole HTTP/1.1 request, with "connection: close") to the options' host and
// port, or to the defaults, and returns all that is answered, head and body, at most 1 MiB. Nothing
// when nobody answers, or for `seconds` nothing comes.
std::optional<std::string> local_call(const Options& options, std::string_view request,
                                      int seconds);

}  // namespace gproxy::app
