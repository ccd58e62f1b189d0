// One worker: a loop's listener, its client connections, its share of everything a request needs.
// Made, used and destroyed on the loop's thread (or before the loop runs); other threads reach it
// through loop.post(). The application owns it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/digest.h"
#include "base/metrics.h"
#include "base/result.h"
#include "base/secret.h"
#include "config/publisher.h"
#include "gateway/account_store.h"
#include "gateway/http_handler.h"
#include "gateway/shared_state.h"
#include "net/connection.h"
#include "net/listener.h"
#include "net/loop.h"
#include "storage/recorder.h"
#include "upstream/client.h"

namespace gproxy::gateway {

// Commits a refreshed secret to the store before any request uses it.
class CredentialSaver {
 public:
  virtual ~CredentialSaver() = default;
  // `done` runs on `loop`, later. `settings_json` empty = unchanged.
  virtual void save(int64_t credential_id, const Secret& secret_json,
                    const std::string& settings_json, net::Loop& loop,
                    std::function<void(Result<void>)> done) = 0;
};

// Everything outlives the worker. Pointers that may be null say so.
struct WorkerDeps {
  net::Loop* loop = nullptr;
  upstream::Client* client = nullptr;     // this loop's
  Metrics* metrics = nullptr;             // this loop's
  SharedState* shared = nullptr;          // the process's
  const KeyHasher* hasher = nullptr;      // digests of user keys
  storage::Recorder* recorder = nullptr;  // this loop's; null: no rows are written
  HttpHandler* handler = nullptr;         // admin API and interface; null: 404
  CredentialSaver* saver = nullptr;       // null: a refreshed secret lives in memory only
  AccountStore* accounts = nullptr;  // null: no logins, and response ids are known in memory only
  // This worker renews credentials before they expire: one of the process.
  bool refreshes_ahead = false;
  Clock* clock = &Clock::system();
};

struct WorkerStats {
  size_t connections = 0;
  size_t exchanges = 0;  // running
  uint64_t requests = 0;
};

struct WorkerContext;
class RefreshAhead;

enum class CredentialAction : uint8_t { refresh, test };
// Gets the answer's JSON, on the worker's loop.
using CredentialActionDone = std::function<void(Result<std::string>)>;
class Session;

class Worker {
 public:
  explicit Worker(const WorkerDeps& deps);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Where the Publisher puts snapshots (Publisher::add_loop(target, snapshots())).
  config::SnapshotSlot& snapshots();
  // The same by hand. A snapshot must be set before anything is accepted.
  void set_snapshot(std::shared_ptr<const config::Snapshot> snapshot);

  // Opens the listening socket; limits and watermarks are the current snapshot's. Returns the port.
  Result<uint16_t> listen(const std::string& host, uint16_t port, net::ListenerConfig::Reuse reuse);
  // Serves a connection that somebody else accepted.
  void adopt(net::Connection::Ptr connection);

  // Stops accepting, closes idle connections, lets running answers finish within the snapshot's
  // drain_ms, then ends each with its protocol's error. `done` runs once when no connection is
  // left.
  void begin_drain(std::function<void()> done);

  // Looks for credentials that end soon, as its timer does from time to time.
  void look_ahead();
  // For the operator: renews or tries a credential (credential_action.h).
  void act_on_credential(int64_t credential_id, CredentialAction action, CredentialActionDone done);

  WorkerStats stats() const;
  net::Loop& loop();

 private:
  friend class Session;
  void remove(Session& session);
  void finish_drain();

  std::shared_ptr<WorkerContext> context_;
  std::unique_ptr<net::Listener> listener_;
  net::ConnectionConfig connection_config_;
  std::unique_ptr<RefreshAhead> refresh_ahead_;
  struct Sessions;
  std::unique_ptr<Sessions> sessions_;
};

// A loop as the Publisher sees it.
class LoopTarget final : public config::PostTarget {
 public:
  explicit LoopTarget(net::Loop& loop) : loop_(loop) {}
  bool post(std::function<void()> task) override {
    loop_.post(net::Task(std::move(task)));
    return true;
  }

 private:
  net::Loop& loop_;
};

}  // namespace gproxy::gateway
