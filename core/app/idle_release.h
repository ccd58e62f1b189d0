// After a burst the C library keeps what was freed, in small pieces among what is in use. This
// decides when it is worth asking for it back: once the connections of a burst are gone and have
// stayed away for a while. Main thread; owned by the server.
#pragma once

#include <cstddef>

namespace gproxy::app {

class IdleRelease {
 public:
  // Once a second, with the connections that are open now. True when memory should be released.
  bool due(size_t connections);
  // Gives unused memory back to the system: some milliseconds. Does nothing where the C library has
  // no such call.
  static void release();

 private:
  static constexpr size_t kBurst = 256;  // fewer connections are not worth the work
  static constexpr int kQuietSeconds = 5;

  size_t peak_ = 0;  // since the last release
  int quiet_ = 0;    // seconds that few of them were left
};

}  // namespace gproxy::app
