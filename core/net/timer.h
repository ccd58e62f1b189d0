// A timer of one loop, cheap enough to have several per connection: 64 bytes, no allocation, start
// and stop in constant time. Starting a running timer again with a later deadline costs two stores.
// Times are rounded up to the loop's millisecond; no timer fires early. Destroying it stops it.
//
//   net::Timer idle_{loop, [this] { on_idle(); }};
//   idle_.start(30'000);
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <type_traits>

namespace gproxy::net {

class Loop;
class TimerWheel;

class Timer {
 public:
  // `fn`: a closure of one pointer's size at most, e.g. [this] { on_idle(); }.
  template <class F>
  requires(std::is_invocable_v<F&>&& std::is_trivially_copyable_v<F> &&
           sizeof(F) <= sizeof(void*) && alignof(F) <= alignof(void*)) Timer(Loop& loop, F fn)
      : wheel_(wheel_of(loop)) {
    new (&closure_) F(fn);
    call_ = [](void* closure) { (*std::launder(static_cast<F*>(closure)))(); };
  }
  ~Timer() { stop(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Fires once after `delay_ms`, then every `repeat_ms` when that is not 0. Restarts a running
  // timer. The callback may start, stop or destroy the timer.
  void start(int64_t delay_ms, int64_t repeat_ms = 0);
  void stop();
  bool active() const { return slot_ != kNoSlot; }
  // Loop time of the next call. REQUIRES: active().
  int64_t deadline_ms() const { return deadline_; }

 private:
  friend class TimerWheel;
  static constexpr uint16_t kNoSlot = 0xffff;
  static TimerWheel& wheel_of(Loop& loop);

  TimerWheel& wheel_;
  Timer* prev_ = nullptr;
  Timer* next_ = nullptr;
  void (*call_)(void*);
  void* closure_ = nullptr;
  int64_t deadline_ = 0;
  int64_t repeat_ms_ = 0;
  uint16_t slot_ = kNoSlot;
};

static_assert(sizeof(Timer) <= 64);

}  // namespace gproxy::net
