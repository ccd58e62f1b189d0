// Which of a provider's credentials serves the next attempt. One per provider, shared by all loops
// and by the snapshots between which its credentials did not change. Any thread.
//
// Who may be used is a bitmap: a clear bit rests or is full. A pick looks at one word per 64
// credentials and then asks the one it found; a rest that this pool has not heard of yet is found
// then, once, and from there on costs nobody anything until it is over. Times are compared when a
// credential is picked: there is no timer. Rests of one model or operation have bitmaps of their
// own. The lock is taken when a rest begins or ends, never by an ordinary pick. Running requests
// are counted per loop, so that two loops do not fight for a cache line; only a credential with a
// limit has a shared count.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "config/affinity.h"
#include "config/credential_slot.h"
#include "config/pool_settings.h"

namespace gproxy::config {

class CredentialPool;

// A credential in use. Gives it back when it dies; on any thread, before its pool.
class Lease {
 public:
  Lease() = default;
  Lease(Lease&& other) noexcept { *this = std::move(other); }
  Lease& operator=(Lease&& other) noexcept;
  ~Lease() { release(); }
  explicit operator bool() const { return pool_ != nullptr; }
  // What the strategy `sticky` made of the conversation.
  enum class Binding : uint8_t {
    none,   // no conversation, or another strategy
    made,   // its first credential
    kept,   // the one it is with
    moved,  // another one from now on
    away,   // another one, this once
  };
  Binding binding() const { return binding_; }
  // Its place in ProviderEntry::credentials.
  size_t position() const;
  CredentialSlot& slot() const;
  void release();

 private:
  friend class CredentialPool;
  Lease(CredentialPool& pool, uint32_t index, uint32_t loop)
      : pool_(&pool), index_(index), loop_(loop) {}
  CredentialPool* pool_ = nullptr;
  uint32_t index_ = 0, loop_ = 0;
  Binding binding_ = Binding::none;
};

class CredentialPool : public std::enable_shared_from_this<CredentialPool> {
 public:
  struct Member {
    std::shared_ptr<CredentialSlot> slot;
    size_t position = 0;  // in ProviderEntry::credentials
    uint32_t weight = 1;
    uint32_t limit = 0;  // running requests; 0 = none
    bool operator==(const Member&) const = default;
  };
  // `before`: the provider's last pool; its conversations are handed on.
  CredentialPool(PoolSettings settings, std::vector<Member> members, const Clock& clock,
                 const CredentialPool* before = nullptr);
  ~CredentialPool();
  CredentialPool(const CredentialPool&) = delete;
  CredentialPool& operator=(const CredentialPool&) = delete;

  const PoolSettings& settings() const { return settings_; }
  const std::vector<Member>& members() const { return members_; }
  size_t size() const { return members_.size(); }

  struct Ask {
    std::string_view model = {};          // empty: none is named
    std::string_view operation = {};      // a scope word, "@generate"
    std::span<const int64_t> tried = {};  // ids this request has used up
    uint64_t conversation = 0;            // for sticky; 0 = none
    int64_t pinned = 0;                   // this one or nobody; 0 = any
    uint32_t loop = 0;                    // the caller's number: WorkerContext::number
  };
  // Empty when none may be used now, or when others have waited longer for the same.
  Lease pick(const Ask& ask);

  // Until the first of them may be used for this, from now; 0 = unknown or never. Rare: looks at
  // each.
  int64_t wait_ms(std::string_view model, std::string_view operation) const;
  // Is there somebody for this who may become free: not tried, not out of use?
  bool hope(const Ask& ask) const;
  // A member that a pick passes over.
  struct Skip {
    enum class Why : uint8_t { rests, dead, full };
    size_t index = 0;  // of members()
    Why why = Why::rests;
    RestNote rest;  // of what rests or is dead
  };
  // Those that a pick for `ask` passes over now, the first `out.size()` of them; `ask.tried` is not
  // among them. Returns how many there are in all. No memory is allocated, and next to nothing is
  // done while nobody rests.
  size_t skipped(const Ask& ask, std::span<Skip> out) const;

  // ---- waiting, where the operator wants a queue ----------------------------------------------
  // Told once, on any thread and without a lock held; it may be the one that asks.
  class Waiter {
   public:
    virtual ~Waiter() = default;
    virtual void granted(Lease lease) = 0;
  };
  // A place in the queue, first come first served among those that the same credential suits. False
  // when the queue is full. The texts of `ask` are copied. Call leave() before the waiter dies.
  bool enqueue(const std::shared_ptr<Waiter>& waiter, const Ask& ask);
  // True when it was waiting; false: granted() was called, or is about to be.
  bool leave(const Waiter& waiter);
  // Hands out what is free: after a rest may have ended. Cheap when nobody waits.
  void serve();
  size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }

  // Running requests of one member, or of all.
  uint32_t in_flight(size_t index) const;
  uint64_t in_flight() const;
  // Members that rest or are full, as far as the pool knows. [metrics]
  size_t away() const;
  Affinity& affinity() { return *affinity_; }

  static constexpr uint32_t kLoops = 64;  // loops beyond share counters

 private:
  friend class Lease;
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr size_t kScopes = 32;      // models and operations with rests of their own
  static constexpr size_t kTidyAtOnce = 64;  // ended rests that one pick pays for
  static constexpr int64_t kFullRecheckMs = 50;

  using Word = std::atomic<uint64_t>;
  using Rest = std::pair<int64_t, uint32_t>;  // until, index
  struct Scope {
    std::unique_ptr<Word[]> blocked;
    std::vector<Rest> rests;  // heap, soonest first
    std::string name;
    std::atomic<int64_t> wake{INT64_MAX};
  };
  struct alignas(64) Local {
    std::atomic<uint32_t> cursor{0};
    std::atomic<uint32_t> round{0};  // weighted: which weights still take part
    std::unique_ptr<std::atomic<uint32_t>[]> running;
  };
  struct Masks {
    const Scope* model = nullptr;
    const Scope* operation = nullptr;
  };
  struct Waiting {
    std::shared_ptr<Waiter> waiter;
    std::string model, operation;
    std::vector<int64_t> tried;
    uint64_t conversation;
    int64_t pinned;
    uint32_t loop;
  };
  enum class Verdict : uint8_t { taken, rests, rests_in_scope, full };

  Local& local(uint32_t loop);
  uint64_t usable(size_t word, const Masks& masks) const;
  Masks masks_for(const Ask& ask) const;
  uint32_t choose(Local& local, const Masks& masks, const Ask& ask);
  uint32_t next_after(uint32_t cursor, const Masks& masks, const Ask& ask,
                      const uint64_t* level) const;
  uint32_t choose_weighted(Local& local, const Masks& masks, const Ask& ask);
  uint32_t choose_least(Local& local, const Masks& masks, const Ask& ask);
  Verdict take(uint32_t index, const Ask& ask, int64_t now);
  Lease pick_now(const Ask& ask, int64_t now);
  Lease pick_slowly(const Ask& ask, int64_t now);
  Lease pick_known(int64_t id, const Ask& ask, int64_t now);
  bool moves_for_good(int64_t id, const Ask& ask, int64_t now) const;
  Lease lease(uint32_t index, uint32_t loop);
  void note(uint32_t index, Verdict verdict, const Ask& ask, int64_t now);
  void tidy(int64_t now, size_t most);
  void tidy_locked(int64_t now, size_t most);
  Scope* scope_for(std::string_view name);
  bool ready_now(uint32_t index, int64_t now) const;
  void set_ready(uint32_t index);
  void give_back(uint32_t index, uint32_t loop);

  const PoolSettings settings_;
  const std::vector<Member> members_;
  const Clock& clock_;
  const size_t words_;
  std::unordered_map<int64_t, uint32_t> by_id_;
  std::vector<std::vector<uint64_t>> levels_;  // weighted: [r] = members whose weight is above r
  std::shared_ptr<Affinity> affinity_;
  std::shared_ptr<HealthSignal> signal_;

  std::unique_ptr<Word[]> ready_;
  std::atomic<int64_t> wake_{INT64_MAX};  // the soonest end of a rest, of all scopes too
  std::atomic<uint64_t> seen_{0};         // of signal_: health that was given back before its time
  std::atomic<uint32_t> scopes_used_{0};
  std::array<std::atomic<uint64_t>, kScopes> scope_keys_{};
  std::array<Scope, kScopes> scopes_;
  std::array<std::atomic<Local*>, kLoops> locals_{};

  mutable std::mutex mutex_;  // guards rests_, scopes' rests and names, the making of locals
  std::vector<Rest> rests_;   // heap, soonest first

  std::mutex queue_mutex_;  // guards queue_; before mutex_
  std::list<Waiting> queue_;
  std::atomic<size_t> waiting_{0};
};

}  // namespace gproxy::config
