#include "storage/writer_thread.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "storage/ring_drain.h"

namespace gproxy::storage {

namespace {

using std::chrono::milliseconds;

// The loops do not wake the writer: that would be a system call on their path. It looks at the
// rings when about so many attempts should have gathered.
constexpr size_t kPaceAttempts = 384;
constexpr int64_t kShortestPaceMs = 3;

template <class T>
void add(std::atomic<T>& counter, T by) {
  counter.fetch_add(by, std::memory_order_relaxed);
}

}  // namespace

std::string_view name(HealthState state) {
  switch (state) {
    case HealthState::ok:
      return "ok";
    case HealthState::degraded:
      return "degraded";
    case HealthState::down:
      return "down";
  }
  return "down";
}

bool takes_rows(const Health& health, int64_t now_ms) {
  const int64_t since_ms = health.writing_since_ms.load();
  return health.state.load() == HealthState::ok && (since_ms == 0 || now_ms - since_ms < kSilentMs);
}

struct WriterThread::Impl {
  Impl(std::unique_ptr<Store> s, Recorders& r, const WriterOptions& o)
      : options(o), recorders(r), drain(r, o.max_batch_rows, o.metrics), store(std::move(s)) {}

  void run_writer();
  void run_jobs(std::unique_lock<std::mutex>& lock);
  bool due(int64_t now_ms, bool asked);
  void set_pace(size_t attempts);
  void drain_once(int64_t now_ms, const PriceTable* prices);
  void maintain(int64_t now_ms, const Retention& retention);
  bool probe_due(int64_t now_ms) const;
  void probe(int64_t now_ms);
  int64_t wait_ms(int64_t now_ms) const;
  void recovered();
  void failed(const Error& error, int64_t now_ms);
  void run_reader(Reader& reader);
  bool stop();

  const WriterOptions options;
  Recorders& recorders;
  Health health;
  Clock& clock = Clock::system();

  // The writer thread's own, once it runs.
  RingDrain drain;
  std::unique_ptr<Store> store;
  int64_t pending_since_ms = 0;  // when rows were first seen waiting, 0 = none
  int64_t passed_us = 0;         // when the last pass ended
  int64_t pace_ms = 0;           // until the next look at the rings
  int64_t retry_at_ms = 0;       // 0 = the last batch went well
  int64_t backoff_ms = 0;
  int64_t failing_since_ms = 0;
  int64_t maintain_at_ms = 0;  // when housekeeping is looked at next
  int64_t heard_ms = 0;        // when the database last did what it was asked
  bool doubted = false;        // it has refused something that is not tried again by itself

  std::mutex mutex;
  std::condition_variable wake;     // the writer: jobs, flush, stop
  std::condition_variable flushed;  // callers of flush()
  std::deque<Job> jobs;
  uint64_t flush_asked = 0;
  uint64_t flush_done = 0;
  bool stopping = false;
  bool stopped = false;
  bool drained = false;
  std::shared_ptr<const PriceTable> prices;
  Retention retention;
  std::thread writer;

  std::mutex query_mutex;
  std::condition_variable query_wake;
  std::deque<Query> queries;
  bool readers_stop = false;
  std::vector<std::unique_ptr<Reader>> readers;
  std::vector<std::thread> reader_threads;
};

WriterThread::WriterThread(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
WriterThread::~WriterThread() {
  stop();
}

Result<std::unique_ptr<WriterThread>> WriterThread::start(std::unique_ptr<Store> store,
                                                          Recorders& recorders,
                                                          const WriterOptions& options) {
  auto impl = std::make_unique<Impl>(std::move(store), recorders, options);
  for (size_t i = 0; i < options.readers; ++i) {
    GP_TRY(auto reader, impl->store->open_reader());
    reader->set_timeout_ms(options.query_timeout_ms);
    impl->readers.push_back(std::move(reader));
  }
  Impl* const self = impl.get();
  impl->writer = std::thread([self] { self->run_writer(); });
  for (auto& reader : impl->readers) {
    impl->reader_threads.emplace_back([self, r = reader.get()] { self->run_reader(*r); });
  }
  return std::unique_ptr<WriterThread>(new WriterThread(std::move(impl)));
}

// ---- Callers

Result<void> WriterThread::post(Job job) {
  {
    const std::lock_guard lock(impl_->mutex);
    if (!impl_->stopping && impl_->jobs.size() < impl_->options.max_jobs) {
      impl_->jobs.push_back(std::move(job));
      impl_->wake.notify_one();
      return ok();
    }
  }
  add<uint64_t>(impl_->health.refused, 1);
  return Error{ErrorKind::overloaded, "storage_busy", "too many configuration writes are waiting"};
}

Result<void> WriterThread::query(Query query) {
  {
    const std::lock_guard lock(impl_->query_mutex);
    if (!impl_->readers_stop && !impl_->readers.empty() &&
        impl_->queries.size() < impl_->options.max_queries) {
      impl_->queries.push_back(std::move(query));
      impl_->query_wake.notify_one();
      return ok();
    }
  }
  add<uint64_t>(impl_->health.refused, 1);
  return Error{ErrorKind::overloaded, "storage_busy", "too many queries are waiting"};
}

void WriterThread::set_prices(std::shared_ptr<const PriceTable> prices) {
  const std::lock_guard lock(impl_->mutex);
  impl_->prices = std::move(prices);
}

void WriterThread::set_retention(const Retention& retention) {
  const std::lock_guard lock(impl_->mutex);
  impl_->retention = retention;
}

void WriterThread::set_observer(Observer observer) {
  // As a job: the drain belongs to the writer thread.
  auto* drain = &impl_->drain;
  (void)post([drain, observer = std::move(observer)](Store&) { drain->set_observer(observer); });
}

bool WriterThread::flush(int64_t timeout_ms) {
  std::unique_lock lock(impl_->mutex);
  if (impl_->stopped) return impl_->drained;
  const uint64_t ticket = ++impl_->flush_asked;
  impl_->wake.notify_one();
  return impl_->flushed.wait_for(lock, milliseconds(timeout_ms),
                                 [&] { return impl_->flush_done >= ticket; });
}

bool WriterThread::stop() {
  return impl_->stop();
}
const Health& WriterThread::health() const {
  return impl_->health;
}
const KeyHasher& WriterThread::key_hasher() const {
  return impl_->store->key_hasher();
}

bool WriterThread::Impl::stop() {
  {
    const std::lock_guard lock(query_mutex);
    readers_stop = true;
    queries.clear();
    query_wake.notify_all();
  }
  for (auto& reader : readers) reader->interrupt();
  for (auto& thread : reader_threads) {
    if (thread.joinable()) thread.join();
  }
  {
    const std::lock_guard lock(mutex);
    stopping = true;
    wake.notify_one();
  }
  if (writer.joinable()) writer.join();
  return drained;
}

// ---- The writer

void WriterThread::Impl::run_writer() {
  std::unique_lock lock(mutex);
  int64_t stop_before_ms = 0;
  heard_ms = clock.now_ms();
  passed_us = clock.now_us();
  pace_ms = options.flush_ms;
  for (;;) {
    run_jobs(lock);
    // As of now: stop() may come while the lock is released, and then gets a round of its own.
    const bool last_round = stopping;
    const bool asked = flush_asked != flush_done || last_round;
    const uint64_t asked_ticket = flush_asked;
    const int64_t now_ms = clock.now_ms();
    if (last_round && stop_before_ms == 0) stop_before_ms = now_ms + options.drain_timeout_ms;
    const auto prices_now = prices;
    const Retention retention_now = retention;
    lock.unlock();
    if (due(now_ms, asked)) {
      drain_once(now_ms, prices_now.get());
      if (!last_round) maintain(now_ms, retention_now);
    } else if (probe_due(now_ms)) {
      probe(now_ms);
    } else if (!last_round) {
      maintain(now_ms, retention_now);
    }
    const bool all = drain.empty();
    lock.lock();
    if (all && retry_at_ms == 0 && flush_done != asked_ticket) {
      flush_done = asked_ticket;
      flushed.notify_all();
    }
    if (last_round && jobs.empty() && (all || clock.now_ms() >= stop_before_ms)) {
      drained = all;
      break;
    }
    if (!jobs.empty() || flush_asked != asked_ticket || stopping != last_round) continue;
    const int64_t ms = wait_ms(clock.now_ms());
    if (ms > 0) wake.wait_for(lock, milliseconds(ms));
  }
  stopped = true;
  flush_done = flush_asked;
  flushed.notify_all();
  lock.unlock();
  recorders.remove_drained();
  store->checkpoint();
}

void WriterThread::Impl::run_jobs(std::unique_lock<std::mutex>& lock) {
  // At most what is waiting now: a stream of jobs must not hold up the rows.
  for (size_t n = jobs.size(); n > 0; --n) {
    Job job = std::move(jobs.front());
    jobs.pop_front();
    lock.unlock();
    job(*store);
    job = nullptr;  // what it holds dies here, not under the lock
    doubted = store->take_trouble() || doubted;
    add<uint64_t>(health.jobs, 1);
    lock.lock();
  }
}

bool WriterThread::Impl::due(int64_t now_ms, bool asked) {
  if (drain.empty()) {
    pending_since_ms = 0;
    pace_ms = std::min(2 * pace_ms, options.flush_ms);
    return false;
  }
  if (pending_since_ms == 0) pending_since_ms = now_ms;
  if (retry_at_ms != 0) return now_ms >= retry_at_ms;
  return asked || drain.waiting() >= options.flush_rows ||
         now_ms - pending_since_ms >= options.flush_ms;
}

void WriterThread::Impl::drain_once(int64_t now_ms, const PriceTable* prices) {
  health.writing_since_ms = now_ms;
  auto outcome = drain.pass(*store, prices);
  health.writing_since_ms = 0;
  if (!outcome) {
    failed(outcome.error(), now_ms);
    return;
  }
  recovered();
  pending_since_ms = outcome->more ? clock.now_ms() : 0;
  set_pace(outcome->usage);
  add<uint64_t>(health.batches, 1);
  add<uint64_t>(health.rows, outcome->rows);
  if (outcome->rejected != 0) add<uint64_t>(health.rejected_rows, outcome->rejected);
}

// As long as a batch that is worth its transaction takes to gather, at the rate of the last one. A
// loop that shares its core with the writer stands still while a batch is written: small ones at
// short distances hold it up for a millisecond, one every tenth of a second for eight.
void WriterThread::Impl::set_pace(size_t attempts) {
  const int64_t now_us = clock.now_us();
  const auto gathered = static_cast<int64_t>(std::max<size_t>(attempts, 1));
  const int64_t us = (now_us - passed_us) * static_cast<int64_t>(kPaceAttempts) / gathered;
  pace_ms = std::clamp(us / 1000, kShortestPaceMs, std::max(options.flush_ms, kShortestPaceMs));
  passed_us = now_us;
}

// One step between two batches; when there is more to do the next comes soon, yet rows go first.
void WriterThread::Impl::maintain(int64_t now_ms, const Retention& keep) {
  if (now_ms < maintain_at_ms || retry_at_ms != 0) return;
  auto more = store->maintain(keep);
  if (!more) {
    log::warn("housekeeping of the database failed", more.error());
    maintain_at_ms = now_ms + 10 * options.maintain_ms;
    doubted = store->take_trouble() || doubted;
    return;
  }
  maintain_at_ms = *more ? 0 : now_ms + options.maintain_ms;
}

// Nothing to write: a database that is gone should show all the same, and one that is back, too.
bool WriterThread::Impl::probe_due(int64_t now_ms) const {
  if (pending_since_ms != 0 || options.probe_ms <= 0) return false;
  if (doubted && retry_at_ms == 0) return true;
  return retry_at_ms != 0 ? now_ms >= retry_at_ms : now_ms - heard_ms >= options.probe_ms;
}

void WriterThread::Impl::probe(int64_t now_ms) {
  // What has failed once is believed to work again when something was written.
  const bool look = !doubted && failing_since_ms == 0;
  if (auto done = store->probe(look ? Store::Probe::look : Store::Probe::write); !done) {
    failed(done.error(), now_ms);
  } else {
    recovered();
  }
}

int64_t WriterThread::Impl::wait_ms(int64_t now_ms) const {
  if (retry_at_ms != 0) return std::max<int64_t>(retry_at_ms - now_ms, 1);
  if (pending_since_ms != 0) {
    if (drain.waiting() >= options.flush_rows) return 0;
    const int64_t left = pending_since_ms + options.flush_ms - now_ms;
    return std::clamp<int64_t>(left, 1, std::max<int64_t>(pace_ms, 1));
  }
  return stopping || maintain_at_ms == 0 ? 1 : std::max<int64_t>(pace_ms, 1);
}

void WriterThread::Impl::recovered() {
  heard_ms = clock.now_ms();
  doubted = false;
  (void)store->take_trouble();
  if (failing_since_ms == 0) return;
  log::info("the database takes rows again", {{"after_ms", heard_ms - failing_since_ms}});
  retry_at_ms = backoff_ms = failing_since_ms = 0;
  health.failing_since_us.store(0, std::memory_order_relaxed);
  health.state.store(HealthState::ok, std::memory_order_release);
}

void WriterThread::Impl::failed(const Error& error, int64_t now_ms) {
  add<uint64_t>(health.failed_batches, 1);
  health.last_error.store(error.code.data(), std::memory_order_relaxed);
  if (failing_since_ms == 0) {
    failing_since_ms = now_ms;
    health.failing_since_us.store(clock.wall_us(), std::memory_order_relaxed);
    log::error("the database does not take rows, they wait in the rings", error);
  }
  backoff_ms =
      backoff_ms == 0 ? options.retry_first_ms : std::min(backoff_ms * 2, options.retry_max_ms);
  retry_at_ms = clock.now_ms() + backoff_ms;
  const bool long_gone = now_ms - failing_since_ms >= options.down_after_ms;
  health.state.store(long_gone ? HealthState::down : HealthState::degraded,
                     std::memory_order_release);
}

// ---- The readers

void WriterThread::Impl::run_reader(Reader& reader) {
  run_behind_others();  // sums over ten days must not delay streams and batches on a busy machine
  std::unique_lock lock(query_mutex);
  for (;;) {
    query_wake.wait(lock, [&] { return readers_stop || !queries.empty(); });
    if (readers_stop) return;
    Query query = std::move(queries.front());
    queries.pop_front();
    lock.unlock();
    query(reader);
    query = nullptr;
    add<uint64_t>(health.queries, 1);
    lock.lock();
  }
}

}  // namespace gproxy::storage
