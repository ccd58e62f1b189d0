// One event loop and what must happen around its turns. A thread owns one Loop and runs it; all
// objects made on it live and die on that thread. post() and stop() are the only functions that
// other threads may call. Whoever makes the loop owns it, and destroys it last, on a thread where
// it does not run.
//
// A turn: timers, what was posted, I/O callbacks; then, before the loop may wait again,
// the turn's tail: the kicks, the deferred tasks and the flush hooks, in this order, again and
// again until nothing is left. So what is deferred never waits for I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "net/task.h"

struct uv_loop_s;

namespace gproxy::net {

class Loop;
class TimerWheel;

// Something to be called once at the end of the current turn. Embedded in its owner; scheduling
// costs no memory and is idempotent. Destroying it unschedules it. The callback may schedule it
// again.
class TurnHook {
 public:
  using Callback = void (*)(void* context);
  TurnHook(Callback callback, void* context) : callback_(callback), context_(context) {}
  ~TurnHook() { cancel(); }
  TurnHook(const TurnHook&) = delete;
  TurnHook& operator=(const TurnHook&) = delete;

  bool scheduled() const { return owner_ != nullptr; }
  void cancel();

 private:
  friend class Loop;
  Callback callback_;
  void* context_;
  void* owner_ = nullptr;  // the list it is in
  TurnHook* prev_ = nullptr;
  TurnHook* next_ = nullptr;
};

struct LoopConfig {
  int64_t slow_turn_ms = 50;            // a turn longer than this is logged; 0 = never
  size_t read_block_bytes = 64 * 1024;  // what every connection of the loop reads into
};

struct LoopStats {
  uint64_t turns = 0;
  uint64_t slow_turns = 0;
  int64_t longest_turn_ms = 0;  // since reset_longest_turn()
  uint64_t posted = 0;
};

class Loop {
 public:
  explicit Loop(LoopConfig config = {});
  // Runs what is posted and deferred, then closes. REQUIRES: every listener, connection, timer and
  // client made on this loop is gone.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs turns on the calling thread until stop().
  void run();
  // Ends run() after the current turn; a stop() before run() ends the next run() at once. Any
  // thread.
  void stop();
  enum class Wait : uint8_t { for_events, no };
  // One turn. For tests and shutdown.
  void run_once(Wait wait);

  // Runs `task` on this loop in its next turn, in posting order. Any thread.
  void post(Task task);
  // Runs `task` at the tail of the current turn, after the callbacks that are on the stack now.
  // Loop thread only.
  void defer(Task task);
  // Destroys the object at the tail of the current turn, not while its own callbacks run.
  template <class T, class D>
  void defer_delete(std::unique_ptr<T, D> object) {
    if (object != nullptr) defer([o = std::move(object)]() mutable { o.reset(); });
  }

  // Calls the hook once at the tail of the current turn, after the deferred tasks: writes collected
  // during the turn go out as one.
  void at_turn_end(TurnHook& hook);
  // The same, ahead of the deferred tasks: for work that will itself produce writes.
  void kick(TurnHook& hook);

  // Monotonic milliseconds, read once per turn: the base of timers and deadlines. Costs one load.
  int64_t now_ms() const;
  // The exact time, for measuring; costs a clock read.
  static int64_t now_us();
  // How long the callbacks of this turn have run by now, in milliseconds; costs a clock read. Who
  // can put off the rest of a heavy piece of work looks here.
  int64_t busy_ms() const;
  // Makes now_ms() exact again after something slow.
  void update_time();

  bool is_current() const;
  // A block shared by all readers of this loop; its content is gone when the reader returns.
  std::span<char> read_block();

  const LoopStats& stats() const;
  void reset_longest_turn();

  uv_loop_s* native();
  TimerWheel& timers();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gproxy::net
