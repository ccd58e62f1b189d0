// Finds the number of a thing by its hash: an open-addressing table beside the caller's own array,
// for sums that are looked up for each row. A std::unordered_map would allocate for each thing and
// go to memory twice. Pure; the thread's that owns it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace gproxy::storage {

inline uint64_t mix_hash(uint64_t h, uint64_t word) {
  h = (h ^ word) * 0x9e3779b97f4a7c15u;
  return h ^ h >> 32;
}

class FlatIndex {
 public:
  // The number for which `same(number)` holds. When there is none it is size() as it was, and the
  // caller puts the thing at that place of its array.
  template <class Same>
  uint32_t find_or_add(uint64_t hash, Same same) {
    if ((size_ + 1) * 2 > slots_.size()) grow();
    const auto tag = static_cast<uint32_t>(hash >> 32 ^ hash);
    for (size_t i = tag & mask_;; i = (i + 1) & mask_) {
      Slot& slot = slots_[i];
      if (slot.number == kFree) {
        slot = {tag, size_};
        return size_++;
      }
      if (slot.tag == tag && same(slot.number)) return slot.number;
    }
  }
  uint32_t size() const { return size_; }

 private:
  static constexpr uint32_t kFree = UINT32_MAX;
  struct Slot {
    uint32_t tag = 0;
    uint32_t number = kFree;
  };
  void grow() {
    std::vector<Slot> old(slots_.empty() ? 32 : slots_.size() * 2);
    old.swap(slots_);
    mask_ = slots_.size() - 1;
    for (const Slot& slot : old) {
      if (slot.number == kFree) continue;
      size_t i = slot.tag & mask_;
      while (slots_[i].number != kFree) i = (i + 1) & mask_;
      slots_[i] = slot;
    }
  }

  std::vector<Slot> slots_;
  size_t mask_ = 0;
  uint32_t size_ = 0;
};

// Numbers texts as they come, from 0. Keeps a copy of each.
class TextNumbers {
 public:
  uint32_t number_of(std::string_view text) {
    const uint32_t n =
        index_.find_or_add(hash(text), [&](uint32_t other) { return texts_[other] == text; });
    if (n == texts_.size()) texts_.emplace_back(text);
    return n;
  }
  // REQUIRES: number < size(). The view stays good as long as this lives.
  std::string_view at(uint32_t number) const { return texts_[number]; }
  size_t size() const { return texts_.size(); }

 private:
  static uint64_t hash(std::string_view text) {
    uint64_t h = text.size(), word = 0;
    size_t i = 0;
    for (; i + 8 <= text.size(); i += 8) {
      std::memcpy(&word, text.data() + i, 8);
      h = mix_hash(h, word);
    }
    word = 0;
    for (; i < text.size(); ++i) word = word << 8 | static_cast<unsigned char>(text[i]);
    return mix_hash(h, word);
  }

  std::deque<std::string> texts_;  // its strings stay where they are
  FlatIndex index_;
};

}  // namespace gproxy::storage
