// What the built-in modules say of themselves alike.
#pragma once

#include <cstddef>
#include <string_view>

#include "gproxy/module.hpp"

namespace gproxy_common {

// `id`: "dev.gproxy.<name>". The list of kinds must outlive the module.
template <size_t N>
constexpr gp_info built_in(std::string_view id, std::string_view title,
                           const gp_kind* const (&kinds)[N]) {
  return {sizeof(gp_info),
          0,
          gp::str(id),
          gp::str(title),
          gp::str("0.1.0"),
          gp::str("AGPL-3.0-or-later"),
          {},
          kinds,
          N};
}

}  // namespace gproxy_common
