// Hands snapshots to the loops. Main builds, the Publisher posts to every loop, collects their
// acknowledgements on main and then calls done. Each loop wraps what it gets in a LoopSnapshot of
// its own, so that the reference count a request touches belongs to one core.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/result.h"
#include "config/snapshot.h"

namespace gproxy::config {

// A snapshot as one loop holds it. All members are that loop's; share it only within the loop.
class LoopSnapshot {
 public:
  explicit LoopSnapshot(std::shared_ptr<const Snapshot> base);
  const Snapshot& operator*() const { return *base_; }
  const Snapshot* operator->() const { return base_.get(); }

  // The credential's current version, opened by this snapshot's instance of the provider, with a
  // count of this loop's own. Costs one load unless the secret changed since the last call. The
  // handle keeps what it needs alive; an exchange keeps the one it started with.
  Result<modhost::CredentialHandle> credential(const ProviderEntry& provider,
                                               const CredentialEntry& credential);

 private:
  std::shared_ptr<const Snapshot> base_;
  struct Held {
    uint64_t version = 0;
    modhost::CredentialHandle handle;
  };
  std::vector<Held> held_;  // by ordinal
};

using LoopSnapshotPtr = std::shared_ptr<LoopSnapshot>;

// Runs a function on a loop. Returns false if the loop is gone: it counts as acknowledged.
class PostTarget {
 public:
  virtual bool post(std::function<void()> task) = 0;  // [any]

 protected:
  ~PostTarget() = default;
};

// One per worker: where its current snapshot stands. Loop-owned; the Publisher only sets it through
// the loop's own queue.
class SnapshotSlot {
 public:
  const LoopSnapshotPtr& current() const { return current_; }
  void set(std::shared_ptr<const Snapshot> snapshot) {
    current_ = std::make_shared<LoopSnapshot>(std::move(snapshot));
  }

 private:
  LoopSnapshotPtr current_;
};

class Publisher {
 public:
  // `main` takes the acknowledgements. Everything given outlives the Publisher. [main]
  explicit Publisher(PostTarget& main) : main_(main) {}
  // Before the loop runs. The slot gets what is in force.
  void add_loop(PostTarget& loop, SnapshotSlot& slot);

  // What is in force: what the last publish() gave. [main]
  const std::shared_ptr<const Snapshot>& current() const { return current_; }
  // `done` runs on main after every loop has the snapshot (or is gone); may run before this returns
  // only when there is no loop. Publishing again before done is fine: each has its own done.
  void publish(std::shared_ptr<const Snapshot> snapshot, std::function<void()> done = {});
  // No loop and no snapshot any more: the loops have ended. [main]
  void close() {
    loops_.clear();
    current_.reset();
  }
  size_t pending() const { return pending_; }

 private:
  struct Loop {
    PostTarget* target;
    SnapshotSlot* slot;
  };
  PostTarget& main_;
  std::vector<Loop> loops_;
  std::shared_ptr<const Snapshot> current_;
  size_t pending_ = 0;
};

}  // namespace gproxy::config
