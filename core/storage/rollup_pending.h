// Rows on their way into the roll-ups: as the delta of a batch, which stands in the database until
// it is summed, and in memory, where the writer keeps what the deltas hold. Pure; the writer
// thread's, but each_row(), which readers use as well.
//
// Sums are made late and all at once: grouping some thousand rows and adding each group up costs a
// fraction of what it costs to find and change the sums of each row as it comes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/records.h"
#include "storage/rollup.h"

namespace gproxy::storage {

// What a batch adds, as it stands in the database until it is summed into segments.
std::string encode_delta(std::span<const UsageRow* const> rows);
// Rows with what sums need; views into `delta`. False when it is damaged.
bool each_row(std::string_view delta, const std::function<void(const UsageRow&)>& visit);

class RollupPending {
 public:
  void add(const UsageRow& row);
  // The rows of a delta. False when it is damaged (what was read until then stays added).
  bool add(std::string_view delta);
  bool empty() const { return rows_ == 0; }
  size_t rows() const { return rows_; }
  void clear();

  // The five minutes that rows are in, ascending.
  std::vector<int64_t> buckets() const;
  // Their sums.
  std::vector<RollupSegment> encode(int64_t bucket, Dimension dimension) const;

 private:
  // A row as sums see it.
  struct Row {
    int64_t credential_id, user_id, user_key_id;
    int64_t input, output, cache_read, cache_write, reasoning, cost_nanousd;
    uint32_t provider, model;
    uint8_t flags;
    uint8_t duration, ttft;  // the histograms' buckets, kNoBar: not counted
  };
  static constexpr uint8_t kNoBar = 255;
  static_assert(Histogram::kBuckets <= kNoBar);
  static void add_to(UsageSums& sums, const Row& row);

  TextNumbers texts_;
  std::map<int64_t, std::vector<Row>> buckets_;  // by start
  size_t rows_ = 0;
};

}  // namespace gproxy::storage
