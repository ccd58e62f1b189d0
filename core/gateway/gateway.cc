#include "gateway/gateway.h"

#include <utility>
#include <vector>

#include "base/log.h"
#include "gateway/refresh_ahead.h"
#include "gateway/credential_action.h"
#include "gateway/session.h"
#include "gateway/step_runner.h"
#include "gateway/worker_context.h"
#include "net/timer.h"

namespace gproxy::gateway {

struct Worker::Sessions final : Session::Owner {
  explicit Sessions(Worker& w) : worker(w), drain_timer(w.loop(), [this] { end_drain(); }) {}

  void on_session_end(Session& session) override { worker.remove(session); }
  void end_drain() {
    // A copy: each of them may leave the list at once.
    std::vector<Session*> left;
    for (const auto& session : all) left.push_back(session.get());
    log::warn("drain timeout: running answers are ended", {{"connections", left.size()}});
    for (auto* session : left) session->shut_down();
    if (!all.empty()) drain_timer.start(kGraceMs);
    grace = true;
  }

  static constexpr int64_t kGraceMs = 2000;  // for the errors to reach their clients
  Worker& worker;
  std::vector<std::unique_ptr<Session>> all;
  net::Timer drain_timer;
  std::function<void()> drained;
  bool grace = false;
};

Worker::Worker(const WorkerDeps& deps) : context_(std::make_shared<WorkerContext>(deps)) {
  sessions_ = std::make_unique<Sessions>(*this);
  if (deps.refreshes_ahead) {
    refresh_ahead_ = std::make_unique<RefreshAhead>(*context_);
    refresh_ahead_->start();
  }
}

Worker::~Worker() {
  listener_.reset();
  refresh_ahead_.reset();
  // Taken out first: their ends find an empty house.
  auto sessions = std::exchange(sessions_->all, {});
  sessions.clear();
  const auto runners = context_->runners;
  for (const auto& runner : runners) runner->cancel();
  context_->tokenizer_fetches.clear();
}

net::Loop& Worker::loop() {
  return context_->loop;
}

config::SnapshotSlot& Worker::snapshots() {
  return context_->snapshots;
}

void Worker::set_snapshot(std::shared_ptr<const config::Snapshot> snapshot) {
  context_->snapshots.set(std::move(snapshot));
}

Result<uint16_t> Worker::listen(const std::string& host, uint16_t port,
                                net::ListenerConfig::Reuse reuse) {
  const auto& limits = (*context_->snapshots.current())->settings().limits;
  net::ListenerConfig config;
  config.host = host;
  config.port = port;
  config.reuse = reuse;
  config.connection.high_watermark = limits.output_high_bytes;
  config.connection.low_watermark = limits.output_low_bytes;
  GP_TRY(listener_,
         net::Listener::open(context_->loop, config, [this](net::Connection::Ptr connection) {
           adopt(std::move(connection));
         }));
  return listener_->port();
}

void Worker::adopt(net::Connection::Ptr connection) {
  auto session = std::make_unique<Session>(*context_, *sessions_, std::move(connection));
  auto* raw = session.get();
  raw->index = sessions_->all.size();
  sessions_->all.push_back(std::move(session));
  raw->start();
}

void Worker::remove(Session& session) {
  auto& all = sessions_->all;
  const size_t at = session.index;
  auto gone = std::move(all[at]);
  if (at + 1 != all.size()) {
    all[at] = std::move(all.back());
    all[at]->index = at;
  }
  all.pop_back();
  context_->bury(std::move(gone));
  if (all.empty() && context_->draining) finish_drain();
}

void Worker::begin_drain(std::function<void()> done) {
  if (context_->draining) return;
  context_->draining = true;
  sessions_->drained = std::move(done);
  if (listener_ != nullptr) listener_->stop();
  std::vector<Session*> open;
  for (const auto& session : sessions_->all) open.push_back(session.get());
  for (auto* session : open) session->drain();
  if (sessions_->all.empty()) {
    finish_drain();
    return;
  }
  const auto ms = (*context_->snapshots.current())->settings().timeouts.drain_ms;
  sessions_->drain_timer.start(ms > 0 ? ms : 1);
}

void Worker::finish_drain() {
  sessions_->drain_timer.stop();
  // Deferred: the last session is still being taken down.
  if (auto done = std::exchange(sessions_->drained, nullptr))
    context_->loop.defer(net::Task(std::move(done)));
}

void Worker::look_ahead() {
  if (refresh_ahead_ != nullptr) refresh_ahead_->look();
}

void Worker::act_on_credential(int64_t credential_id, CredentialAction action,
                               CredentialActionDone done) {
  if (action == CredentialAction::refresh) {
    refresh_now(*context_, credential_id, std::move(done));
  } else {
    test_now(context_, credential_id, std::move(done));
  }
}

WorkerStats Worker::stats() const {
  return {sessions_->all.size(), context_->exchanges, context_->requests};
}

}  // namespace gproxy::gateway
