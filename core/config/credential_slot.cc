#include "config/credential_slot.h"

#include <algorithm>

namespace gproxy::config {

CredentialSlot::CredentialSlot(int64_t id, Secret secret, uint64_t revision)
    : id_(id), secret_(std::move(secret)), revision_(revision) {}

Result<modhost::CredentialHandle> CredentialSlot::open(const modhost::Provider& provider) {
  std::lock_guard lock(mutex_);
  for (const auto& weak : opened_) {
    auto opened = weak.lock();
    if (opened != nullptr && &opened->provider() == &provider) return opened;
  }
  std::erase_if(opened_, [](const auto& weak) { return weak.expired(); });
  GP_TRY(auto handle,
         provider.open_credential(secret_.reveal(), version_.load(std::memory_order_relaxed)));
  opened_.push_back(handle);
  return handle;
}

Result<modhost::CredentialHandle> CredentialSlot::replace(Secret secret_json,
                                                          const modhost::Provider& provider) {
  modhost::CredentialHandle handle;
  {
    std::lock_guard lock(mutex_);
    auto next = version_.load(std::memory_order_relaxed) + 1;
    GP_TRY(handle, provider.open_credential(secret_json.reveal(), next));
    secret_ = std::move(secret_json);
    opened_.assign(1, handle);
    version_.store(next, std::memory_order_release);
  }
  reset_health();
  return handle;
}

bool CredentialSlot::replace_text(const Secret& secret_json, uint64_t revision) {
  {
    std::lock_guard lock(mutex_);
    // Rows read before a refresh was stored must not bring the old secret back.
    if (revision < revision_) return false;
    revision_ = revision;
    if (secret_.equals(secret_json.reveal())) return false;
    secret_ = secret_json;
    opened_.clear();
    version_.store(version_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  reset_health();
  return true;
}

Secret CredentialSlot::secret() const {
  std::lock_guard lock(mutex_);
  return secret_;
}

bool CredentialSlot::available(int64_t now_ms, std::string_view model) const {
  if (now_ms < until_ms_.load(std::memory_order_relaxed)) return false;
  if (model.empty() || now_ms >= models_until_ms_.load(std::memory_order_relaxed)) return true;
  std::lock_guard lock(health_mutex_);
  auto at = models_.find(model);
  return at == models_.end() || now_ms >= at->second.until_ms;
}

void CredentialSlot::cool_down(int64_t until_ms, std::string_view reason, std::string_view model) {
  std::lock_guard lock(health_mutex_);
  if (model.empty()) {
    reason_ = reason;
    until_ms_.store(until_ms, std::memory_order_relaxed);
    return;
  }
  auto at = models_.find(model);
  if (at == models_.end()) {
    if (models_.size() >= kMaxModels) {
      auto soonest = std::min_element(
          models_.begin(), models_.end(),
          [](const auto& a, const auto& b) { return a.second.until_ms < b.second.until_ms; });
      models_.erase(soonest);
    }
    at = models_.emplace(std::string(model), CoolDown{}).first;
  }
  at->second = {std::string(model), std::string(reason), until_ms};
  int64_t latest = 0;
  for (const auto& [name, entry] : models_) latest = std::max(latest, entry.until_ms);
  models_until_ms_.store(latest, std::memory_order_relaxed);
}

void CredentialSlot::reset_health() {
  std::lock_guard lock(health_mutex_);
  reason_.clear();
  models_.clear();
  until_ms_.store(0, std::memory_order_relaxed);
  models_until_ms_.store(0, std::memory_order_relaxed);
  failures_.store(0, std::memory_order_relaxed);
  same_status_.store(0, std::memory_order_relaxed);
  last_status_.store(0, std::memory_order_relaxed);
}

std::vector<CoolDown> CredentialSlot::cool_downs(int64_t now_ms) const {
  std::lock_guard lock(health_mutex_);
  std::vector<CoolDown> out;
  auto until = until_ms_.load(std::memory_order_relaxed);
  if (now_ms < until) out.push_back({{}, reason_, until});
  for (const auto& [name, entry] : models_) {
    if (now_ms < entry.until_ms) out.push_back(entry);
  }
  return out;
}

CredentialSlot::Row CredentialSlot::record_failure(int status) {
  Row row;
  row.consecutive = failures_.fetch_add(1, std::memory_order_relaxed);
  if (last_status_.exchange(status, std::memory_order_relaxed) == status) {
    row.same_status = same_status_.fetch_add(1, std::memory_order_relaxed);
  } else {
    same_status_.store(1, std::memory_order_relaxed);
  }
  return row;
}

void CredentialSlot::record_success() {
  // Read first: the line is shared by all cores, and success is the common case.
  if (failures_.load(std::memory_order_relaxed) == 0) return;
  failures_.store(0, std::memory_order_relaxed);
  same_status_.store(0, std::memory_order_relaxed);
  last_status_.store(0, std::memory_order_relaxed);
}

std::shared_ptr<CredentialSlot> SlotTable::find(int64_t id) const {
  std::lock_guard lock(mutex_);
  auto at = slots_.find(id);
  return at == slots_.end() ? nullptr : at->second;
}

std::shared_ptr<CredentialSlot> SlotTable::put(int64_t id, const Secret& secret,
                                               uint64_t revision) {
  std::shared_ptr<CredentialSlot> slot;
  {
    std::lock_guard lock(mutex_);
    auto& at = slots_[id];
    if (at == nullptr) {
      at = std::make_shared<CredentialSlot>(id, secret, revision);
      return at;
    }
    slot = at;
  }
  slot->replace_text(secret, revision);
  return slot;
}

void SlotTable::retain(const std::vector<int64_t>& ids) {
  std::vector<std::shared_ptr<CredentialSlot>> gone;
  std::lock_guard lock(mutex_);
  for (auto at = slots_.begin(); at != slots_.end();) {
    if (std::find(ids.begin(), ids.end(), at->first) == ids.end()) {
      gone.push_back(std::move(at->second));
      at = slots_.erase(at);
    } else {
      ++at;
    }
  }
}

size_t SlotTable::size() const {
  std::lock_guard lock(mutex_);
  return slots_.size();
}

}  // namespace gproxy::config
