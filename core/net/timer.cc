#include "net/timer.h"

#include "net/loop.h"
#include "net/timer_wheel.h"

namespace gproxy::net {

TimerWheel& Timer::wheel_of(Loop& loop) {
  return loop.timers();
}
void Timer::start(int64_t delay_ms, int64_t repeat_ms) {
  wheel_.start(*this, delay_ms, repeat_ms);
}
void Timer::stop() {
  wheel_.stop(*this);
}

}  // namespace gproxy::net
