#include "storage/rollup.h"

#include <algorithm>
#include <bit>
#include <iterator>

#include "storage/varint.h"

namespace gproxy::storage {
namespace {

constexpr char kSegmentVersion = 1;
constexpr int kFirstOctave = 9;  // 512 µs
constexpr int kSubBits = 3;

// An entry at its longest.
constexpr size_t kMaxEntry = (4 + 14 + 2 * (1 + 2 * Histogram::kBuckets)) * kMaxVarint;

char* put_histogram(char* p, const Histogram& h) {
  p = put(p, h.bars().size());
  for (const auto& bar : h.bars()) {
    p = put(p, bar.bucket);
    p = put(p, bar.count);
  }
  return p;
}
void get_histogram(Bytes& in, Histogram& h) {
  for (size_t n = in.amount(); n > 0; --n) {
    const uint64_t bucket = in.number();
    h.add_to(static_cast<uint8_t>(std::min<uint64_t>(bucket, Histogram::kBuckets - 1)),
             in.number());
  }
}

constexpr int64_t UsageSums::*kCounts[] = {
    &UsageSums::attempts,     &UsageSums::requests,        &UsageSums::with_usage,
    &UsageSums::estimated,    &UsageSums::failed_attempts, &UsageSums::failures,
    &UsageSums::cancelled,    &UsageSums::input,           &UsageSums::output,
    &UsageSums::cache_read,   &UsageSums::cache_write,     &UsageSums::reasoning,
    &UsageSums::cost_nanousd, &UsageSums::priced,
};

}  // namespace

// ---- Histogram

uint8_t Histogram::bucket_of(int64_t us) {
  if (us < (int64_t{1} << kFirstOctave)) return 0;
  const auto value = static_cast<uint64_t>(us);
  const int octave = std::bit_width(value) - 1;
  const auto sub = static_cast<int>(value >> (octave - kSubBits) & ((1 << kSubBits) - 1));
  const int bucket = 1 + ((octave - kFirstOctave) << kSubBits) + sub;
  return static_cast<uint8_t>(std::min<int>(bucket, kBuckets - 1));
}

int64_t Histogram::middle_of(uint8_t bucket) {
  if (bucket == 0) return int64_t{1} << (kFirstOctave - 1);
  const int octave = kFirstOctave + ((bucket - 1) >> kSubBits);
  const int64_t sub = (bucket - 1) & ((1 << kSubBits) - 1);
  const int64_t width = int64_t{1} << (octave - kSubBits);
  return (int64_t{1} << octave) + sub * width + width / 2;
}

void Histogram::add_between(uint8_t bucket, uint64_t count) {
  const auto at = std::lower_bound(bars_.begin(), bars_.end(), bucket,
                                   [](const Bar& bar, uint8_t b) { return bar.bucket < b; });
  if (at->bucket == bucket) {
    at->count += count;
  } else {
    bars_.insert(at, {bucket, count});
  }
}

void Histogram::merge(const Histogram& other) {
  if (bars_.empty()) {
    bars_ = other.bars_;
    return;
  }
  if (other.bars_.size() * 8 < bars_.size()) {  // a few into many: they are looked for
    for (const Bar& bar : other.bars_) add_to(bar.bucket, bar.count);
    return;
  }
  // Both ascend: one walk, and mostly nothing is to be put in between.
  size_t i = 0;
  for (const Bar& bar : other.bars_) {
    while (i < bars_.size() && bars_[i].bucket < bar.bucket) ++i;
    if (i < bars_.size() && bars_[i].bucket == bar.bucket) {
      bars_[i].count += bar.count;
    } else {
      bars_.insert(bars_.begin() + static_cast<std::ptrdiff_t>(i), bar);
    }
  }
}

uint64_t Histogram::count() const {
  uint64_t sum = 0;
  for (const Bar& bar : bars_) sum += bar.count;
  return sum;
}

int64_t Histogram::percentile(double share) const {
  const uint64_t all = count();
  if (all == 0) return 0;
  const auto wanted =
      std::max<uint64_t>(1, static_cast<uint64_t>(share * static_cast<double>(all) + 0.9999));
  uint64_t seen = 0;
  for (const Bar& bar : bars_) {
    seen += bar.count;
    if (seen >= wanted) return middle_of(bar.bucket);
  }
  return middle_of(bars_.back().bucket);
}

// ---- Sums

namespace {

void add_counts(UsageSums& sums, const UsageRow& row) {
  const bool failed = row.outcome == Outcome::failed || row.outcome == Outcome::truncated;
  ++sums.attempts;
  sums.requests += row.final;
  sums.with_usage += row.has_usage;
  sums.estimated += row.estimated;
  sums.failed_attempts += failed;
  sums.failures += failed && row.final;
  sums.cancelled += row.final && row.outcome == Outcome::cancelled;
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

// Latencies are those of requests that went well.
bool is_timed(const UsageRow& row) {
  return row.final && row.outcome == Outcome::ok;
}

}  // namespace

void UsageSums::add(const UsageRow& row) {
  add_counts(*this, row);
  if (!is_timed(row)) return;
  duration.add(row.duration_us);
  if (row.ttft_us >= 0) ttft.add(row.ttft_us);
}

void UsageSums::merge(const UsageSums& other) {
  for (auto member : kCounts) this->*member += other.*member;
  duration.merge(other.duration);
  ttft.merge(other.ttft);
}

void UsageTotals::add(const UsageRow& row) {
  add_counts(counts_, row);
  if (!is_timed(row)) return;
  const auto add_time = [](std::unique_ptr<Buckets>& buckets, int64_t us) {
    if (buckets == nullptr) buckets = std::make_unique<Buckets>();
    ++(*buckets)[Histogram::bucket_of(us)];
  };
  add_time(duration_, row.duration_us);
  if (row.ttft_us >= 0) add_time(ttft_, row.ttft_us);
}

UsageSums UsageTotals::sums() const {
  UsageSums out = counts_;
  const auto put_bars = [](Histogram& bars, const std::unique_ptr<Buckets>& buckets) {
    if (buckets == nullptr) return;
    for (size_t i = 0; i < buckets->size(); ++i) {
      if ((*buckets)[i] > 0) bars.add_to(static_cast<uint8_t>(i), (*buckets)[i]);
    }
  };
  put_bars(out.duration, duration_);
  put_bars(out.ttft, ttft_);
  return out;
}

void UsageSums::clear() {
  for (auto member : kCounts) this->*member = 0;
  duration.clear();
  ttft.clear();
}

int64_t width_of(Level level) {
  switch (level) {
    case Level::five_minutes:
      return kFiveMinutesUs;
    case Level::hour:
      return kHourUs;
    case Level::day:
      return kDayUs;
  }
  return kFiveMinutesUs;
}

int64_t shard_of(Dimension dimension, int64_t id) {
  return dimension == Dimension::provider ? 0 : (id % kShards + kShards) % kShards;
}

// ---- Tables

UsageSums& RollupTable::at(const RollupKey& key) {
  const RollupPlace place = {key.id, key.owner, texts_.number_of(key.provider),
                             texts_.number_of(key.model)};
  const uint32_t n = index_.find_or_add(
      place.hash(), [&](uint32_t other) { return entries_[other].place == place; });
  if (n == entries_.size()) entries_.push_back({place, {}});
  return entries_[n].sums;
}

void RollupTable::each(const std::function<void(const RollupKey&, const UsageSums&)>& visit) const {
  for (const Entry& e : entries_) {
    visit({e.place.id, e.place.owner, texts_.at(e.place.provider), texts_.at(e.place.model)},
          e.sums);
  }
}

std::vector<RollupSegment> RollupTable::encode(Dimension dimension) const {
  SegmentMaker out(dimension, texts_);
  for (const Entry& e : entries_) out.add(e.place, e.sums);
  return out.finish();
}

// ---- Segments

SegmentMaker::SegmentMaker(Dimension dimension, const TextNumbers& texts)
    : dimension_(dimension), texts_(texts) {}

uint32_t SegmentMaker::text_in(Part& part, uint32_t text) {
  if (part.number_of.empty()) part.number_of.assign(texts_.size(), kNoText);
  uint32_t& number = part.number_of[text];
  if (number == kNoText) {
    number = static_cast<uint32_t>(part.texts.size());
    part.texts.push_back(text);
  }
  return number;
}

void SegmentMaker::add(const RollupPlace& place, const UsageSums& sums) {
  static_assert(std::size(kCounts) == 14);
  Part& part = parts_[static_cast<size_t>(shard_of(dimension_, place.id))];
  ++part.count;
  char entry[kMaxEntry];
  char* p = put_signed(entry, place.id);
  p = put_signed(p, place.owner);
  p = put(p, text_in(part, place.provider));
  p = put(p, text_in(part, place.model));
  for (auto member : kCounts) p = put(p, static_cast<uint64_t>(sums.*member));
  p = put_histogram(p, sums.duration);
  p = put_histogram(p, sums.ttft);
  part.entries.append(entry, static_cast<size_t>(p - entry));
}

std::vector<RollupSegment> SegmentMaker::finish() const {
  std::vector<RollupSegment> out;
  for (size_t i = 0; i < parts_.size(); ++i) {
    const Part& part = parts_[i];
    if (part.count == 0) continue;
    RollupSegment& segment = out.emplace_back(RollupSegment{static_cast<int64_t>(i), {}});
    segment.data.reserve(part.entries.size() + 64 * part.texts.size() + 32);
    segment.data.push_back(kSegmentVersion);
    put(segment.data, part.texts.size());
    for (const uint32_t text : part.texts) put_text(segment.data, texts_.at(text));
    put(segment.data, part.count);
    segment.data += part.entries;
  }
  return out;
}

// Walks the entries of a segment: next() gives the key, then one of the others takes what follows.
class EntryReader {
 public:
  explicit EntryReader(std::string_view segment)
      : in_(segment.empty() ? segment : segment.substr(1)) {
    if (segment.empty() || segment.front() != kSegmentVersion) return;
    known_ = true;
    texts_ = in_.texts();
    left_ = in_.amount();
  }
  bool next(RollupKey& key) {
    if (left_ == 0 || !in_.ok()) return false;
    --left_;
    key.id = in_.integer();
    key.owner = in_.integer();
    key.provider = Bytes::text_at(texts_, in_.number());
    key.model = Bytes::text_at(texts_, in_.number());
    return in_.ok();
  }
  // False when the entry is damaged.
  bool read(UsageSums& sums) {
    for (auto member : kCounts) sums.*member = in_.count();
    sums.duration.clear();
    sums.ttft.clear();
    get_histogram(in_, sums.duration);
    get_histogram(in_, sums.ttft);
    return in_.ok();
  }
  void add_to(UsageTotals& totals) {
    for (auto member : kCounts) totals.counts_.*member += in_.count();
    add_bars(totals.duration_);
    add_bars(totals.ttft_);
  }
  void skip() {
    for (size_t i = 0; i < std::size(kCounts); ++i) in_.number();
    for (int histogram = 0; histogram < 2; ++histogram) {
      for (size_t numbers = 2 * in_.amount(); numbers > 0; --numbers) in_.number();
    }
  }
  bool ok() const { return known_ && in_.ok(); }

 private:
  void add_bars(std::unique_ptr<UsageTotals::Buckets>& buckets) {
    const size_t bars = in_.amount();
    if (bars > 0 && buckets == nullptr) buckets = std::make_unique<UsageTotals::Buckets>();
    for (size_t n = bars; n > 0; --n) {
      const uint64_t bucket = in_.number();
      (*buckets)[std::min<uint64_t>(bucket, Histogram::kBuckets - 1)] += in_.number();
    }
  }

  Bytes in_;
  std::vector<std::string_view> texts_;
  size_t left_ = 0;
  bool known_ = false;
};

bool each_entry(std::string_view segment,
                const std::function<UsageTotals*(const RollupKey&)>& place) {
  EntryReader in(segment);
  RollupKey key;
  while (in.next(key)) {
    if (UsageTotals* totals = place(key)) {
      in.add_to(*totals);
    } else {
      in.skip();
    }
  }
  return in.ok();
}

bool RollupTable::merge(std::string_view segment) {
  EntryReader in(segment);
  RollupKey key;
  UsageSums sums;  // one for all: its histograms keep their memory
  while (in.next(key)) {
    if (!in.read(sums)) return false;
    at(key).merge(sums);
  }
  return in.ok();
}

}  // namespace gproxy::storage
