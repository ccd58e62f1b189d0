#include "config/affinity.h"

namespace gproxy::config {

int64_t Affinity::find(uint64_t key) {
  if (key == 0) return 0;
  auto& shard = this->shard(key);
  std::lock_guard lock(shard.mutex);
  if (const auto at = shard.younger.find(key); at != shard.younger.end()) return at->second;
  const auto at = shard.older.find(key);
  if (at == shard.older.end()) return 0;
  const auto id = at->second;
  shard.older.erase(at);
  shard.put(key, id);  // seen again: it is young
  return id;
}

void Affinity::bind(uint64_t key, int64_t credential_id) {
  if (key == 0) return;
  auto& shard = this->shard(key);
  std::lock_guard lock(shard.mutex);
  shard.older.erase(key);
  shard.put(key, credential_id);
}

size_t Affinity::size() const {
  size_t n = 0;
  for (const auto& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    n += shard.younger.size() + shard.older.size();
  }
  return n;
}

}  // namespace gproxy::config
