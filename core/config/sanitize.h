// Texts from the command line and the environment: trimmed, empty means unset, and an unexpanded
// "${NAME}" of some platform's template means unset too. Also NAME_FILE variables, whose file holds
// the value. Main thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gproxy::config {

std::optional<std::string> sanitize(std::string_view raw);

// 1|true|yes|on and 0|false|no|off, without case.
std::optional<bool> parse_bool(std::string_view text);

// Reads variables; tests give their own.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment process_environment();

// The sanitised value of NAME, else the trimmed content of the file that NAME_FILE names. Both set
// is an error, and so is a file that cannot be read.
Result<std::optional<std::string>> read_variable(const Environment& environment,
                                                 const std::string& name);

// A secret from a file: at most 64 KiB, without the final line break. Error: param = `field`.
Result<std::string> read_secret_file(const std::string& path, std::string_view field);

}  // namespace gproxy::config
