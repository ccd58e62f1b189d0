// Where things go whose end belongs to the main thread: provider instances (destroy is a
// main-thread function of the ABI) and with them libraries to close. Any thread buries; main
// drains. Owned by the ModuleRegistry, shared with everything that may bury something later.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace gproxy::modhost {

class Reaper {
 public:
  // Called after a burial, on the burying thread, without a lock held: posts drain() to main.
  // [main]
  void set_wake(std::function<void()> wake);
  // [any]
  void bury(std::shared_ptr<const void> corpse);
  // Destroys what was buried, also what that buries in turn; returns how many. [main]
  size_t drain();
  // Drains; from now on burials happen at once, on the burying thread. For the end, when the loops
  // are gone. [main]
  void close();

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<const void>> corpses_;
  std::function<void()> wake_;
  bool closed_ = false;
};

}  // namespace gproxy::modhost
