// The --config file: JSON with comments that declares settings, providers with their credentials,
// and users with their keys. Unknown and repeated members are errors with line, column and a
// did-you-mean. Main thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "config/schema.h"

namespace gproxy::config {

struct ConfigFile {
  // The settings that the file sets, over the given ones; origins say file.
  Settings settings;
  Declared declared;
};

struct ParseOptions {
  std::string path;  // for messages; also the folder that relative *_file members start from
  Settings base;     // what the file's settings go over
};

// Error: invalid, code "config_invalid", message "<path>:<line>:<column>: …", param = JSON path.
Result<ConfigFile> parse_config(std::string_view text, const ParseOptions& options);
// Reads the file, and checks what it declares (check_declared), too.
Result<ConfigFile> load_config(const std::string& path, const Settings& base);
// "<file>:<line>:<column>: " of the member that a later error names as `param`, or of the nearest one
// around it; empty where the file holds none of it. Reads the file again.
std::string place_in_config(const std::string& file, std::string_view param);

}  // namespace gproxy::config
