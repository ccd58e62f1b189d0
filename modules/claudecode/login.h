// What is known of an account besides its tokens. Views into the arena of one step.
#pragma once

#include <string_view>

namespace gproxy_claudecode {

struct Profile {
  std::string_view subscription, tier, email, account, organization;
};

}  // namespace gproxy_claudecode
