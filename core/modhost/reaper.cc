#include "modhost/reaper.h"

#include <utility>

namespace gproxy::modhost {

void Reaper::set_wake(std::function<void()> wake) {
  std::lock_guard lock(mutex_);
  wake_ = std::move(wake);
}

void Reaper::bury(std::shared_ptr<const void> corpse) {
  std::function<void()> wake;
  {
    std::lock_guard lock(mutex_);
    if (!closed_) {
      corpses_.push_back(std::move(corpse));
      if (corpses_.size() == 1) wake = wake_;
    }
  }
  if (wake) wake();
}

size_t Reaper::drain() {
  size_t count = 0;
  for (;;) {
    std::vector<std::shared_ptr<const void>> batch;
    {
      std::lock_guard lock(mutex_);
      batch.swap(corpses_);
    }
    if (batch.empty()) return count;
    count += batch.size();
  }
}

void Reaper::close() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    wake_ = nullptr;
  }
  drain();
}

}  // namespace gproxy::modhost
