// Lets the writer have SQLite's log to itself for a moment. While readers overlap without a pause,
// the log can never be begun anew and grows for as long as they do: when it has become long, the
// writer shuts the gate, readers finish what they are at, and the next ones wait until the log is
// in the database. The writer itself never waits. Owned by the SqliteStore and its readers
// together.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>

#include "storage/store.h"

namespace gproxy::storage {

class ReaderGate {
 public:
  // The writer's.
  void shut();
  void open();
  bool is_shut() const { return shut_.load(std::memory_order_relaxed); }
  bool empty() const;  // is no reader inside?

  // Readers'. Waits while it is shut, for a bounded time and not when `interrupted`.
  void enter(const std::atomic<bool>& interrupted);
  void leave();
  void wake();  // any thread: those who wait look at `interrupted`

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> shut_{false};  // written under the lock
  int inside_ = 0;
};

// `reader`, each of whose queries goes through the gate.
std::unique_ptr<Reader> behind_gate(std::unique_ptr<Reader> reader,
                                    std::shared_ptr<ReaderGate> gate);

}  // namespace gproxy::storage
