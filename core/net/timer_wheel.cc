#include "net/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace gproxy::net {

TimerWheel::TimerWheel(Host& host) : host_(host), elapsed_(host.now_ms()) {}

void TimerWheel::start(Timer& timer, int64_t delay_ms, int64_t repeat_ms) {
  const int64_t delay = std::clamp<int64_t>(delay_ms, 0, kNever / 4);
  const int64_t deadline = host_.now_ms() + delay;
  timer.repeat_ms_ = std::max<int64_t>(repeat_ms, 0);
  if (timer.active() && timer.slot_ != kFiring && deadline >= timer.deadline_) {
    // Pushed back: stays where it is and is put right when its slot comes up.
    timer.deadline_ = deadline;
    return;
  }
  if (timer.active()) unlink(timer);
  timer.deadline_ = deadline;
  insert(timer);
}

void TimerWheel::stop(Timer& timer) {
  if (timer.active()) unlink(timer);
}

void TimerWheel::insert(Timer& timer) {
  // Never into the past: a slot behind the hand would be found a whole round later.
  const int64_t when = std::min(std::max(timer.deadline_, elapsed_ + 1), elapsed_ + kReach - 1);
  const uint64_t differing = static_cast<uint64_t>(when ^ elapsed_) | (kSlots - 1);
  const int level = std::min((63 - std::countl_zero(differing)) / kBits, kLevels - 1);
  const int slot = static_cast<int>((when >> (level * kBits)) & (kSlots - 1));
  link(timer, static_cast<uint16_t>(level * kSlots + slot));
  if (!advancing_) wake_for(when);
}

void TimerWheel::link(Timer& timer, uint16_t slot) {
  timer.slot_ = slot;
  timer.prev_ = nullptr;
  timer.next_ = heads_[slot];
  if (timer.next_ != nullptr) timer.next_->prev_ = &timer;
  heads_[slot] = &timer;
  if (slot != kFiring) occupied_[slot / kSlots] |= uint64_t{1} << (slot % kSlots);
  ++size_;
}

void TimerWheel::unlink(Timer& timer) {
  const uint16_t slot = timer.slot_;
  (timer.prev_ != nullptr ? timer.prev_->next_ : heads_[slot]) = timer.next_;
  if (timer.next_ != nullptr) timer.next_->prev_ = timer.prev_;
  if (heads_[slot] == nullptr && slot != kFiring) {
    occupied_[slot / kSlots] &= ~(uint64_t{1} << (slot % kSlots));
  }
  timer.slot_ = Timer::kNoSlot;
  --size_;
}

// The lowest level with a timer holds the earliest slot: what is on a higher level lies beyond the
// range of the levels below it.
TimerWheel::Due TimerWheel::next_due() const {
  for (int level = 0; level < kLevels; ++level) {
    const uint64_t occupied = occupied_[level];
    if (occupied == 0) continue;
    const int hand = static_cast<int>((elapsed_ >> (level * kBits)) & (kSlots - 1));
    const int ahead = std::countr_zero(std::rotr(occupied, hand));
    const int slot = (hand + ahead) & (kSlots - 1);
    const int64_t width = int64_t{1} << (level * kBits);
    const int64_t round = width << kBits;
    int64_t at = (elapsed_ & ~(round - 1)) + slot * width;
    if (at <= elapsed_) at += round;  // only the top level wraps
    return {at, static_cast<uint16_t>(level * kSlots + slot)};
  }
  return {};
}

void TimerWheel::advance() {
  if (advancing_) return;
  advancing_ = true;
  armed_ = kNever;
  const int64_t now = host_.now_ms();
  for (Due due = next_due(); due.at <= now; due = next_due()) fire_slot(due);
  elapsed_ = std::max(elapsed_, now);
  advancing_ = false;
  if (const Due due = next_due(); due.at != kNever) wake_for(due.at);
}

void TimerWheel::fire_slot(const Due& due) {
  // The slot moves to a list of its own first: callbacks may start, stop and destroy any timer.
  while (Timer* timer = heads_[due.slot]) {
    unlink(*timer);
    link(*timer, kFiring);
  }
  elapsed_ = due.at;
  while (Timer* timer = heads_[kFiring]) {
    unlink(*timer);
    if (timer->deadline_ > elapsed_) {
      insert(*timer);
      continue;
    }
    if (timer->repeat_ms_ > 0) {
      timer->deadline_ = std::max(timer->deadline_ + timer->repeat_ms_, elapsed_ + 1);
      insert(*timer);
    }
    timer->call_(&timer->closure_);  // may destroy *timer
  }
}

void TimerWheel::wake_for(int64_t at) {
  if (at >= armed_) return;
  armed_ = at;
  host_.wake_at(at);
}

}  // namespace gproxy::net
