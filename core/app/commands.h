// The sub-commands, one file each. They return the process's exit code.
#pragma once

#include <string>

#include "app/options.h"

namespace gproxy::app {

std::string version_text(bool json);
int run_check(const Options& options);
int run_module(const Options& options);
int run_health(const Options& options);
int run_rekey(const Options& options);
int run_translate(const Options& options);
int run_why(const Options& options);

}  // namespace gproxy::app
