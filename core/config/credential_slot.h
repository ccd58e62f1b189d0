// What changes about a credential while snapshots come and go: its secret's current version and its
// health. Slots have stable addresses outside the snapshots. Any thread; owned by the SlotTable,
// which the snapshots share.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "modhost/provider.h"

namespace gproxy::config {

// Why something rests: the reference's words (rate_limit, timeout, upstream_5xx, auth_invalid,
// model_disallow, manual, unknown) or a module's.
struct CoolDown {
  std::string scope;  // the model's name; empty = the credential
  std::string reason;
  int64_t until_ms = 0;  // monotonic; INT64_MAX = until it is changed
};

class CredentialSlot {
 public:
  CredentialSlot(int64_t id, Secret secret, uint64_t revision);
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
  // anew. Error: the provider refuses the secret; nothing changed.
  Result<modhost::CredentialHandle> replace(Secret secret_json, const modhost::Provider& provider);
  // From the store, without opening it. False, and nothing changed, when it is equal or `revision`
  // is older than the last one.
  bool replace_text(const Secret& secret_json, uint64_t revision);
  Secret secret() const;

  // --- health; times are monotonic ms ---
  // May the credential be used now for this model (empty: any)? Compares times; no timer is
  // involved.
  bool available(int64_t now_ms, std::string_view model) const;
  // Overwrites a former entry of the same scope. `model` empty = the whole credential.
  void cool_down(int64_t until_ms, std::string_view reason, std::string_view model = {});
  void mark_dead(std::string_view reason) { cool_down(INT64_MAX, reason); }
  // All cooldowns off, failures zero.
  void reset_health();
  // Live entries only; the credential's own first, then models by name. [display]
  std::vector<CoolDown> cool_downs(int64_t now_ms) const;

  // Failures in a row; a success ends the row. Returns the count before this failure, and of these
  // the number with the same status.
  struct Row {
    int consecutive = 0, same_status = 0;
  };
  Row record_failure(int status);
  void record_success();

  void begin() { in_flight_.fetch_add(1, std::memory_order_relaxed); }
  void end() { in_flight_.fetch_sub(1, std::memory_order_relaxed); }
  int in_flight() const { return in_flight_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kMaxModels = 256;  // model cooldowns kept; the soonest to end goes first

  const int64_t id_;
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
  std::atomic<int> in_flight_{0};
  mutable std::mutex health_mutex_;  // guards reason_ and models_
  std::string reason_;
  std::map<std::string, CoolDown, std::less<>> models_;
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

 private:
  mutable std::mutex mutex_;
  std::unordered_map<int64_t, std::shared_ptr<CredentialSlot>> slots_;
};

}  // namespace gproxy::config
