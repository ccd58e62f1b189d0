// Why something is paused: a set, not a counter, so that releasing twice is harmless.
#pragma once

#include <cstdint>

namespace gproxy {

enum class Pause : uint8_t {
  downstream_full = 1 << 0,  // the client's output buffer is over its high watermark
  chain = 1 << 1,            // the response path asked for a stop
  cancelled = 1 << 2,        // the exchange ends; nothing resumes it
  module = 1 << 3,           // a module's step is running
};

class PauseSet {
 public:
  // True when this was the first reason: pause now.
  bool add(Pause reason) {
    const bool first = bits_ == 0;
    bits_ |= static_cast<uint8_t>(reason);
    return first;
  }
  // True when the last reason left: resume now (on the deferred queue).
  bool remove(Pause reason) {
    const bool had = bits_ != 0;
    bits_ &= static_cast<uint8_t>(~static_cast<uint8_t>(reason));
    return had && bits_ == 0;
  }
  bool paused() const { return bits_ != 0; }
  bool has(Pause reason) const { return (bits_ & static_cast<uint8_t>(reason)) != 0; }
  void clear() { bits_ = 0; }

 private:
  uint8_t bits_ = 0;
};

}  // namespace gproxy
