#include "config/credential_slot.h"

#include <algorithm>

namespace gproxy::config {

CredentialSlot::CredentialSlot(int64_t id, Secret secret, uint64_t revision,
                               std::shared_ptr<HealthSignal> signal)
    : id_(id), signal_(std::move(signal)), secret_(std::move(secret)), revision_(revision) {}

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
  end_rests();
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
  limits_.clear();  // of another account, perhaps
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

CredentialSlot::Rests CredentialSlot::rests(int64_t now_ms, std::string_view model,
                                            std::string_view operation) const {
  if (now_ms < until_ms_.load(std::memory_order_relaxed)) return Rests::all;
  if (now_ms >= models_until_ms_.load(std::memory_order_relaxed)) return Rests::no;
  std::lock_guard lock(health_mutex_);
  for (const auto scope : {model, operation}) {
    const auto at = scope.empty() ? models_.end() : models_.find(scope);
    if (at != models_.end() && now_ms < at->second.until_ms) return Rests::scope;
  }
  return Rests::no;
}

int64_t CredentialSlot::rests_until(int64_t now_ms, std::string_view model,
                                    std::string_view operation) const {
  auto until = until_ms();
  if (now_ms >= models_until_ms_.load(std::memory_order_relaxed)) return until;
  for (const auto scope : {model, operation}) {
    if (!scope.empty()) until = std::max(until, scope_until(scope));
  }
  return until;
}

int64_t CredentialSlot::scope_until(std::string_view scope) const {
  std::lock_guard lock(health_mutex_);
  const auto at = models_.find(scope);
  return at == models_.end() ? 0 : at->second.until_ms;
}

void CredentialSlot::cool_down(int64_t until_ms, std::string_view reason, std::string_view model) {
  CoolDown rest{std::string(model), std::string(reason), until_ms};
  if (!put(rest)) return;
  if (auto* listener = signal_->listener.load()) listener->rested(id_, rest);
}

void CredentialSlot::restore(const CoolDown& rest) {
  put(rest);
}

// False when a longer rest of this scope is in force: of two failures that were under way together,
// the one that knows less must not shorten what the other has asked for.
bool CredentialSlot::put(const CoolDown& rest) {
  std::lock_guard lock(health_mutex_);
  if (rest.scope.empty()) {
    if (rest.until_ms <= until_ms_.load(std::memory_order_relaxed)) return false;
    reason_ = rest.reason;
    until_ms_.store(rest.until_ms, std::memory_order_release);
    return true;
  }
  auto at = models_.find(rest.scope);
  if (at != models_.end() && rest.until_ms <= at->second.until_ms) return false;
  if (at == models_.end()) {
    if (models_.size() >= kMaxModels) {
      auto soonest = std::min_element(
          models_.begin(), models_.end(),
          [](const auto& a, const auto& b) { return a.second.until_ms < b.second.until_ms; });
      models_.erase(soonest);
    }
    at = models_.emplace(rest.scope, CoolDown{}).first;
  }
  at->second = rest;
  int64_t latest = 0;
  for (const auto& [name, entry] : models_) latest = std::max(latest, entry.until_ms);
  models_until_ms_.store(latest, std::memory_order_relaxed);
  return true;
}

void CredentialSlot::reset_health() {
  auth_rests_.store(0, std::memory_order_relaxed);
  end_rests();
}

void CredentialSlot::end_rests() {
  {
    std::lock_guard lock(health_mutex_);
    const bool rested = until_ms_.load(std::memory_order_relaxed) != 0 || !models_.empty();
    reason_.clear();
    models_.clear();
    until_ms_.store(0, std::memory_order_release);
    models_until_ms_.store(0, std::memory_order_relaxed);
    failures_.store(0, std::memory_order_relaxed);
    same_status_.store(0, std::memory_order_relaxed);
    last_status_.store(0, std::memory_order_relaxed);
    if (!rested) return;
  }
  signal_->restored.fetch_add(1, std::memory_order_acq_rel);
  if (auto* listener = signal_->listener.load()) listener->restored(id_);
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

RestNote CredentialSlot::rest_note(int64_t now_ms, std::string_view model,
                                   std::string_view operation) const {
  RestNote note;
  const auto take = [&](int64_t until_ms, RestNote::Scope scope, std::string_view reason) {
    note.until_ms = until_ms;
    note.scope = scope;
    note.length = static_cast<uint8_t>(std::min(reason.size(), note.text.size()));
    std::copy_n(reason.begin(), note.length, note.text.begin());
  };
  std::lock_guard lock(health_mutex_);
  if (const auto until = until_ms_.load(std::memory_order_relaxed); now_ms < until) {
    take(until, RestNote::Scope::credential, reason_);
    return note;
  }
  if (now_ms >= models_until_ms_.load(std::memory_order_relaxed)) return note;
  for (const auto scope : {RestNote::Scope::model, RestNote::Scope::operation}) {
    const auto name = scope == RestNote::Scope::model ? model : operation;
    const auto at = name.empty() ? models_.end() : models_.find(name);
    if (at == models_.end() || now_ms >= at->second.until_ms) continue;
    take(at->second.until_ms, scope, at->second.reason);
    return note;
  }
  return note;
}

CredentialSlot::Row CredentialSlot::record_failure(int status, int64_t now_ms) {
  Row row;
  const int before = failures_.load(std::memory_order_relaxed);
  if (before > 0 && now_ms < until_ms_.load(std::memory_order_relaxed)) {
    row.consecutive = before - 1;
    if (last_status_.load(std::memory_order_relaxed) == status) {
      row.same_status = std::max(same_status_.load(std::memory_order_relaxed) - 1, 0);
    }
    return row;
  }
  row.consecutive = failures_.fetch_add(1, std::memory_order_relaxed);
  if (last_status_.exchange(status, std::memory_order_relaxed) == status) {
    row.same_status = same_status_.fetch_add(1, std::memory_order_relaxed);
  } else {
    same_status_.store(1, std::memory_order_relaxed);
  }
  return row;
}

int CredentialSlot::auth_rests(int64_t now_ms) const {
  const int rests = auth_rests_.load(std::memory_order_relaxed);
  return now_ms < until_ms_.load(std::memory_order_relaxed) ? std::max(rests - 1, 0) : rests;
}

void CredentialSlot::count_auth_rest(int64_t now_ms) {
  if (now_ms >= until_ms_.load(std::memory_order_relaxed))
    auth_rests_.fetch_add(1, std::memory_order_relaxed);
}

void CredentialSlot::record_success() {
  // Read first: the line is shared by all cores, and success is the common case.
  if (failures_.load(std::memory_order_relaxed) == 0 &&
      auth_rests_.load(std::memory_order_relaxed) == 0) {
    return;
  }
  auth_rests_.store(0, std::memory_order_relaxed);
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
      at = std::make_shared<CredentialSlot>(id, secret, revision, signal_);
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
