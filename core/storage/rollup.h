// Usage, summed: what aggregations are answered from, so that ten million rows cost no more than
// a few. Pure; used by the writer (which makes the sums) and by readers (which merge them).
//
// Sums are kept per bucket of time (five minutes, an hour, a day) and per dimension (provider,
// credential, user or key; each by provider and model), as segments: one blob holds all entries of
// a bucket and a dimension, or of an eighth of it. Segments are only ever added; several for one
// place count together. Integers are LEB128, signed ones zigzag.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "storage/records.h"

namespace gproxy::storage {

inline constexpr int64_t kFiveMinutesUs = 300'000'000;
inline constexpr int64_t kHourUs = 3'600'000'000;
inline constexpr int64_t kDayUs = 86'400'000'000;

constexpr int64_t align_down(int64_t at, int64_t width) {
  return at - ((at % width) + width) % width;
}
constexpr int64_t align_up(int64_t at, int64_t width) {
  return align_down(at + width - 1, width);
}

// Counts of times in logarithmic buckets, eight to each doubling from half a millisecond to an
// hour: a percentile is off by at most a sixteenth. Merging loses nothing.
class Histogram {
 public:
  static constexpr size_t kBuckets = 193;
  static uint8_t bucket_of(int64_t us);
  static int64_t middle_of(uint8_t bucket);  // microseconds

  void add(int64_t us) { add_to(bucket_of(us), 1); }
  void add_to(uint8_t bucket, uint64_t count);
  void merge(const Histogram& other);
  void clear() { bars_.clear(); }
  uint64_t count() const;
  // The time that this share (0 .. 1) of all does not exceed; 0 when there are none.
  int64_t percentile(double share) const;

  struct Bar {
    uint8_t bucket;
    uint64_t count;
  };
  std::span<const Bar> bars() const { return bars_; }  // ascending, none empty

 private:
  std::vector<Bar> bars_;
};

struct UsageSums {
  int64_t attempts = 0;         // rows
  int64_t requests = 0;         // final ones: an answer went to a client
  int64_t with_usage = 0;       // rows with token counts
  int64_t estimated = 0;        // of these, counted by gproxy
  int64_t failed_attempts = 0;  // failed or truncated
  int64_t failures = 0;         // of these, final ones
  int64_t cancelled = 0;        // final ones the client left
  int64_t input = 0, output = 0, cache_read = 0, cache_write = 0, reasoning = 0;
  int64_t cost_nanousd = 0;
  int64_t priced = 0;  // rows with a cost
  Histogram duration;  // of requests that went well
  Histogram ttft;      // of the same, where a byte came

  int64_t total() const { return input + output + cache_read + cache_write; }
  void add(const UsageRow& row);
  void merge(const UsageSums& other);
};

// Sums that many entries go into, as a report's groups are: each histogram has a place for every
// bucket, so that adding is no search.
class UsageTotals {
 public:
  void add(const UsageRow& row);
  UsageSums sums() const;

 private:
  friend class EntryReader;
  using Buckets = std::array<uint64_t, Histogram::kBuckets>;
  UsageSums counts_;  // its histograms stay empty
  std::unique_ptr<Buckets> duration_, ttft_;
};

enum class Dimension : uint8_t { provider = 0, credential = 1, user = 2, key = 3 };
inline constexpr size_t kDimensions = 4;
inline constexpr int64_t kShards = 8;
enum class Level : uint8_t { five_minutes = 1, hour = 2, day = 3 };
int64_t width_of(Level level);

// The id in rollup_state of the time from which on segments of users and keys know the provider;
// without such a row all of them do.
inline constexpr int64_t kProvidersSince = 255;

// Which eighth an entry is in; provider entries are few and all in the first.
int64_t shard_of(Dimension dimension, int64_t id);

// What an entry is about. Absent parts are empty or kNoId.
struct RollupKey {
  int64_t id = kNoId;         // credential, user or key
  int64_t owner = kNoId;      // a key's user
  std::string_view provider;  // empty in segments of users and keys before kProvidersSince
  std::string_view model;
};

// Sums of one bucket and dimension.
class RollupTable {
 public:
  RollupTable() = default;
  RollupTable(RollupTable&&) = default;
  RollupTable& operator=(RollupTable&&) = default;
  void add(Dimension dimension, const UsageRow& row) { at(key_of(dimension, row)).add(row); }
  UsageSums& at(const RollupKey& key);
  void each(const std::function<void(const RollupKey&, const UsageSums&)>& visit) const;
  bool empty() const { return entries_.empty(); }
  static RollupKey key_of(Dimension dimension, const UsageRow& row);

  // One segment for each shard that holds something.
  struct Segment {
    int64_t shard;
    std::string data;
  };
  std::vector<Segment> encode(Dimension dimension) const;
  // Adds a segment's entries. False when it is damaged (what was read until then stays added).
  bool merge(std::string_view segment);

 private:
  struct Place {
    int64_t id, owner;
    uint32_t provider, model;
    bool operator==(const Place&) const = default;
  };
  struct Hash {
    size_t operator()(const Place& p) const {
      uint64_t h = static_cast<uint64_t>(p.id) * 0x9e3779b97f4a7c15u;
      h ^= (h >> 29) + static_cast<uint64_t>(p.owner) + (uint64_t{p.provider} << 32 | p.model);
      h *= 0xff51afd7ed558ccdu;
      return static_cast<size_t>(h ^ h >> 32);
    }
  };
  uint32_t intern(std::string_view text);

  std::deque<std::string> texts_;
  std::unordered_map<std::string_view, uint32_t> numbers_;
  std::unordered_map<Place, UsageSums, Hash> entries_;
};

// Adds each entry of a segment to the totals that `place` names for it; null passes it over. False
// when the segment is damaged (what was read until then stays added).
bool each_entry(std::string_view segment,
                const std::function<UsageTotals*(const RollupKey&)>& place);

// What a batch adds, as it stands in the database until it is summed into segments.
std::string encode_delta(std::span<const UsageRow* const> rows);
// Rows with what sums need; views into `delta`. False when it is damaged.
bool each_row(std::string_view delta, const std::function<void(const UsageRow&)>& visit);

// Batches that are in the database as deltas and not summed into segments yet.
class RollupPending {
 public:
  // REQUIRES: the delta with this id is committed.
  bool add(int64_t id, std::string_view delta);
  bool empty() const { return last_id_ == 0; }
  size_t rows() const { return rows_; }
  int64_t last_id() const { return last_id_; }
  using Buckets = std::unordered_map<int64_t, std::array<RollupTable, kDimensions>>;
  const Buckets& buckets() const { return buckets_; }  // by start
  void clear();

 private:
  Buckets buckets_;
  size_t rows_ = 0;
  int64_t last_id_ = 0;
};

}  // namespace gproxy::storage
