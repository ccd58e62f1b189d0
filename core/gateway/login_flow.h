// What a login leaves in the store until its callback: its state, who began it, and the module's
// own text. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/secret.h"
#include "config/snapshot.h"
#include "storage/records.h"

namespace gproxy::gateway {

struct LoginFlow {
  std::string state;                // stands here too: a callback without one still gets it
  int64_t key_id = storage::kNoId;  // of the opener; none: the administrator's key
  std::string module;               // the step machine's flow

  Secret text() const;
  static LoginFlow read(std::string_view text);
};

// May the opener's key still do it? Its user, its end and its permission are looked at as they are
// now: a browser that comes back without a key brings no other right than the opener's. [wall_us:
// microseconds since 1970]
bool opener_may_finish(const config::Snapshot& snapshot, int64_t user_id, int64_t key_id,
                       int64_t wall_us);

}  // namespace gproxy::gateway
