#include "base/buffer.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/result.h"

namespace gproxy {

struct Buffer::Block {
  Block* next;
  size_t begin;  // first unread byte
  size_t end;    // first free byte
  char bytes[kBlockBytes];

  size_t size() const { return end - begin; }
  size_t room() const { return kBlockBytes - end; }
  std::string_view view() const { return {bytes + begin, size()}; }

  static Block* make();
  static void recycle(Block* block);
};

namespace {

constexpr size_t kMaxFreeBlocks = 64;   // 1 MiB per thread
constexpr size_t kWorthReading = 1024;  // a smaller tail is not offered by prepare()

struct FreeNode {
  FreeNode* next;
};

// A thread's idle blocks. The list is emptied when the thread ends; blocks that outlive it are
// freed.
struct FreeList {
  FreeNode* head = nullptr;
  size_t count = 0;
  bool open = true;
  ~FreeList() {
    open = false;
    while (head != nullptr) {
      FreeNode* next = head->next;
      std::free(head);
      head = next;
    }
    count = 0;
  }
};
thread_local FreeList free_blocks;

}  // namespace

Buffer::Block* Buffer::Block::make() {
  FreeList& list = free_blocks;
  void* memory = nullptr;
  if (list.head != nullptr) {
    memory = list.head;
    list.head = list.head->next;
    --list.count;
  } else {
    memory = std::malloc(sizeof(Block));
    if (memory == nullptr) return nullptr;
  }
  auto* block = static_cast<Block*>(memory);
  block->next = nullptr;
  block->begin = block->end = 0;
  return block;
}

void Buffer::Block::recycle(Block* block) {
  FreeList& list = free_blocks;
  if (!list.open || list.count >= kMaxFreeBlocks) {
    std::free(block);
    return;
  }
  auto* node = reinterpret_cast<FreeNode*>(block);
  node->next = list.head;
  list.head = node;
  ++list.count;
}

Buffer::~Buffer() {
  clear();
}

Buffer::Buffer(Buffer&& other) noexcept
    : head_(std::exchange(other.head_, nullptr)),
      tail_(std::exchange(other.tail_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      max_bytes_(other.max_bytes_) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    clear();
    head_ = std::exchange(other.head_, nullptr);
    tail_ = std::exchange(other.tail_, nullptr);
    size_ = std::exchange(other.size_, 0);
    max_bytes_ = other.max_bytes_;
  }
  return *this;
}

bool Buffer::append(std::string_view bytes) {
  if (bytes.size() > max_bytes_ - size_) return false;
  Block* const old_tail = tail_;
  const size_t old_end = tail_ != nullptr ? tail_->end : 0;
  size_t left = bytes.size();
  const char* from = bytes.data();
  while (left > 0) {
    if (tail_ == nullptr || tail_->room() == 0) {
      Block* block = Block::make();
      if (block == nullptr) {
        // Out of memory: take back what was added, so that nothing is half appended.
        Block* added = old_tail != nullptr ? std::exchange(old_tail->next, nullptr)
                                           : std::exchange(head_, nullptr);
        while (added != nullptr) Block::recycle(std::exchange(added, added->next));
        tail_ = old_tail;
        if (tail_ != nullptr) tail_->end = old_end;
        return false;
      }
      (tail_ != nullptr ? tail_->next : head_) = block;
      tail_ = block;
    }
    const size_t n = std::min(left, tail_->room());
    std::memcpy(tail_->bytes + tail_->end, from, n);
    tail_->end += n;
    from += n;
    left -= n;
  }
  size_ += bytes.size();
  return true;
}

std::span<char> Buffer::prepare() {
  const size_t allowed = max_bytes_ - size_;
  if (allowed == 0) return {};
  if (tail_ == nullptr || tail_->room() < std::min(kWorthReading, allowed)) {
    Block* block = Block::make();
    if (block == nullptr) return {};
    (tail_ != nullptr ? tail_->next : head_) = block;
    tail_ = block;
  }
  return {tail_->bytes + tail_->end, std::min(tail_->room(), allowed)};
}

void Buffer::commit(size_t bytes) {
  if (bytes == 0) return;
  GP_ASSERT(tail_ != nullptr && bytes <= tail_->room() && bytes <= max_bytes_ - size_);
  tail_->end += bytes;
  size_ += bytes;
}

void Buffer::consume(size_t bytes) {
  GP_ASSERT(bytes <= size_);
  size_ -= bytes;
  while (head_ != nullptr) {
    const size_t n = std::min(bytes, head_->size());
    head_->begin += n;
    bytes -= n;
    if (head_->size() > 0) return;
    Block* next = head_->next;
    Block::recycle(head_);
    head_ = next;
    if (head_ == nullptr) tail_ = nullptr;
    if (bytes == 0 && (head_ == nullptr || head_->size() > 0)) return;
  }
}

void Buffer::clear() {
  while (head_ != nullptr) Block::recycle(std::exchange(head_, head_->next));
  tail_ = nullptr;
  size_ = 0;
}

std::string_view Buffer::front() const {
  for (const Block* b = head_; b != nullptr; b = b->next) {
    if (b->size() > 0) return b->view();
  }
  return {};
}

size_t Buffer::slices(std::span<std::string_view> out) const {
  size_t n = 0;
  for (const Block* b = head_; b != nullptr && n < out.size(); b = b->next) {
    if (b->size() > 0) out[n++] = b->view();
  }
  return n;
}

std::string Buffer::to_string() const {
  std::string all;
  all.reserve(size_);
  for (const Block* b = head_; b != nullptr; b = b->next) all += b->view();
  return all;
}

}  // namespace gproxy
