// Performs the steps of a module's step machine (login, refresh, quota): fetches through the loop's
// client, waits, computes on the thread pool. Lives on the loop that began it and outlives the
// request that did; registered with the worker, which cancels what still runs when it ends.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/arena.h"
#include "base/result.h"
#include "gateway/worker_context.h"
#include "modhost/step_machine.h"
#include "net/timer.h"
#include "net/work.h"
#include "storage/records.h"
#include "upstream/client.h"

namespace gproxy::gateway {

class StepRunner final : private upstream::TransferSink {
 public:
  // What the machine is about, for the journal. The provider belongs to the snapshot.
  struct Purpose {
    const config::ProviderEntry* provider = nullptr;
    translate::Operation operation = translate::Operation::none;  // none: a refresh
    int64_t credential_id = storage::kNoId;
    int64_t user_id = storage::kNoId;
    int64_t user_key_id = storage::kNoId;
    std::string trace_id;  // of the request that wants it; empty: it gets one of its own
  };
  using Done = std::function<void(Result<modhost::Step>, const StepRunner&)>;
  // `done` gets the last step (done, fail or reply), once, on this loop; never before run()
  // returned.
  static void run(WorkerContext& context, config::LoopSnapshotPtr snapshot,
                  modhost::StepMachine machine, const Purpose& purpose, Done done);
  // Ends it with an error.
  void cancel();

  StepRunner(WorkerContext& context, config::LoopSnapshotPtr snapshot, modhost::StepMachine machine,
             const Purpose& purpose, Done done);

  // For `done`: what the machine left for its next part, and the last answer fetched (status 0:
  // none came).
  const std::string& flow() const { return machine_.flow(); }
  int status() const { return status_; }
  std::string_view body() const { return body_; }

 private:
  static constexpr size_t kMaxReply = size_t{1} << 20;
  static constexpr int kMaxRedirects = 3;

  void next(const modhost::StepReply* reply);
  void take(Result<modhost::Step> step);
  void fetch(const modhost::Prepared& prepared, std::string_view url);
  void end(Result<modhost::Step> result);
  void record(const upstream::Completion& completion);
  void on_head(const upstream::Head& head) override;
  void on_data(std::string_view bytes) override;
  void on_complete(const upstream::Completion& completion) override;

  WorkerContext& context_;
  config::LoopSnapshotPtr snapshot_;
  modhost::StepMachine machine_;
  const Purpose purpose_;
  Done done_;
  std::unique_ptr<Arena> arena_;    // of the current step
  std::unique_ptr<Arena> replies_;  // of its reply
  modhost::Prepared request_;
  std::string_view url_;
  std::unique_ptr<upstream::Transfer> transfer_;
  net::Timer timer_;
  net::PendingWork work_;
  std::span<const http::HeaderView> headers_;
  std::string body_;
  int status_ = 0;
  int64_t fetched_us_ = 0;  // when the running fetch began
  int64_t fetched_wall_us_ = 0;
  int32_t fetches_ = 0;
  int redirects_ = 0;
  bool too_large_ = false;
};

}  // namespace gproxy::gateway
