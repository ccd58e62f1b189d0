#include "gateway/response_owners.h"

#include <utility>

namespace gproxy::gateway {

std::string ResponseOwners::key(std::string_view response_id, int64_t user_id) {
  return std::to_string(user_id) + '/' + std::string(response_id);
}

void ResponseOwners::put(std::string_view response_id, int64_t user_id,
                         const storage::ResponseOwner& owner) {
  auto name = key(response_id, user_id);
  const std::lock_guard lock(mutex_);
  const auto [at, added] = owners_.insert_or_assign(name, owner);
  if (!added) return;
  order_.push_back(std::move(name));
  if (order_.size() <= kMost) return;
  owners_.erase(order_.front());
  order_.pop_front();
}

std::optional<storage::ResponseOwner> ResponseOwners::find(std::string_view response_id,
                                                           int64_t user_id) const {
  const auto name = key(response_id, user_id);
  const std::lock_guard lock(mutex_);
  const auto at = owners_.find(name);
  if (at == owners_.end()) return std::nullopt;
  return at->second;
}

}  // namespace gproxy::gateway
