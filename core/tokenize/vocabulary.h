// A byte-level BPE vocabulary: tokens, merges and the split pattern, in tables made once. Immutable
// but for hints; shared by all threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "tokenize/splitter.h"

namespace gproxy::tokenize {

// What a vocabulary is made of, however it was written down.
struct VocabularySource {
  enum class Merges : uint8_t {
    leftmost = 0,  // tiktoken: any two tokens whose bytes together are a token; the lowest id first
    all = 1,       // the same pairs, but ordered by (id, left half, right half)
    listed = 2,    // `merges` alone, in their order
  };
  struct Added {
    uint32_t id = 0;
    std::string text;
  };
  Pattern pattern = Pattern::gpt2;
  Merges merging = Merges::leftmost;
  bool whole_first = false;         // a piece that is a token as a whole is not merged
  std::vector<std::string> tokens;  // bytes by id; empty: no such token
  std::vector<std::pair<uint32_t, uint32_t>> merges;
  std::vector<Added> added;  // found in texts before anything else
};

class Vocabulary {
 public:
  // Takes 50 to 300 ms for the usual sizes: for the thread pool. Fails if a byte has no token, on
  // ids that do not exist, and beyond a million tokens or merges.
  static Result<std::shared_ptr<const Vocabulary>> make(VocabularySource source);

  // Tokens of `text`. Runs as long as the text is (5 MB/s and more); `stop`, if not null, is looked
  // at every 64 KiB or so, and ends it early with a number that means nothing.
  uint64_t count(std::string_view text, const std::atomic<bool>* stop = nullptr) const;
  // The same with their ids, for tests.
  void encode(std::string_view text, std::vector<uint32_t>& ids) const;

  size_t bytes() const;  // of memory
  size_t size() const { return offsets_.size() - 1; }

  // Pieces are cut at this length: what merging one needs is bounded so.
  static constexpr size_t kMaxPiece = size_t{256} << 10;

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  template <class Out>
  void tokenize(std::string_view text, Out& out, const std::atomic<bool>* stop) const;
  template <class Out>
  bool tokenize_plain(std::string_view text, Out& out, const std::atomic<bool>* stop) const;
  template <class Out>
  void add_piece(std::string_view piece, Out& out) const;
  template <class Out>
  void merge_short(std::string_view piece, Out& out) const;
  template <class Out>
  void merge_long(std::string_view piece, Out& out) const;

  std::string_view token(uint32_t id) const {
    return {text_.data() + offsets_[id], offsets_[id + 1] - offsets_[id]};
  }
  uint32_t find(std::string_view bytes) const;
  // Rank of a pair, kNone if it does not merge.
  uint32_t rank(uint32_t left, uint32_t right) const;
  uint32_t merged(uint32_t rank) const { return merged_.empty() ? rank : merged_[rank]; }
  void index_tokens();
  void add_pair(uint32_t left, uint32_t right, uint32_t rank);
  void reserve_pairs(size_t count);
  template <class F>
  void each_split(uint32_t id, F&& use) const;
  // The added token that begins at `text`, or null; the longest one.
  const VocabularySource::Added* added_at(std::string_view text) const;

  Pattern pattern_ = Pattern::gpt2;
  bool whole_first_ = true;
  std::string text_;
  std::vector<uint32_t> offsets_;
  std::vector<uint32_t> slots_;   // open addressing: id + 1
  std::vector<uint64_t> pairs_;   // open addressing: left, right, rank, 20 bits each
  std::vector<uint32_t> merged_;  // by rank; empty: the rank is the id
  uint32_t byte_ids_[256] = {};
  std::vector<VocabularySource::Added> added_;  // sorted by text
  bool added_first_[256] = {};
  // Without whole_first_: does merging a token's bytes give it back? 0 not asked yet, 1 yes, 2 no.
  std::unique_ptr<std::atomic<uint8_t>[]> whole_;
};

}  // namespace gproxy::tokenize
