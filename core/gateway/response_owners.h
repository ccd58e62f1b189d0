// Whom the answers belong to that upstreams keep: response id and user to provider and credential.
// The latest of this process, in front of the store's table. Any thread; owned by SharedState.
#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "storage/records.h"

namespace gproxy::gateway {

class ResponseOwners {
 public:
  static constexpr size_t kMost = 32'768;  // the oldest goes first; the store still has it

  void put(std::string_view response_id, int64_t user_id, const storage::ResponseOwner& owner);
  std::optional<storage::ResponseOwner> find(std::string_view response_id, int64_t user_id) const;

 private:
  static std::string key(std::string_view response_id, int64_t user_id);

  mutable std::mutex mutex_;
  std::unordered_map<std::string, storage::ResponseOwner> owners_;
  std::deque<std::string> order_;
};

}  // namespace gproxy::gateway
