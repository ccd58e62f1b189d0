// The last that a vendor's headers said about a credential's limits, for people to see. Kept in
// memory, bounded, by name and subject. Any thread; owned by the credential's slot.
#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "modhost/limits_hook.h"

namespace gproxy::config {

struct SeenLimit {
  std::string name;
  std::string scope;  // "account", "model:<name>", or the module's own word
  std::string unit;
  int64_t used_ppm = -1;  // -1 = not known
  int64_t limit = -1;
  int64_t remaining = -1;
  int64_t resets_at_ms = 0;  // UNIX time; 0 = not known, or past
  int64_t seen_at_ms = 0;
};

class LimitWindows {
 public:
  // Never waits: when another thread is at it, its answer is as new as this one, and this one is
  // dropped. Allocates only for windows it has not seen yet.
  void note(std::span<const modhost::LimitWindow> windows, std::string_view model,
            std::string_view operation, int64_t wall_ms);
  // By name and scope. A window whose end is past counts as unused.
  std::vector<SeenLimit> list(int64_t wall_ms) const;
  void clear();

 private:
  static constexpr size_t kMost = modhost::kMaxLimits;
  static constexpr size_t kMaxModelBytes = 128;
  static constexpr int64_t kForgetMs = 24LL * 3600 * 1000;  // after its end, or when last seen

  SeenLimit& entry(const modhost::LimitWindow& window, std::string_view prefix,
                   std::string_view subject);

  mutable std::mutex mutex_;
  std::vector<SeenLimit> seen_;
};

}  // namespace gproxy::config
