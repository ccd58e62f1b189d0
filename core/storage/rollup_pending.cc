#include "storage/rollup_pending.h"

#include <array>

#include "storage/varint.h"

namespace gproxy::storage {
namespace {

constexpr char kDeltaVersion = 1;
constexpr size_t kDeltaNumbers = 16;  // of a row

// Flags of a row in memory.
constexpr uint8_t kFinal = 1, kHasUsage = 2, kEstimated = 4, kFailed = 8, kCancelled = 16;

// Counts the bars of a group of rows.
class Bars {
 public:
  void add(uint8_t bar) {
    if (used_ < seen_.size()) seen_[used_] = bar;
    ++used_;
    ++counts_[bar];
  }
  // Gives them to an empty histogram, in order, and begins anew.
  void move_to(Histogram& to) {
    if (used_ > seen_.size()) {
      for (size_t bar = 0; bar < counts_.size(); ++bar) give(to, static_cast<uint8_t>(bar));
    } else {
      for (size_t i = 1; i < used_; ++i) {
        const uint8_t bar = seen_[i];
        size_t at = i;
        for (; at > 0 && seen_[at - 1] > bar; --at) seen_[at] = seen_[at - 1];
        seen_[at] = bar;
      }
      for (size_t i = 0; i < used_; ++i) give(to, seen_[i]);
    }
    used_ = 0;
  }

 private:
  void give(Histogram& to, uint8_t bar) {
    if (counts_[bar] != 0) to.add_to(bar, counts_[bar]);
    counts_[bar] = 0;
  }
  std::array<uint32_t, Histogram::kBuckets> counts_{};
  std::array<uint8_t, 24> seen_{};  // few are sorted, many are all looked through
  size_t used_ = 0;
};

}  // namespace

// ---- Deltas

std::string encode_delta(std::span<const UsageRow* const> rows) {
  std::string out, body;
  TextNumbers texts;
  body.reserve(rows.size() * 48);
  int64_t last_at = 0;
  for (const UsageRow* r : rows) {
    char row[kDeltaNumbers * kMaxVarint];
    char* p = put_signed(row, r->at - last_at);
    last_at = r->at;
    p = put_signed(p, r->credential_id);
    p = put_signed(p, r->user_id);
    p = put_signed(p, r->user_key_id);
    p = put(p, texts.number_of(r->provider));
    p = put(p, texts.number_of(r->model));
    p = put(p, static_cast<uint64_t>(r->final) | static_cast<uint64_t>(r->has_usage) << 1 |
                   static_cast<uint64_t>(r->estimated) << 2 |
                   static_cast<uint64_t>(r->outcome) << 3);
    p = put_signed(p, r->input);
    p = put_signed(p, r->output);
    p = put_signed(p, r->cache_read);
    p = put_signed(p, r->cache_write);
    p = put_signed(p, r->reasoning);
    p = put_signed(p, r->cost_nanousd);
    p = put_signed(p, r->ttft_us);
    p = put_signed(p, r->duration_us);
    body.append(row, static_cast<size_t>(p - row));
  }
  out.reserve(body.size() + 64 * texts.size() + 32);
  out.push_back(kDeltaVersion);
  put(out, texts.size());
  for (uint32_t i = 0; i < texts.size(); ++i) put_text(out, texts.at(i));
  put(out, rows.size());
  return out += body;
}

bool each_row(std::string_view delta, const std::function<void(const UsageRow&)>& visit) {
  if (delta.empty() || delta.front() != kDeltaVersion) return false;
  Bytes in(delta.substr(1));
  const auto texts = in.texts();
  int64_t at = 0;
  for (size_t n = in.amount(); n > 0; --n) {
    UsageRow row;
    row.at = at += in.integer();
    row.credential_id = in.integer();
    row.user_id = in.integer();
    row.user_key_id = in.integer();
    row.provider = Bytes::text_at(texts, in.number());
    row.model = Bytes::text_at(texts, in.number());
    const uint64_t flags = in.number();
    row.final = flags & 1;
    row.has_usage = flags & 2;
    row.estimated = flags & 4;
    row.outcome = static_cast<Outcome>(
        std::min<uint64_t>(flags >> 3, static_cast<uint64_t>(Outcome::refused)));
    row.input = in.integer();
    row.output = in.integer();
    row.cache_read = in.integer();
    row.cache_write = in.integer();
    row.reasoning = in.integer();
    row.cost_nanousd = in.integer();
    row.ttft_us = in.integer();
    row.duration_us = in.integer();
    if (!in.ok()) return false;
    visit(row);
  }
  return in.ok();
}

// ---- What is pending

void RollupPending::add(const UsageRow& r) {
  const bool failed = r.outcome == Outcome::failed || r.outcome == Outcome::truncated;
  const bool timed = r.final && r.outcome == Outcome::ok;
  Row row;
  row.credential_id = r.credential_id;
  row.user_id = r.user_id;
  row.user_key_id = r.user_key_id;
  row.input = r.input;
  row.output = r.output;
  row.cache_read = r.cache_read;
  row.cache_write = r.cache_write;
  row.reasoning = r.reasoning;
  row.cost_nanousd = r.cost_nanousd;
  row.provider = texts_.number_of(r.provider);
  row.model = texts_.number_of(r.model);
  row.flags = static_cast<uint8_t>((r.final ? kFinal : 0) | (r.has_usage ? kHasUsage : 0) |
                                   (r.estimated ? kEstimated : 0) | (failed ? kFailed : 0) |
                                   (r.outcome == Outcome::cancelled ? kCancelled : 0));
  row.duration = timed ? Histogram::bucket_of(r.duration_us) : kNoBar;
  row.ttft = timed && r.ttft_us >= 0 ? Histogram::bucket_of(r.ttft_us) : kNoBar;
  buckets_[align_down(r.at, kFiveMinutesUs)].push_back(row);
  ++rows_;
}

bool RollupPending::add(std::string_view delta) {
  return each_row(delta, [this](const UsageRow& row) { add(row); });
}

void RollupPending::clear() {
  texts_ = {};
  buckets_.clear();
  rows_ = 0;
}

std::vector<int64_t> RollupPending::buckets() const {
  std::vector<int64_t> out;
  for (const auto& [bucket, rows] : buckets_) out.push_back(bucket);
  return out;
}

// UsageSums::add() without the histograms.
void RollupPending::add_to(UsageSums& sums, const Row& row) {
  const int final = row.flags & kFinal;
  const int failed = (row.flags & kFailed) / kFailed;
  sums.requests += final;
  sums.with_usage += (row.flags & kHasUsage) / kHasUsage;
  sums.estimated += (row.flags & kEstimated) / kEstimated;
  sums.failed_attempts += failed;
  sums.failures += failed & final;
  sums.cancelled += (row.flags & kCancelled) / kCancelled & final;
  sums.input += row.input;
  sums.output += row.output;
  sums.cache_read += row.cache_read;
  sums.cache_write += row.cache_write;
  sums.reasoning += row.reasoning;
  if (row.cost_nanousd >= 0) {
    sums.cost_nanousd += row.cost_nanousd;
    ++sums.priced;
  }
}

std::vector<RollupSegment> RollupPending::encode(int64_t bucket, Dimension dimension) const {
  const auto found = buckets_.find(bucket);
  if (found == buckets_.end()) return {};
  const std::vector<Row>& rows = found->second;
  struct Group {
    RollupPlace place;
    uint32_t rows = 0;
    uint32_t begin = 0;  // of its rows in `order`
  };
  FlatIndex index;
  std::vector<Group> groups;
  std::vector<uint32_t> group_of(rows.size()), order(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    const RollupPlace place = key_in<RollupPlace>(dimension, rows[i]);
    const uint32_t g = index.find_or_add(
        place.hash(), [&](uint32_t other) { return groups[other].place == place; });
    if (g == groups.size()) groups.push_back({place});
    ++groups[g].rows;
    group_of[i] = g;
  }
  uint32_t begin = 0;
  for (Group& group : groups) {
    group.begin = begin;
    begin += group.rows;
    group.rows = 0;
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    Group& group = groups[group_of[i]];
    order[group.begin + group.rows++] = static_cast<uint32_t>(i);
  }
  SegmentMaker out(dimension, texts_);
  Bars durations, ttfts;
  UsageSums sums;  // one for all: its histograms keep their memory
  for (const Group& group : groups) {
    sums.clear();
    sums.attempts = group.rows;
    for (uint32_t i = 0; i < group.rows; ++i) {
      const Row& row = rows[order[group.begin + i]];
      add_to(sums, row);
      if (row.duration != kNoBar) durations.add(row.duration);
      if (row.ttft != kNoBar) ttfts.add(row.ttft);
    }
    durations.move_to(sums.duration);
    ttfts.move_to(sums.ttft);
    out.add(group.place, sums);
  }
  return out.finish();
}

}  // namespace gproxy::storage
