// Pure work on the thread pool, answered on the loop that asked. The work owns a copy of its input;
// it never touches objects of the loop. Cancelled (or its handle destroyed) means: the result is
// dropped, the callback is not called; work that has not begun is not begun.
//
//   work_ = net::run_in_pool(loop, [text = std::move(text)] { return count(text); },
//                            [this](int64_t tokens) { on_counted(tokens); });
#pragma once

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "net/loop.h"
#include "net/task.h"

namespace gproxy::net {

class PendingWork {
 public:
  PendingWork() = default;
  PendingWork(PendingWork&& other) noexcept;
  PendingWork& operator=(PendingWork&& other) noexcept;
  ~PendingWork() { cancel(); }

  void cancel();
  bool pending() const { return job_ != nullptr; }

  // `work` runs on a pool thread; then `done` on the loop unless cancelled. Both are destroyed on
  // the loop. REQUIRES: called on the loop's thread.
  static PendingWork start(Loop& loop, Task work, Task done);

  struct Job;

 private:
  explicit PendingWork(Job* job);
  friend struct Job;
  Job* job_ = nullptr;  // freed by the loop when the pool is done with it
};

// `done` takes the result of `work`, or nothing when there is none.
template <class Work, class Done>
[[nodiscard]] PendingWork run_in_pool(Loop& loop, Work work, Done done) {
  using T = std::invoke_result_t<Work&>;
  if constexpr (std::is_void_v<T>) {
    return PendingWork::start(loop, Task(std::move(work)), Task(std::move(done)));
  } else {
    // One cell that both closures see; the pool's hand-over orders the accesses.
    auto result = std::make_shared<std::optional<T>>();
    return PendingWork::start(
        loop, Task([result, work = std::move(work)]() mutable { result->emplace(work()); }),
        Task([result, done = std::move(done)]() mutable { done(std::move(**result)); }));
  }
}

}  // namespace gproxy::net
