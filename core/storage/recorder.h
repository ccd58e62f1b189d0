// The journal of a loop: rows go into memory-mapped rings and from there, by the writer thread,
// into the database. A ring is a file: after a kill the next start finds the rows that were not
// committed yet and writes them; each row has its own id, so none is written twice. Recorder: used
// by its loop alone, never blocks, makes no system call. Recorders: main thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "storage/records.h"

namespace gproxy::storage {

class Ring;

struct RecorderOptions {
  std::string directory;    // ring_directory(); empty = rings in memory that die with the process
  std::string database_id;  // Store::database_id(): rows are never replayed into another database
  size_t usage_ring_bytes = size_t{16}
                            << 20;  // reserved on disk per loop; touched as far as it fills
  size_t log_ring_bytes = size_t{8} << 20;
};

class Recorder {
 public:
  static constexpr double kRefuseAbove = 0.9;
  // What one exchange may still write to the usage ring: the room admission keeps for each.
  static constexpr size_t kReservePerExchange = 768;

  Recorder(Ring& usage, Ring& log, uint32_t number) : usage_(usage), log_(log), number_(number) {}
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  // False only when the ring is full, which admits() prevents; it is counted as lost and logged.
  bool usage(const UsageRow& row);
  // False when dropped (and counted): the ring is above its limit. Requests go before usage.
  // Stands in the ring when this returns, and so outlives the process. False when there is no room.
  bool response(const ResponseRow& row);
  bool request(const RequestRow& row);
  bool upstream(const UpstreamRequestRow& row);
  bool event(const InternalEvent& row);
  bool body(const BodyRow& row);
  bool decision(const DecisionRow& row);

  // Fill of the usage ring, 0 .. 1.
  double level() const;
  // May a new request begin, while `in_flight` exchanges of this loop still owe their rows?
  bool admits(size_t in_flight) const;

  // Any thread.
  uint64_t dropped_logs() const { return dropped_logs_.load(std::memory_order_relaxed); }
  uint64_t lost_usage() const { return lost_usage_.load(std::memory_order_relaxed); }

 private:
  int64_t next_id(int64_t at);
  template <class Row>
  bool log_row(const Row& row);

  Ring& usage_;
  Ring& log_;
  const uint32_t number_;
  int64_t last_tick_ = 0;
  std::atomic<uint64_t> dropped_logs_{0};  // written by the loop only
  std::atomic<uint64_t> lost_usage_{0};
};

// The recorders of all loops, and the rings that earlier starts left behind. Outlives the loops and
// the writer thread.
class Recorders {
 public:
  // REQUIRES: 1 <= loops <= kMaxLoops. Error codes: "cannot_create", "database_in_use".
  static constexpr size_t kMaxLoops = 512;
  static Result<std::unique_ptr<Recorders>> open(const RecorderOptions& options, size_t loops);
  ~Recorders();

  size_t size() const { return recorders_.size(); }
  Recorder& at(size_t loop) { return *recorders_[loop]; }

  // For the writer thread: every ring that may hold rows.
  const std::vector<std::unique_ptr<Ring>>& rings() const { return rings_; }
  // Removes the files of rings nobody writes to any more and that are empty.
  void remove_drained();

  // Any thread: sums and the highest level.
  double level() const;
  uint64_t dropped_logs() const;
  uint64_t lost_usage() const;

 private:
  Recorders() = default;
  std::vector<std::unique_ptr<Ring>> rings_;  // usage and log ring of each loop, then surplus ones
  std::vector<std::unique_ptr<Recorder>> recorders_;
  int lock_fd_ = -1;
};

}  // namespace gproxy::storage
