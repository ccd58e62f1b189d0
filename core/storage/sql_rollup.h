// Keeps the roll-ups (rollup.h) in the database. What a batch adds is written as one delta in the
// batch's own transaction; deltas are summed into segments when many have gathered; segments of a
// bucket are joined when it is over, and joined once more into hours and days. Each step is a small
// transaction of its own, so that no batch waits long. The writer thread's, owned by the SqlStore.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "storage/rollup.h"
#include "storage/rollup_pending.h"
#include "storage/sql_db.h"

namespace gproxy::storage {

class RollupKeeper {
 public:
  explicit RollupKeeper(Db& db) : db_(db) {}

  // Reads what is pending; the first time, sums up the rows that are there.
  Result<void> open(int64_t now_us);

  // In a batch's transaction: `rows` were inserted by it. Then one of the other two.
  Result<void> append(std::span<const UsageRow* const> rows, int64_t now_us);
  void committed();
  void rolled_back();

  // One small step of housekeeping, a transaction. True when another one is due.
  Result<bool> maintain(int64_t now_us);

 private:
  // Until which time a level of a dimension is complete (of five minutes: joined).
  int64_t& until(Level level, size_t dimension) {
    return until_[static_cast<size_t>(level) - 1][dimension];
  }
  Result<void> load_state(bool& found);
  Result<void> save_state(Level level, size_t dimension);
  Result<void> load_pending(int64_t now_us);
  Result<void> backfill(int64_t now_us);
  Result<void> write(const RollupPending& pending);
  Result<void> flush();
  Result<void> put(Level level, size_t dimension, int64_t bucket,
                   std::span<const RollupSegment> segments);
  Result<bool> join(Level from, Level to, size_t dimension, int64_t now_us);
  Result<size_t> join_shard(Level from, Level to, size_t dimension, int64_t bucket, int64_t shard);
  // How far a bucket is joined: the shards before `shard`. In memory alone: a new start joins it
  // again from the first.
  struct Joining {
    int64_t bucket = -1;
    int64_t shard = 0;
  };
  Joining& joining(Level to, size_t dimension) {
    return joining_[static_cast<size_t>(to) - 1][dimension];
  }

  Db& db_;
  // What the deltas hold, with those of the transaction that runs and without those it has summed.
  RollupPending pending_;
  int64_t pending_since_us_ = 0;
  std::array<std::array<int64_t, kDimensions>, 3> until_{};
  std::array<std::array<Joining, kDimensions>, 3> joining_{};
  int64_t next_delta_ = 1;
  int64_t next_segment_ = 1;

  bool touched_ = false;  // by the transaction that runs
  // A transaction that failed may be in the database all the same (the connection broke while it
  // was committed): what is pending is read again.
  bool doubtful_ = false;
};

}  // namespace gproxy::storage
