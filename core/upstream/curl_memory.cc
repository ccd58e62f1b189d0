#include "upstream/curl_memory.h"

#include <curl/curl.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <mutex>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define GPROXY_KEEPS_BLOCKS 1
#include <malloc.h>
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#undef GPROXY_KEEPS_BLOCKS
#endif
#endif

namespace gproxy::upstream {

#if defined(GPROXY_KEEPS_BLOCKS)
namespace {

// glibc's usable sizes are 24, 40, 56…: one list for each.
constexpr size_t kSmallest = 24;
constexpr size_t kStep = 16;
constexpr size_t kLargest = kSmallest + 127 * kStep;  // 2056
constexpr size_t kSizes = (kLargest - kSmallest) / kStep + 1;
constexpr size_t kKeptBytes = size_t{1} << 20;  // per thread

struct Block {
  Block* next;
};

struct Kept {
  Block* lists[kSizes] = {};
  size_t bytes = 0;
  ~Kept();
};

thread_local Kept kept;
// Set when the thread's lists are gone: what is freed even later goes straight back. Has no
// destructor, so that it can be read at any time.
thread_local bool ended = false;

Kept::~Kept() {
  ended = true;
  for (Block* block : lists) {
    while (block != nullptr) {
      Block* next = block->next;
      std::free(block);
      block = next;
    }
  }
}

// The list whose blocks all hold `size` bytes.
size_t list_for(size_t size) {
  return size <= kSmallest ? 0 : (size - kSmallest + kStep - 1) / kStep;
}

void* take(size_t size) {
  if (size > kLargest || ended) return std::malloc(size);
  Kept& mine = kept;
  Block*& list = mine.lists[list_for(size)];
  if (list == nullptr) return std::malloc(size);
  Block* block = list;
  list = block->next;
  mine.bytes -= malloc_usable_size(block);
  return block;
}

void give(void* memory) {
  if (memory == nullptr) return;
  const size_t size = malloc_usable_size(memory);
  if (size < kSmallest || size > kLargest || ended || kept.bytes + size > kKeptBytes) {
    std::free(memory);
    return;
  }
  Kept& mine = kept;
  auto* block = static_cast<Block*>(memory);
  Block*& list = mine.lists[(size - kSmallest) / kStep];
  block->next = list;
  list = block;
  mine.bytes += size;
}

void* resize(void* memory, size_t size) {
  if (memory == nullptr) return take(size);
  const size_t room = malloc_usable_size(memory);
  if (size <= room && (room <= kLargest || size > room / 2)) return memory;
  if (room > kLargest) return std::realloc(memory, size);
  void* bigger = take(size);
  if (bigger == nullptr) return nullptr;
  std::memcpy(bigger, memory, room < size ? room : size);
  give(memory);
  return bigger;
}

void* take_zeroed(size_t count, size_t size) {
  size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) return nullptr;
  if (bytes > kLargest) return std::calloc(count, size);
  void* memory = take(bytes);
  if (memory != nullptr) std::memset(memory, 0, bytes);
  return memory;
}

char* copy_of(const char* text) {
  const size_t size = std::strlen(text) + 1;
  auto* copy = static_cast<char*>(take(size));
  if (copy != nullptr) std::memcpy(copy, text, size);
  return copy;
}

}  // namespace
#endif

void init_curl() {
  static std::once_flag once;
  std::call_once(once, [] {
#if defined(GPROXY_KEEPS_BLOCKS)
    curl_global_init_mem(CURL_GLOBAL_ALL, take, give, resize, copy_of, take_zeroed);
#else
    curl_global_init(CURL_GLOBAL_ALL);
#endif
  });
}

}  // namespace gproxy::upstream
