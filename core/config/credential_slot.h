// What changes about a credential while snapshots come and go: its secret's current version and its
// health. Slots have stable addresses outside the snapshots. Any thread; owned by the SlotTable,
// which the snapshots share.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "config/limit_windows.h"
#include "config/rate_slot.h"
#include "modhost/provider.h"

namespace gproxy::config {

// Why something rests: the reference's words (rate_limit, timeout, upstream_5xx, auth_invalid,
// model_disallow, manual, unknown) or a module's.
struct CoolDown {
  std::string scope;  // the model's name; empty = the credential
  std::string reason;
  int64_t until_ms = 0;  // monotonic; INT64_MAX = until it is changed
};

// The same without memory of its own, for records that must not allocate.
struct RestNote {
  enum class Scope : uint8_t { credential, model, operation };
  int64_t until_ms = 0;  // 0 = nothing rests
  Scope scope = Scope::credential;
  uint8_t length = 0;
  std::array<char, 30> text{};  // the reason, cut

  std::string_view reason() const { return {text.data(), length}; }
};

// Hears what becomes of the credentials' health: the rows in the store, the events. Any thread; it
// must return at once.
class HealthListener {
 public:
  virtual ~HealthListener() = default;
  virtual void rested(int64_t credential_id, const CoolDown& rest) = 0;
  virtual void restored(int64_t credential_id) = 0;  // all of its rests ended before their time
};

// Shared by the slots of a table.
struct HealthSignal {
  std::atomic<uint64_t> restored{0};  // counts rests that ended before their time: look again
  std::atomic<HealthListener*> listener{nullptr};  // outlives the slots' use, or is taken off
};

class CredentialSlot {
 public:
  CredentialSlot(int64_t id, Secret secret, uint64_t revision,
                 std::shared_ptr<HealthSignal> signal = std::make_shared<HealthSignal>());
  CredentialSlot(const CredentialSlot&) = delete;
  CredentialSlot& operator=(const CredentialSlot&) = delete;

  int64_t id() const { return id_; }

  // --- the secret ---
  // Counts its changes; cheap: one relaxed load. Loops compare it with what they hold.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }
  // The current version opened by `provider`, shared while anybody holds it. Takes a short lock:
  // loops keep the result (LoopSnapshot).
  Result<modhost::CredentialHandle> open(const modhost::Provider& provider);
  // A refresh or an edit: the new version is in force when this returns, and the health starts
  // anew, but for auth_rests(). Error: the provider refuses the secret; nothing changed.
  Result<modhost::CredentialHandle> replace(Secret secret_json, const modhost::Provider& provider);
  // From the store, without opening it. False, and nothing changed, when it is equal or `revision`
  // is older than the last one.
  bool replace_text(const Secret& secret_json, uint64_t revision);
  Secret secret() const;

  // --- health; times are monotonic ms ---
  // May the credential be used now for this model (empty: any)? Compares times; no timer is
  // involved.
  bool available(int64_t now_ms, std::string_view model) const;
  // `model` (or another scope's word) empty = the whole credential. A longer rest of the same scope
  // stays as it is.
  void cool_down(int64_t until_ms, std::string_view reason, std::string_view model = {});
  void mark_dead(std::string_view reason) { cool_down(INT64_MAX, reason); }
  // All cooldowns off, failures zero.
  void reset_health();
  // A rest from before the start: nobody is told.
  void restore(const CoolDown& rest);
  // What keeps it from serving (model, operation) now. Scopes may be empty.
  enum class Rests : uint8_t { no, all, scope };
  Rests rests(int64_t now_ms, std::string_view model, std::string_view operation) const;
  // Until when that lasts; <= now_ms when nothing does.
  int64_t rests_until(int64_t now_ms, std::string_view model, std::string_view operation) const;
  int64_t until_ms() const { return until_ms_.load(std::memory_order_acquire); }
  int64_t scope_until(std::string_view scope) const;  // 0 = none
  // What keeps it from serving, with its reason; of several the credential's own.
  RestNote rest_note(int64_t now_ms, std::string_view model, std::string_view operation) const;
  const std::shared_ptr<HealthSignal>& signal() const { return signal_; }
  // Live entries only; the credential's own first, then models by name. [display]
  std::vector<CoolDown> cool_downs(int64_t now_ms) const;

  // Failures in a row; a success ends the row. Returns the count before this failure, and of these
  // the number with the same status. What was under way when the credential was put to rest as a
  // whole tells nothing new: it counts as the failure that began the rest.
  struct Row {
    int consecutive = 0, same_status = 0;
  };
  Row record_failure(int status, int64_t now_ms);
  // Rests after a 401, without a success between them; a rest that is in force does not count yet.
  // A refresh does not end this row: what it brought must prove itself.
  int auth_rests(int64_t now_ms) const;
  // Before the rest is put in force.
  void count_auth_rest(int64_t now_ms);
  void record_success();

  // --- what the vendor's headers say of its limits; UNIX ms ---
  // Never waits. [loop]
  void note_limits(std::span<const modhost::LimitWindow> windows, std::string_view model,
                   std::string_view operation, int64_t wall_ms) {
    limits_.note(windows, model, operation, wall_ms);
  }
  std::vector<SeenLimit> limits(int64_t wall_ms) const { return limits_.list(wall_ms); }

  // --- a limit of running requests; the pool's. 0 = none: nothing is counted then ---
  bool take(uint32_t limit) {
    if (limit == 0) return true;
    auto used = in_use_.load(std::memory_order_relaxed);
    while (used < limit) {
      if (in_use_.compare_exchange_weak(used, used + 1)) return true;
    }
    return false;
  }
  // True when it was full.
  bool give_back(uint32_t limit) { return limit != 0 && in_use_.fetch_sub(1) >= limit; }
  uint32_t in_use() const { return in_use_.load(); }

 private:
  bool put(const CoolDown& rest);
  void end_rests();

  static constexpr size_t kMaxModels = 256;  // model cooldowns kept; the soonest to end goes first

  const int64_t id_;
  const std::shared_ptr<HealthSignal> signal_;
  std::atomic<uint64_t> version_{1};
  mutable std::mutex mutex_;  // guards secret_, revision_ and opened_
  Secret secret_;
  uint64_t revision_;  // the store's
  // Of the current version, one per provider instance. Weak: what a slot holds must not keep the
  // instance of an old snapshot, and with it an old library, alive.
  std::vector<std::weak_ptr<const modhost::OpenCredential>> opened_;

  std::atomic<int64_t> until_ms_{0};
  std::atomic<int64_t> models_until_ms_{
      0};  // the latest of all model entries: past it nobody locks
  std::atomic<int> failures_{0};
  std::atomic<int> last_status_{0};
  std::atomic<int> same_status_{0};
  std::atomic<int> auth_rests_{0};
  std::atomic<uint32_t> in_use_{0};
  mutable std::mutex health_mutex_;  // guards reason_ and models_
  std::string reason_;
  std::map<std::string, CoolDown, std::less<>> models_;
  LimitWindows limits_;
};

// All slots by credential id. Main thread adds and removes; a slot lives as long as a snapshot
// lists it.
class SlotTable {
 public:
  std::shared_ptr<CredentialSlot> find(int64_t id) const;
  // The existing slot with the secret brought up to date, or a new one.
  std::shared_ptr<CredentialSlot> put(int64_t id, const Secret& secret, uint64_t revision);
  // Slots that are not in `ids` leave the table; running exchanges keep theirs.
  void retain(const std::vector<int64_t>& ids);
  size_t size() const;
  // Null takes it off. The listener is called on any thread until then.
  void listen(HealthListener* listener) { signal_->listener.store(listener); }

  // The same for keys and users.
  RateTable& rates() { return rates_; }

 private:
  const std::shared_ptr<HealthSignal> signal_ = std::make_shared<HealthSignal>();
  RateTable rates_;
  mutable std::mutex mutex_;
  std::unordered_map<int64_t, std::shared_ptr<CredentialSlot>> slots_;
};

}  // namespace gproxy::config
