// One pass over the rings: frames become rows of a batch, the batch a transaction, and what is
// committed is given back. The writer thread's; also used alone by tools that empty rings without a
// server.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/result.h"
#include "storage/book_metrics.h"
#include "storage/prices.h"
#include "storage/recorder.h"
#include "storage/store.h"

namespace gproxy::storage {

class RingDrain {
 public:
  RingDrain(Recorders& recorders, size_t max_batch_rows, Metrics* metrics = nullptr)
      : recorders_(recorders), max_batch_rows_(max_batch_rows) {
    if (metrics != nullptr) metrics_.emplace(*metrics);
  }

  struct Outcome {
    size_t rows = 0;      // committed, replayed ones included
    size_t usage = 0;     // of these, attempts
    size_t rejected = 0;  // rows the database will never take: logged and given up
    bool more = false;    // rows are left for another pass
  };
  // Fails when the database did: nothing is given back then, the next pass tries the same rows.
  // `prices`, where given, fills the cost of usage rows.
  Result<Outcome> pass(Store& store, const PriceTable* prices = nullptr);

  // Sees each batch after its commit, on the thread that calls pass(); views live during the call.
  using Observer = std::function<void(const Batch&)>;
  void set_observer(Observer observer) { observer_ = std::move(observer); }

  // Frames published and not yet given back (an estimate, for the decision to flush).
  size_t waiting() const;
  bool empty() const;

 private:
  struct Rows {
    std::vector<UsageRow> usage;
    std::vector<RequestRow> requests;
    std::vector<UpstreamRequestRow> upstream;
    std::vector<InternalEvent> events;
    std::vector<ResponseRow> responses;
    std::vector<BodyRow> bodies;
    std::vector<DecisionRow> decisions;
    size_t size() const { return batch().rows(); }
    void clear();
    Batch batch() const {
      return {.usage = usage,
              .requests = requests,
              .upstream = upstream,
              .events = events,
              .responses = responses,
              .bodies = bodies,
              .decisions = decisions};
    }
  };
  // Adds what the frame holds; false when it holds no row.
  static bool take(uint32_t type, std::string_view payload, Rows& rows);
  // Row by row after a batch was rejected: one bad row must not hold up the rest.
  Result<size_t> one_by_one(Store& store);
  template <class Row, class Put>
  Result<void> each(const std::vector<Row>& rows, size_t& rejected, Put put);

  Recorders& recorders_;
  const size_t max_batch_rows_;
  std::optional<BookMetrics> metrics_;
  Rows rows_;
  Observer observer_;
  std::vector<uint64_t> cursors_;
  std::vector<uint64_t> drained_;  // frames given back, per ring
  size_t first_ring_ = 0;          // rotates, so that no ring starves
};

}  // namespace gproxy::storage
