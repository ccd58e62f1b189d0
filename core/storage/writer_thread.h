// The storage threads: one writer that owns the Store (it drains the rings, one transaction per
// batch, and runs configuration jobs) and readers for admin queries. Owned by app; post() and
// query() may be called on any thread, never block, and refuse when their queue is full.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "base/metrics.h"
#include "base/result.h"
#include "storage/prices.h"
#include "storage/recorder.h"
#include "storage/ring_drain.h"
#include "storage/store.h"

namespace gproxy::storage {

enum class HealthState : uint8_t { ok, degraded, down };
std::string_view name(HealthState state);

// What /readyz and the metrics show. Written by the writer thread, read anywhere.
struct Health {
  // degraded: the last batch or probe failed and is being tried again. down: for long now.
  std::atomic<HealthState> state{HealthState::ok};
  std::atomic<int64_t> failing_since_us{0};  // wall clock, 0 = fine
  // A batch is being written since then (Clock::now_ms()), 0 = none: a database may just not
  // answer.
  std::atomic<int64_t> writing_since_ms{0};
  std::atomic<const char*> last_error{nullptr};  // a code, static storage; null = none so far
  std::atomic<uint64_t> batches{0};
  std::atomic<uint64_t> failed_batches{0};  // and probes
  std::atomic<uint64_t> rows{0};
  std::atomic<uint64_t> rejected_rows{0};  // rows the database would never take (logged, skipped)
  std::atomic<uint64_t> jobs{0};
  std::atomic<uint64_t> queries{0};
  std::atomic<uint64_t> refused{0};  // post() or query() with a full queue
};

// Longer than this a batch takes only where the database does not answer.
inline constexpr int64_t kSilentMs = 5'000;
// Does the database take rows, as far as one can tell at this moment? Any thread.
bool takes_rows(const Health& health, int64_t now_ms);

struct WriterOptions {
  size_t flush_rows = 128;
  int64_t flush_ms = 100;
  size_t max_batch_rows = 4096;
  size_t max_jobs = 1024;  // configuration jobs waiting
  size_t readers = 2;
  size_t max_queries = 64;  // waiting for a reader
  int64_t query_timeout_ms = 10'000;
  int64_t retry_first_ms = 50;  // doubles up to retry_max_ms
  int64_t retry_max_ms = 2'000;
  int64_t down_after_ms = 10'000;
  int64_t probe_ms = 5'000;           // how often an idle database is looked at
  int64_t maintain_ms = 1'000;        // between two looks whether housekeeping is due
  int64_t drain_timeout_ms = 10'000;  // stop(): how long a failing database is waited for
  Metrics* metrics = nullptr;         // the writer thread's own; outlives it
};

class WriterThread {
 public:
  // Runs on the writer thread. Whatever it has to tell goes back by itself: loop.post(...).
  using Job = std::function<void(Store&)>;
  using Query = std::function<void(Reader&)>;

  // Sees each batch after its commit, on the writer thread.
  using Observer = RingDrain::Observer;

  // `recorders` must outlive the WriterThread. Rows found in the rings are written first.
  static Result<std::unique_ptr<WriterThread>> start(std::unique_ptr<Store> store,
                                                     Recorders& recorders,
                                                     const WriterOptions& options = {});
  ~WriterThread();  // stop()
  WriterThread(const WriterThread&) = delete;
  WriterThread& operator=(const WriterThread&) = delete;

  // Error: overloaded "storage_busy". Jobs run in order; an accepted job always runs.
  Result<void> post(Job job);
  // `done` gets work's result, on the writer thread.
  template <class T>
  Result<void> submit(std::function<Result<T>(Store&)> work, std::function<void(Result<T>)> done) {
    return post(
        [work = std::move(work), done = std::move(done)](Store& store) { done(work(store)); });
  }
  Result<void> query(Query query);

  // From now on: what rows cost, and what housekeeping deletes. Any thread.
  void set_prices(std::shared_ptr<const PriceTable> prices);
  void set_retention(const Retention& retention);
  void set_observer(Observer observer);

  // Writes what the rings hold now; returns when it is committed (true) or the timeout is over.
  bool flush(int64_t timeout_ms);
  // Runs the accepted jobs, drains the rings, ends the threads. Loops must have stopped recording.
  // False when rows stayed in the rings (they are written at the next start).
  bool stop();

  const Health& health() const;
  const KeyHasher& key_hasher() const;

 private:
  struct Impl;
  explicit WriterThread(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gproxy::storage
