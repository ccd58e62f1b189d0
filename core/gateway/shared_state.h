// What all workers of a process share, each item with its own rule: counts of connections, the
// memory budget, readiness, and who refreshes which credential. Any thread; owned by the server,
// outlives the workers.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/digest.h"
#include "base/metrics.h"
#include "base/result.h"
#include "gateway/reasoning_cache.h"
#include "gateway/recent_decisions.h"
#include "gateway/response_owners.h"
#include "net/loop.h"
#include "net/peer_address.h"
#include "tokenize/library.h"

namespace gproxy::gateway {

// Open client connections, in all and per address.
class ConnectionCount {
 public:
  struct Limits {
    size_t total = 0;
    size_t per_address = 0;  // 0 = no own limit
  };
  // False when a limit is reached; nothing is counted then.
  bool enter(const net::PeerAddress& peer, const Limits& limits);
  void leave(const net::PeerAddress& peer);
  size_t open() const { return open_.load(std::memory_order_relaxed); }

 private:
  struct HostHash {
    size_t operator()(const net::PeerAddress& peer) const { return peer.host_hash(); }
  };
  struct SameHost {
    bool operator()(const net::PeerAddress& a, const net::PeerAddress& b) const {
      return a.same_host(b);
    }
  };
  std::atomic<size_t> open_{0};
  std::mutex mutex_;  // guards by_address_; two short holds per connection
  std::unordered_map<net::PeerAddress, size_t, HostHash, SameHost> by_address_;
};

// Bytes of request bodies and answers in hand.
class MemoryBudget {
 public:
  // False when it would exceed `limit`; nothing is taken then.
  bool take(size_t bytes, size_t limit);
  void give_back(size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  size_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  std::atomic<size_t> used_{0};
};

// What /readyz says.
class Readiness {
 public:
  void set_started() { started_.store(true, std::memory_order_release); }
  void set_draining() { draining_.store(true, std::memory_order_release); }
  bool draining() const { return draining_.load(std::memory_order_acquire); }
  bool started() const { return started_.load(std::memory_order_acquire); }
  // New requests are being refused (the store is behind): 503 until cleared.
  void set_refusing(bool refusing) { refusing_.store(refusing, std::memory_order_release); }
  bool ready() const {
    return started() && !draining() && !refusing_.load(std::memory_order_acquire);
  }
  // The parts that work less well, each with a word on why; what is not among them is well.
  void set_degraded(std::map<std::string, std::string> parts);
  std::string to_json() const;

 private:
  std::atomic<bool> started_{false};
  std::atomic<bool> draining_{false};
  std::atomic<bool> refusing_{false};
  mutable std::mutex mutex_;
  std::map<std::string, std::string> degraded_;
};

// One refresh per process and credential: the first who asks runs it, the others wait for its end
// on their own loops. It outlives its initiator.
class RefreshTable {
 public:
  using Waiter = std::function<void(const Result<void>&)>;
  enum class Role : uint8_t { runs, waits };
  // `waiter` is called on `loop` when the refresh has ended, also for the one who runs it.
  Role join(int64_t credential_id, net::Loop& loop, Waiter waiter);
  // By the one who runs it, on any loop.
  void finish(int64_t credential_id, const Result<void>& result);
  // Failures in a row of no definite reason, this one included; finish(ok) ends the row.
  int count_failure(int64_t credential_id);

 private:
  struct Waiting {
    net::Loop* loop;
    Waiter waiter;
  };
  std::mutex mutex_;
  std::unordered_map<int64_t, std::vector<Waiting>> running_;
  std::unordered_map<int64_t, int> failures_;
};

// Logins whose callback is being worked on, by their state's digest: a second callback with the
// same state would spend a code that is good for once.
class LoginTable {
 public:
  bool enter(const Digest& state);  // false: somebody is at it
  void leave(const Digest& state);

 private:
  std::mutex mutex_;
  std::vector<Digest> running_;
};

struct SharedState {
  ConnectionCount connections;
  MemoryBudget memory;
  Readiness readiness;
  RefreshTable refreshes;
  LoginTable logins;
  ResponseOwners responses;
  RecentDecisions decisions;
  const std::shared_ptr<ReasoningCache> reasoning = std::make_shared<ReasoningCache>();
  std::atomic<uint32_t> next_worker{0};
  tokenize::Library tokenizers;
  // Everything that /metrics shows: filled before the workers run, read by any of them.
  std::vector<const Metrics*> metrics;
  // Called before a scrape is rendered, on the loop that serves it: sets process-wide gauges into a
  // Metrics of its own that is rendered along. May be empty.
  std::function<void(Metrics&)> on_scrape;
};

}  // namespace gproxy::gateway
