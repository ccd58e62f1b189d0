// Where a configured thing was declared. What a file, a variable or the command line declares is
// shown with it and answered with 409 managed_by_<origin> when the admin API would change it.
#pragma once

#include <cstdint>
#include <string_view>

namespace gproxy::config {

enum class Origin : uint8_t { db, file, env, cli };

constexpr std::string_view name(Origin origin) {
  switch (origin) {
    case Origin::db:
      return "db";
    case Origin::file:
      return "file";
    case Origin::env:
      return "env";
    case Origin::cli:
      return "cli";
  }
  return "db";
}

}  // namespace gproxy::config
