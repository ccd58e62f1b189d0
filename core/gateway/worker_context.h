// What the sessions and exchanges of one worker use together. On its loop; owned by the Worker.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "gateway/block_pool.h"
#include "gateway/gateway.h"
#include "gateway/gateway_metrics.h"
#include "http/headers.h"

namespace gproxy::gateway {

class StepRunner;
class TokenizerFetch;

// Shared only with what waits to be deleted: that may outlast the Worker by a turn.
struct WorkerContext : std::enable_shared_from_this<WorkerContext> {
  explicit WorkerContext(const WorkerDeps& deps)
      : loop(*deps.loop),
        client(*deps.client),
        shared(*deps.shared),
        clock(*deps.clock),
        hasher(deps.hasher),
        recorder(deps.recorder),
        handler(deps.handler),
        saver(deps.saver),
        accounts(deps.accounts),
        metrics(*deps.metrics),
        blocks(*deps.loop),
        random(static_cast<uint64_t>(deps.clock->wall_us()) ^ reinterpret_cast<uintptr_t>(this)) {}

  net::Loop& loop;
  upstream::Client& client;
  SharedState& shared;
  Clock& clock;
  const KeyHasher* hasher;
  storage::Recorder* recorder;
  HttpHandler* handler;
  CredentialSaver* saver;
  AccountStore* accounts;
  GatewayMetrics metrics;
  BlockPool blocks;
  config::SnapshotSlot snapshots;
  const uint32_t number = shared.next_worker.fetch_add(1);  // among the workers: CredentialPool
  std::mt19937_64 random;                                   // jitter and ids, nothing secret
  DecisionRing& decisions = shared.decisions.open();
  size_t exchanges = 0;  // running ones that may write rows
  uint64_t requests = 0;
  bool draining = false;
  std::vector<std::shared_ptr<StepRunner>> runners;                // running step machines
  std::vector<std::shared_ptr<TokenizerFetch>> tokenizer_fetches;  // running ones

  // Output strings go from hand to hand: a stream that is silent holds none.
  std::string take_string() {
    if (spare_.empty()) return {};
    auto out = std::move(spare_.back());
    spare_.pop_back();
    return out;
  }
  void give_back(std::string text) {
    if (spare_.size() >= kSpareStrings || text.capacity() > kSpareBytes) return;
    text.clear();
    spare_.push_back(std::move(text));
  }
  // Room for the fields of one answer's head, valid until the next call.
  std::span<http::HeaderView> header_list(size_t fields) {
    if (headers_.size() < fields) headers_.resize(fields);
    return {headers_.data(), fields};
  }
  // Deletes at the tail of the turn.
  template <class T>
  void bury(std::unique_ptr<T> corpse) {
    loop.defer([keep = shared_from_this(), dead = std::move(corpse)]() mutable { dead.reset(); });
  }
  double jitter() { return static_cast<double>(random() >> 11) * 0x1.0p-53; }

 private:
  static constexpr size_t kSpareStrings = 64;
  static constexpr size_t kSpareBytes = 64 * 1024;
  std::vector<std::string> spare_;
  std::vector<http::HeaderView> headers_;
};

}  // namespace gproxy::gateway
