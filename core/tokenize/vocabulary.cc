#include "tokenize/vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <tuple>

#include "tokenize/merge_queue.h"

namespace gproxy::tokenize {
namespace {

constexpr unsigned kIdBits = 20;
constexpr uint64_t kIdMask = (uint64_t{1} << kIdBits) - 1;
constexpr uint64_t kFree = UINT64_MAX;

Error refused(std::string why) {
  return Error{ErrorKind::invalid, "invalid_tokenizer", std::move(why), {}};
}

uint64_t mix(uint64_t h) {
  h *= 0x9e3779b97f4a7c15u;
  return h ^ (h >> 29);
}

uint64_t hash_bytes(std::string_view bytes) {
  uint64_t h = bytes.size();
  const char* at = bytes.data();
  size_t left = bytes.size();
  for (; left >= 8; at += 8, left -= 8) {
    uint64_t word;
    std::char_traits<char>::copy(reinterpret_cast<char*>(&word), at, 8);
    h = mix(h ^ word);
  }
  uint64_t word = 0;
  std::char_traits<char>::copy(reinterpret_cast<char*>(&word), at, left);
  return mix(mix(h ^ word));
}

uint64_t pair_key(uint32_t left, uint32_t right) {
  return uint64_t{left} << kIdBits | right;
}

}  // namespace

Result<std::shared_ptr<const Vocabulary>> Vocabulary::make(VocabularySource source) {
  using Merges = VocabularySource::Merges;
  const size_t count = source.tokens.size();
  if (count == 0 || count >= kIdMask || source.merges.size() >= kIdMask) {
    return refused(
        fmt::format("{} tokens and {} merges are none or too many", count, source.merges.size()));
  }
  std::shared_ptr<Vocabulary> made(new Vocabulary);
  made->pattern_ = source.pattern;
  made->whole_first_ = source.whole_first || source.merging == Merges::leftmost;
  size_t bytes = 0;
  for (const auto& token : source.tokens) bytes += token.size();
  if (bytes >= UINT32_MAX) return refused("the tokens are too long");
  made->text_.reserve(bytes);
  made->offsets_.reserve(count + 1);
  made->offsets_.push_back(0);
  for (auto& token : source.tokens) {
    made->text_ += token;
    made->offsets_.push_back(static_cast<uint32_t>(made->text_.size()));
  }
  source.tokens = {};
  made->index_tokens();
  for (unsigned b = 0; b < 256; ++b) {
    const char c = static_cast<char>(b);
    made->byte_ids_[b] = made->find({&c, 1});
    if (made->byte_ids_[b] == kNone) return refused(fmt::format("the byte {} has no token", b));
  }
  if (source.merging == Merges::listed) {
    made->reserve_pairs(source.merges.size());
    made->merged_.reserve(source.merges.size());
    std::string both;
    for (const auto& [left, right] : source.merges) {
      if (left >= count || right >= count)
        return refused("a merge names a token that does not exist");
      both.assign(made->token(left)).append(made->token(right));
      const uint32_t id = made->find(both);
      if (id == kNone) return refused("a merge makes no token");
      made->add_pair(left, right, static_cast<uint32_t>(made->merged_.size()));
      made->merged_.push_back(id);
    }
  } else {
    struct Split {
      uint32_t id, left, right;
      bool operator<(const Split& other) const {
        return std::tie(id, left, right) < std::tie(other.id, other.left, other.right);
      }
    };
    std::vector<Split> splits;
    splits.reserve(count * 3);
    for (uint32_t id = 0; id < count; ++id) {
      const size_t first = splits.size();
      made->each_split(id, [&](uint32_t left, uint32_t right) {
        splits.push_back({id, left, right});
      });
      if (splits.size() >= kIdMask) return refused("more than a million merges");
      std::sort(splits.begin() + static_cast<std::ptrdiff_t>(first), splits.end());
    }
    made->reserve_pairs(splits.size());
    const bool by_id = source.merging == Merges::leftmost;
    if (!by_id) made->merged_.reserve(splits.size());
    for (const auto& [id, left, right] : splits) {
      made->add_pair(left, right, by_id ? id : static_cast<uint32_t>(made->merged_.size()));
      if (!by_id) made->merged_.push_back(id);
    }
  }
  made->added_ = std::move(source.added);
  std::erase_if(made->added_, [](const auto& token) { return token.text.empty(); });
  std::sort(made->added_.begin(), made->added_.end(),
            [](const auto& a, const auto& b) { return a.text < b.text; });
  for (const auto& token : made->added_) {
    made->added_first_[static_cast<unsigned char>(token.text[0])] = true;
  }
  if (!made->whole_first_) made->whole_ = std::make_unique<std::atomic<uint8_t>[]>(count);
  return std::shared_ptr<const Vocabulary>(std::move(made));
}

size_t Vocabulary::bytes() const {
  size_t total = sizeof *this + text_.capacity() + offsets_.capacity() * 4 + slots_.capacity() * 4 +
                 pairs_.capacity() * 8 + merged_.capacity() * 4 + (whole_ != nullptr ? size() : 0);
  for (const auto& token : added_) total += sizeof token + token.text.size();
  return total;
}

// ---- tables
// --------------------------------------------------------------------------------------

void Vocabulary::index_tokens() {
  slots_.assign(std::bit_ceil(size() * 2), 0);
  const size_t mask = slots_.size() - 1;
  for (uint32_t id = 0; id < size(); ++id) {
    const auto bytes = token(id);
    // The first of two equal ones counts; the empty ones are none.
    if (bytes.empty() || find(bytes) != kNone) continue;
    size_t at = hash_bytes(bytes) & mask;
    while (slots_[at] != 0) at = (at + 1) & mask;
    slots_[at] = id + 1;
  }
}

uint32_t Vocabulary::find(std::string_view bytes) const {
  const size_t mask = slots_.size() - 1;
  for (size_t at = hash_bytes(bytes) & mask; slots_[at] != 0; at = (at + 1) & mask) {
    if (token(slots_[at] - 1) == bytes) return slots_[at] - 1;
  }
  return kNone;
}

void Vocabulary::reserve_pairs(size_t count) {
  // At most 7 of 10 slots are used.
  pairs_.assign(std::bit_ceil(count * 10 / 7 + 16), kFree);
}

void Vocabulary::add_pair(uint32_t left, uint32_t right, uint32_t rank) {
  const uint64_t key = pair_key(left, right);
  const size_t mask = pairs_.size() - 1;
  size_t at = mix(key) & mask;
  for (; pairs_[at] != kFree; at = (at + 1) & mask) {
    if (pairs_[at] >> kIdBits == key) return;  // the first counts
  }
  pairs_[at] = key << kIdBits | rank;
}

uint32_t Vocabulary::rank(uint32_t left, uint32_t right) const {
  const uint64_t key = pair_key(left, right);
  const size_t mask = pairs_.size() - 1;
  for (size_t at = mix(key) & mask; pairs_[at] != kFree; at = (at + 1) & mask) {
    if (pairs_[at] >> kIdBits == key) return static_cast<uint32_t>(pairs_[at] & kIdMask);
  }
  return kNone;
}

template <class F>
void Vocabulary::each_split(uint32_t id, F&& use) const {
  const auto bytes = token(id);
  // A second token of equal bytes is never found, so never merged into.
  if (bytes.size() < 2 || find(bytes) != id) return;
  for (size_t at = 1; at < bytes.size(); ++at) {
    const uint32_t left = find(bytes.substr(0, at));
    if (left == kNone) continue;
    const uint32_t right = find(bytes.substr(at));
    if (right != kNone) use(left, right);
  }
}

const VocabularySource::Added* Vocabulary::added_at(std::string_view text) const {
  auto low = added_.begin(), high = added_.end();
  const VocabularySource::Added* found = nullptr;
  for (size_t n = 0; n < text.size() && low != high; ++n) {
    const auto c = static_cast<unsigned char>(text[n]);
    // Those of [low, high) that are longer than n and go on with c.
    const auto at = [n](const VocabularySource::Added& token) {
      return n < token.text.size() ? static_cast<int>(static_cast<unsigned char>(token.text[n]))
                                   : -1;
    };
    low = std::partition_point(low, high, [&](const auto& token) { return at(token) < c; });
    high = std::partition_point(low, high, [&](const auto& token) { return at(token) <= c; });
    if (low != high && low->text.size() == n + 1) found = &*low;
  }
  return found;
}

// ---- counting
// ------------------------------------------------------------------------------------

namespace {

struct Counter {
  uint64_t tokens = 0;
  void add(uint32_t) { ++tokens; }
};

struct Collector {
  std::vector<uint32_t>& ids;
  void add(uint32_t id) { ids.push_back(id); }
};

// Which one comes out, and whether alone.
struct Sole {
  uint32_t first = UINT32_MAX;
  size_t count = 0;
  void add(uint32_t id) {
    if (count++ == 0) first = id;
  }
};

constexpr size_t kShort = 48;  // bytes; up to here looking at all pairs is quicker than a heap
constexpr size_t kLookEvery = 64 << 10;

}  // namespace

uint64_t Vocabulary::count(std::string_view text, const std::atomic<bool>* stop) const {
  Counter counter;
  tokenize(text, counter, stop);
  return counter.tokens;
}

void Vocabulary::encode(std::string_view text, std::vector<uint32_t>& ids) const {
  Collector collector{ids};
  tokenize(text, collector, nullptr);
}

template <class Out>
void Vocabulary::tokenize(std::string_view text, Out& out, const std::atomic<bool>* stop) const {
  if (added_.empty()) {
    tokenize_plain(text, out, stop);
    return;
  }
  size_t from = 0;
  for (size_t at = 0; at < text.size();) {
    const auto* token =
        added_first_[static_cast<unsigned char>(text[at])] ? added_at(text.substr(at)) : nullptr;
    if (token == nullptr) {
      ++at;
      continue;
    }
    if (!tokenize_plain(text.substr(from, at - from), out, stop)) return;
    out.add(token->id);
    at += token->text.size();
    from = at;
  }
  tokenize_plain(text.substr(from), out, stop);
}

// False when it was stopped.
template <class Out>
bool Vocabulary::tokenize_plain(std::string_view text, Out& out,
                                const std::atomic<bool>* stop) const {
  Splitter splitter(pattern_, text);
  size_t unchecked = 0;
  for (std::string_view piece; splitter.next(piece);) {
    unchecked += piece.size();
    if (unchecked >= kLookEvery) {
      unchecked = 0;
      if (stop != nullptr && stop->load(std::memory_order_relaxed)) return false;
    }
    for (; piece.size() > kMaxPiece; piece.remove_prefix(kMaxPiece)) {
      merge_long(piece.substr(0, kMaxPiece), out);
      if (stop != nullptr && stop->load(std::memory_order_relaxed)) return false;
    }
    add_piece(piece, out);
  }
  return true;
}

template <class Out>
void Vocabulary::add_piece(std::string_view piece, Out& out) const {
  if (piece.size() == 1) {
    out.add(byte_ids_[static_cast<unsigned char>(piece[0])]);
    return;
  }
  if (const uint32_t id = find(piece); id != kNone) {
    bool whole = whole_first_;
    if (!whole) {
      // The answer is the same whoever finds it first.
      const uint8_t known = whole_[id].load(std::memory_order_relaxed);
      whole = known == 1;
      if (known == 0) {
        Sole sole;
        piece.size() <= kShort ? merge_short(piece, sole) : merge_long(piece, sole);
        whole = sole.count == 1 && sole.first == id;
        whole_[id].store(whole ? 1 : 2, std::memory_order_relaxed);
      }
    }
    if (whole) {
      out.add(id);
      return;
    }
  }
  piece.size() <= kShort ? merge_short(piece, out) : merge_long(piece, out);
}

// Looks at all pairs for each merge. REQUIRES: at most kShort bytes.
template <class Out>
void Vocabulary::merge_short(std::string_view piece, Out& out) const {
  uint32_t ids[kShort];
  uint32_t ranks[kShort];  // of (i, i + 1)
  size_t n = piece.size();
  for (size_t i = 0; i < n; ++i) ids[i] = byte_ids_[static_cast<unsigned char>(piece[i])];
  for (size_t i = 0; i + 1 < n; ++i) ranks[i] = rank(ids[i], ids[i + 1]);
  while (n > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < n; ++i) {
      if (ranks[i] < ranks[best]) best = i;
    }
    if (ranks[best] == kNone) break;
    ids[best] = merged(ranks[best]);
    --n;
    for (size_t i = best + 1; i < n; ++i) {
      ids[i] = ids[i + 1];
      ranks[i - 1] = ranks[i];
    }
    // ranks[best] is now that of the pair behind; both neighbours have a new partner.
    if (best + 1 < n) ranks[best] = rank(ids[best], ids[best + 1]);
    if (best > 0) ranks[best - 1] = rank(ids[best - 1], ids[best]);
  }
  for (size_t i = 0; i < n; ++i) out.add(ids[i]);
}

// A linked list of parts and a queue of the pairs that merge: n log n at most, n in a long run.
template <class Out>
void Vocabulary::merge_long(std::string_view piece, Out& out) const {
  struct Part {
    uint32_t id, previous, next;
    uint32_t rank;  // with the next one
  };
  const auto n = static_cast<uint32_t>(piece.size());
  std::vector<Part> parts(n);
  for (uint32_t i = 0; i < n; ++i) {
    parts[i] = {byte_ids_[static_cast<unsigned char>(piece[i])], i - 1, i + 1, kNone};
  }
  MergeQueue queue(n);
  const auto offer = [&](uint32_t at) {
    auto& part = parts[at];
    part.rank = part.next < n ? rank(part.id, parts[part.next].id) : kNone;
    if (part.rank != kNone) queue.push(part.rank, at);
  };
  for (uint32_t i = 0; i + 1 < n; ++i) offer(i);
  for (MergeQueue::Entry entry; queue.pop(entry);) {
    auto& part = parts[entry.at];
    if (part.rank != entry.rank) continue;  // changed since, or swallowed
    auto& swallowed = parts[part.next];
    part.id = merged(part.rank);
    part.next = swallowed.next;
    swallowed.rank = kNone;
    if (part.next < n) parts[part.next].previous = entry.at;
    offer(entry.at);
    if (part.previous < n) offer(part.previous);
  }
  for (uint32_t i = 0; i < n; i = parts[i].next) out.add(parts[i].id);
}

}  // namespace gproxy::tokenize
