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
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "storage/flat_index.h"
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
  void add_to(uint8_t bucket, uint64_t count) {
    if (bars_.empty() || bars_.back().bucket < bucket) {
      bars_.push_back({bucket, count});
    } else {
      add_between(bucket, count);
    }
  }
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
  void add_between(uint8_t bucket, uint64_t count);
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
  void clear();  // the histograms keep their memory
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

// The same with texts as numbers.
struct RollupPlace {
  int64_t id = kNoId, owner = kNoId;
  uint32_t provider = 0, model = 0;
  bool operator==(const RollupPlace&) const = default;
  uint64_t hash() const {
    const uint64_t h = mix_hash(static_cast<uint64_t>(id), static_cast<uint64_t>(owner));
    return mix_hash(h, uint64_t{provider} << 32 | model);
  }
};

// What a row counts for in a dimension, as a RollupKey or a RollupPlace: whichever the row's texts
// are of.
template <class Key, class Row>
Key key_in(Dimension dimension, const Row& row) {
  Key key;
  key.provider = row.provider;
  key.model = row.model;
  switch (dimension) {
    case Dimension::provider:
      break;
    case Dimension::credential:
      key.id = row.credential_id;
      break;
    case Dimension::user:
      key.id = row.user_id;
      break;
    case Dimension::key:
      key.id = row.user_key_id;
      key.owner = row.user_id;
      break;
  }
  return key;
}

// The entries of one shard, as they are stored.
struct RollupSegment {
  int64_t shard;
  std::string data;
};

// Makes the segments of a bucket and dimension, one for each shard that holds something.
class SegmentMaker {
 public:
  // `texts` are those of the places, and must outlive this.
  SegmentMaker(Dimension dimension, const TextNumbers& texts);
  // REQUIRES: each place once.
  void add(const RollupPlace& place, const UsageSums& sums);
  std::vector<RollupSegment> finish() const;

 private:
  static constexpr uint32_t kNoText = UINT32_MAX;
  struct Part {
    std::vector<uint32_t> number_of;  // a text's number in this segment, by its number in texts_
    std::vector<uint32_t> texts;
    std::string entries;
    size_t count = 0;
  };
  uint32_t text_in(Part& part, uint32_t text);

  const Dimension dimension_;
  const TextNumbers& texts_;
  std::array<Part, static_cast<size_t>(kShards)> parts_;
};

// Sums of one bucket and dimension.
class RollupTable {
 public:
  RollupTable() = default;
  RollupTable(RollupTable&&) = default;
  RollupTable& operator=(RollupTable&&) = default;
  void add(Dimension dimension, const UsageRow& row) {
    at(key_in<RollupKey>(dimension, row)).add(row);
  }
  UsageSums& at(const RollupKey& key);
  void each(const std::function<void(const RollupKey&, const UsageSums&)>& visit) const;
  bool empty() const { return entries_.empty(); }

  std::vector<RollupSegment> encode(Dimension dimension) const;
  // Adds a segment's entries. False when it is damaged (what was read until then stays added).
  bool merge(std::string_view segment);

 private:
  struct Entry {
    RollupPlace place;
    UsageSums sums;
  };
  TextNumbers texts_;
  FlatIndex index_;
  std::vector<Entry> entries_;
};

// Adds each entry of a segment to the totals that `place` names for it; null passes it over. False
// when the segment is damaged (what was read until then stays added).
bool each_entry(std::string_view segment,
                const std::function<UsageTotals*(const RollupKey&)>& place);

}  // namespace gproxy::storage
