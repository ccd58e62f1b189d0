#include "base/arena.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace gproxy {
namespace {

constexpr size_t kMaxBlock = size_t{1} << 20;  // blocks grow up to this
constexpr size_t kKeepAtReset = 64 * 1024;     // a larger first block is not worth holding idle
constexpr size_t kMinBlock = 256;

// Half the first: most that need a second block need little more. From there they double.
size_t second_block(size_t first) {
  return std::max(first / 2, kMinBlock);
}

}  // namespace

struct Arena::Block {
  Block* next;   // older
  size_t bytes;  // with this header
};

Arena::Arena(size_t first_block, size_t max_bytes)
    : next_block_(std::clamp(first_block, kMinBlock, kMaxBlock)),
      first_block_(next_block_),
      max_bytes_(max_bytes) {}

Arena::~Arena() {
  while (blocks_ != nullptr) {
    Block* next = blocks_->next;
    std::free(blocks_);
    blocks_ = next;
  }
}

void* Arena::alloc_slow(size_t bytes, size_t align) {
  if (bytes == 0) bytes = 1;
  // malloc aligns to 16, and so does the header: the first object of a block needs no padding.
  static_assert(sizeof(Block) % 16 == 0);
  const size_t room = max_bytes_ - std::min(held_, max_bytes_);
  if (bytes > room || sizeof(Block) + bytes > room) {
    exhausted_ = true;
    return nullptr;
  }
  // A large object gets a block of its own behind the current one, whose rest stays usable.
  const bool alone = blocks_ != nullptr && bytes > next_block_ / 2;
  size_t size = alone ? sizeof(Block) + bytes : std::max(next_block_, sizeof(Block) + bytes);
  size = std::min(size, room);
  auto* block = static_cast<Block*>(std::malloc(size));
  if (block == nullptr) {
    exhausted_ = true;
    return nullptr;
  }
  block->bytes = size;
  held_ += size;
  const auto start = reinterpret_cast<uintptr_t>(block + 1);
  if (alone) {
    block->next = blocks_->next;
    blocks_->next = block;
    // The first block made must stay last in the list, because reset() keeps the last one.
    if (block->next == nullptr) {
      block->next = blocks_;
      blocks_->next = nullptr;
      blocks_ = block;
    }
    return reinterpret_cast<void*>(start);
  }
  next_block_ =
      blocks_ == nullptr ? second_block(first_block_) : std::min(next_block_ * 2, kMaxBlock);
  block->next = blocks_;
  blocks_ = block;
  cursor_ = start + bytes;
  limit_ = reinterpret_cast<uintptr_t>(block) + size;
  return reinterpret_cast<void*>(start);
}

std::string_view Arena::copy(std::string_view text) {
  if (text.empty()) return text.data() == nullptr ? text : std::string_view("", 0);
  auto* to = static_cast<char*>(alloc(text.size(), 1));
  if (to == nullptr) return {};
  std::memcpy(to, text.data(), text.size());
  return {to, text.size()};
}

std::string_view Arena::concat(std::initializer_list<std::string_view> pieces) {
  size_t total = 0;
  for (auto piece : pieces) total += piece.size();
  if (total == 0) return std::string_view("", 0);
  auto* to = static_cast<char*>(alloc(total, 1));
  if (to == nullptr) return {};
  char* at = to;
  for (auto piece : pieces) {
    if (piece.empty()) continue;
    std::memcpy(at, piece.data(), piece.size());
    at += piece.size();
  }
  return {to, total};
}

void Arena::reset() {
  Block* first = blocks_;
  while (first != nullptr && (first->next != nullptr || first->bytes > kKeepAtReset)) {
    Block* next = first->next;
    std::free(first);
    first = next;
  }
  blocks_ = first;
  held_ = first != nullptr ? first->bytes : 0;
  cursor_ = first != nullptr ? reinterpret_cast<uintptr_t>(first + 1) : 0;
  limit_ = first != nullptr ? reinterpret_cast<uintptr_t>(first) + first->bytes : 0;
  next_block_ = first != nullptr ? second_block(first_block_) : first_block_;
  exhausted_ = false;
}

}  // namespace gproxy
