// Which credential a conversation is with. Bounded and forgetful: each shard keeps the younger and
// the older half of what it saw, and drops the older one when the younger is full. Any thread, a
// short lock per shard; owned by the pool of a provider and handed on to its successor.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <unordered_map>

namespace gproxy::config {

class Affinity {
 public:
  // The credential's id, 0 = none known. `key` 0 is no conversation.
  int64_t find(uint64_t key);
  void bind(uint64_t key, int64_t credential_id);
  size_t size() const;

  static constexpr size_t kShards = 16;
  static constexpr size_t kHalf = 2048;  // per shard; twice that in all

 private:
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    std::unordered_map<uint64_t, int64_t> younger, older;
    void put(uint64_t key, int64_t id) {
      if (younger.size() >= kHalf && !younger.contains(key)) {
        older = std::move(younger);
        younger.clear();
      }
      younger[key] = id;
    }
  };
  Shard& shard(uint64_t key) { return shards_[(key >> 32) % kShards]; }
  std::array<Shard, kShards> shards_;
};

}  // namespace gproxy::config
