// Calls a function on the loop when the process gets a signal. Lives on its loop (the main one).
#pragma once

#include <functional>
#include <memory>

#include "base/result.h"
#include "net/loop.h"

namespace gproxy::net {

class SignalWatcher {
 public:
  static Result<std::unique_ptr<SignalWatcher>> watch(Loop& loop, int signal_number,
                                                      std::function<void()> on_signal);
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

 private:
  struct State;
  explicit SignalWatcher(State* state) : state_(state) {}
  State* state_;  // freed by the close callback
};

}  // namespace gproxy::net
