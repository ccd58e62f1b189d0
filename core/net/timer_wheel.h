// The loop's timers: a hierarchical wheel of five levels with 64 slots each, the lowest one
// millisecond wide. Insert and remove are constant time; a timer moves down a level at most four
// times in its life. Pure: the clock and the one real timer behind it are the host's. One per loop,
// owned by it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "net/timer.h"

namespace gproxy::net {

class TimerWheel {
 public:
  class Host {
   public:
    virtual int64_t now_ms() const = 0;
    // Call advance() at that time or soon after; a later call replaces the earlier one.
    virtual void wake_at(int64_t deadline_ms) = 0;

   protected:
    ~Host() = default;
  };

  explicit TimerWheel(Host& host);
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Calls what is due, in order of time (within one millisecond: in no order), then asks the host
  // for the next wake-up.
  void advance();
  size_t size() const { return size_; }

 private:
  friend class Timer;
  static constexpr int kLevels = 5;
  static constexpr int kBits = 6;
  static constexpr int kSlots = 1 << kBits;
  static constexpr int64_t kReach = int64_t{1} << (kLevels * kBits);
  static constexpr uint16_t kFiring = kLevels * kSlots;  // index of the list being called
  static constexpr int64_t kNever = INT64_MAX;

  struct Due {
    int64_t at = kNever;
    uint16_t slot = 0;
  };

  void start(Timer& timer, int64_t delay_ms, int64_t repeat_ms);
  void stop(Timer& timer);
  void insert(Timer& timer);
  void link(Timer& timer, uint16_t slot);
  void unlink(Timer& timer);
  Due next_due() const;
  void fire_slot(const Due& due);
  void wake_for(int64_t at);

  Host& host_;
  int64_t elapsed_;         // everything due up to here was called
  int64_t armed_ = kNever;  // the wake-up asked for
  size_t size_ = 0;
  bool advancing_ = false;
  std::array<uint64_t, kLevels> occupied_{};
  std::array<Timer*, kLevels * kSlots + 1> heads_{};
};

}  // namespace gproxy::net
