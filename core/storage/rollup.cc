#include "storage/rollup.h"

#include <algorithm>
#include <bit>

namespace gproxy::storage {
namespace {

constexpr char kSegmentVersion = 1;
constexpr char kDeltaVersion = 1;
constexpr int kFirstOctave = 9;  // 512 µs
constexpr int kSubBits = 3;

void put(std::string& out, uint64_t value) {
  if (value < 0x80) {
    out.push_back(static_cast<char>(value));
    return;
  }
  char bytes[10];
  size_t n = 0;
  for (; value >= 0x80; value >>= 7) bytes[n++] = static_cast<char>(value | 0x80);
  bytes[n++] = static_cast<char>(value);
  out.append(bytes, n);
}
void put_signed(std::string& out, int64_t value) {
  put(out, static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63));
}
void put_text(std::string& out, std::string_view text) {
  put(out, text.size());
  out.append(text);
}

// Reads what put() wrote; after damage everything reads as zero and ok() is false.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}
  uint64_t number() {
    if (at_ < end_ && static_cast<unsigned char>(*at_) < 0x80)
      return static_cast<unsigned char>(*at_++);
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && at_ < end_; shift += 7) {
      const auto byte = static_cast<unsigned char>(*at_++);
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
    fail();
    return 0;
  }
  int64_t integer() {
    const uint64_t v = number();
    return static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1);
  }
  int64_t count() { return static_cast<int64_t>(number()); }
  std::string_view text() {
    const uint64_t size = number();
    if (size > static_cast<uint64_t>(end_ - at_)) {
      fail();
      return {};
    }
    const std::string_view out(at_, static_cast<size_t>(size));
    at_ += size;
    return out;
  }
  // A number of things that take at least a byte each.
  size_t amount() {
    const uint64_t n = number();
    if (n > static_cast<uint64_t>(end_ - at_)) fail();
    return ok_ ? static_cast<size_t>(n) : 0;
  }
  bool ok() const { return ok_; }

 private:
  void fail() {
    ok_ = false;
    at_ = end_;
  }
  const char* at_;
  const char* end_;
  bool ok_ = true;
};

void put_histogram(std::string& out, const Histogram& h) {
  put(out, h.bars().size());
  for (const auto& bar : h.bars()) {
    put(out, bar.bucket);
    put(out, bar.count);
  }
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

// Texts of a blob are written once, in front.
class Texts {
 public:
  uint64_t number_of(std::string_view text) {
    if (last_ < texts_.size() && texts_[last_] == text) return last_;
    const auto [at, fresh] = numbers_.try_emplace(text, texts_.size());
    if (fresh) texts_.push_back(text);
    return last_ = at->second;
  }
  void put_all(std::string& out) const {
    put(out, texts_.size());
    for (auto text : texts_) put_text(out, text);
  }

 private:
  std::vector<std::string_view> texts_;
  std::unordered_map<std::string_view, size_t> numbers_;
  size_t last_ = 0;
};

std::vector<std::string_view> get_texts(Bytes& in) {
  std::vector<std::string_view> out(in.amount());
  for (auto& text : out) text = in.text();
  return out;
}
std::string_view text_at(const std::vector<std::string_view>& texts, uint64_t index) {
  return index < texts.size() ? texts[index] : std::string_view();
}

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

void Histogram::add_to(uint8_t bucket, uint64_t count) {
  if (bars_.empty() || bars_.back().bucket < bucket) {
    bars_.push_back({bucket, count});
    return;
  }
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

RollupKey RollupTable::key_of(Dimension dimension, const UsageRow& row) {
  RollupKey key;
  key.model = row.model;
  key.provider = row.provider;
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

uint32_t RollupTable::intern(std::string_view text) {
  const auto found = numbers_.find(text);
  if (found != numbers_.end()) return found->second;
  const auto number = static_cast<uint32_t>(texts_.size());
  // A deque's strings stay where they are: the map's keys are views of them.
  numbers_.emplace(texts_.emplace_back(text), number);
  return number;
}

UsageSums& RollupTable::at(const RollupKey& key) {
  return entries_[Place{key.id, key.owner, intern(key.provider), intern(key.model)}];
}

void RollupTable::each(const std::function<void(const RollupKey&, const UsageSums&)>& visit) const {
  for (const auto& [place, sums] : entries_) {
    visit({place.id, place.owner, texts_[place.provider], texts_[place.model]}, sums);
  }
}

std::vector<RollupTable::Segment> RollupTable::encode(Dimension dimension) const {
  struct Part {
    Texts texts;
    std::string entries;
    size_t count = 0;
  };
  std::array<Part, kShards> parts;
  for (const auto& [place, sums] : entries_) {
    Part& part = parts[static_cast<size_t>(shard_of(dimension, place.id))];
    ++part.count;
    put_signed(part.entries, place.id);
    put_signed(part.entries, place.owner);
    put(part.entries, part.texts.number_of(texts_[place.provider]));
    put(part.entries, part.texts.number_of(texts_[place.model]));
    for (auto member : kCounts) put(part.entries, static_cast<uint64_t>(sums.*member));
    put_histogram(part.entries, sums.duration);
    put_histogram(part.entries, sums.ttft);
  }
  std::vector<Segment> out;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].count == 0) continue;
    Segment& segment = out.emplace_back(Segment{static_cast<int64_t>(i), {}});
    segment.data.push_back(kSegmentVersion);
    parts[i].texts.put_all(segment.data);
    put(segment.data, parts[i].count);
    segment.data += parts[i].entries;
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
    texts_ = get_texts(in_);
    left_ = in_.amount();
  }
  bool next(RollupKey& key) {
    if (left_ == 0 || !in_.ok()) return false;
    --left_;
    key.id = in_.integer();
    key.owner = in_.integer();
    key.provider = text_at(texts_, in_.number());
    key.model = text_at(texts_, in_.number());
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

// ---- Deltas

std::string encode_delta(std::span<const UsageRow* const> rows) {
  std::string out, body;
  Texts texts;
  body.reserve(rows.size() * 40);
  int64_t last_at = 0;
  for (const UsageRow* r : rows) {
    put_signed(body, r->at - last_at);
    last_at = r->at;
    put_signed(body, r->credential_id);
    put_signed(body, r->user_id);
    put_signed(body, r->user_key_id);
    put(body, texts.number_of(r->provider));
    put(body, texts.number_of(r->model));
    put(body, static_cast<uint64_t>(r->final) | static_cast<uint64_t>(r->has_usage) << 1 |
                  static_cast<uint64_t>(r->estimated) << 2 |
                  static_cast<uint64_t>(r->outcome) << 3);
    put_signed(body, r->input);
    put_signed(body, r->output);
    put_signed(body, r->cache_read);
    put_signed(body, r->cache_write);
    put_signed(body, r->reasoning);
    put_signed(body, r->cost_nanousd);
    put_signed(body, r->ttft_us);
    put_signed(body, r->duration_us);
  }
  out.push_back(kDeltaVersion);
  texts.put_all(out);
  put(out, rows.size());
  return out += body;
}

bool each_row(std::string_view delta, const std::function<void(const UsageRow&)>& visit) {
  if (delta.empty() || delta.front() != kDeltaVersion) return false;
  Bytes in(delta.substr(1));
  const auto texts = get_texts(in);
  int64_t at = 0;
  for (size_t n = in.amount(); n > 0; --n) {
    UsageRow row;
    row.at = at += in.integer();
    row.credential_id = in.integer();
    row.user_id = in.integer();
    row.user_key_id = in.integer();
    row.provider = text_at(texts, in.number());
    row.model = text_at(texts, in.number());
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

bool RollupPending::add(int64_t id, std::string_view delta) {
  last_id_ = id;
  return each_row(delta, [&](const UsageRow& row) {
    ++rows_;
    auto& tables = buckets_[align_down(row.at, kFiveMinutesUs)];
    for (size_t d = 0; d < kDimensions; ++d) tables[d].add(static_cast<Dimension>(d), row);
  });
}

void RollupPending::clear() {
  buckets_.clear();
  rows_ = 0;
  last_id_ = 0;
}

}  // namespace gproxy::storage
