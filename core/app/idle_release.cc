#include "app/idle_release.h"

#include <algorithm>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace gproxy::app {

bool IdleRelease::due(size_t connections) {
  peak_ = std::max(peak_, connections);
  if (peak_ < kBurst || connections > peak_ / 4) {
    quiet_ = 0;
    return false;
  }
  if (++quiet_ < kQuietSeconds) return false;
  quiet_ = 0;
  peak_ = connections;
  return true;
}

void IdleRelease::release() {
#if defined(__GLIBC__)
  ::malloc_trim(0);
#endif
}

}  // namespace gproxy::app
