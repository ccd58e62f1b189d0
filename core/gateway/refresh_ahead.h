// Renews credentials before they expire, so that no request has to wait for it. One worker of the
// process does it, on its loop: a look at all credentials now and then, few refreshes at a time,
// spread by chance. What cannot be renewed serves on until it expires; then the requests decide.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "gateway/credential_refresh.h"
#include "gateway/worker_context.h"
#include "net/timer.h"

namespace gproxy::gateway {

class RefreshAhead {
 public:
  // How long before its end a version is renewed: five minutes and up to one more, but no more than
  // a tenth of the time it had when it was first seen.
  static constexpr int64_t kLeadMs = 300'000;
  static constexpr int64_t kSpreadMs = 60'000;
  static constexpr int64_t kLookMs = 2'000;
  static constexpr size_t kAtOnce = 4;

  explicit RefreshAhead(WorkerContext& context);
  ~RefreshAhead();
  RefreshAhead(const RefreshAhead&) = delete;
  RefreshAhead& operator=(const RefreshAhead&) = delete;

  void start() { timer_.start(kLookMs, kLookMs); }
  // What the timer does.
  void look();

 private:
  struct Seen {
    uint64_t version = 0;
    int64_t lead_ms = 0;
    int64_t next_try_ms = 0;
    int failures = 0;
    uint64_t round = 0;
    bool given_up = false;  // refused for good
  };
  void consider(const config::LoopSnapshotPtr& snapshot, const config::ProviderEntry& provider,
                const config::CredentialEntry& credential);
  void ended(int64_t id, uint64_t version, const Result<void>& result);

  WorkerContext& context_;
  net::Timer timer_;
  std::unordered_map<int64_t, Seen> seen_;
  size_t running_ = 0;
  uint64_t round_ = 0;
  std::shared_ptr<RefreshAhead*> self_;  // given to refreshes that may outlive us
};

}  // namespace gproxy::gateway
