#include "net/signal_watcher.h"

#include "net/uv_bits.h"

namespace gproxy::net {

struct SignalWatcher::State {
  uv_signal_t handle{};
  std::function<void()> on_signal;
};

Result<std::unique_ptr<SignalWatcher>> SignalWatcher::watch(Loop& loop, int signal_number,
                                                            std::function<void()> on_signal) {
  auto* state = new State;
  state->handle.data = state;
  state->on_signal = std::move(on_signal);
  if (const int status = uv_signal_init(loop.native(), &state->handle); status != 0) {
    delete state;
    return uv_error("cannot watch signal " + std::to_string(signal_number), status);
  }
  std::unique_ptr<SignalWatcher> watcher(new SignalWatcher(state));
  const int status = uv_signal_start(
      &state->handle,
      [](uv_signal_t* handle, int) {
        auto* self = static_cast<State*>(handle->data);
        if (self->on_signal) self->on_signal();
      },
      signal_number);
  if (status != 0) {
    return uv_error("cannot watch signal " + std::to_string(signal_number), status);
  }
  uv_unref(reinterpret_cast<uv_handle_t*>(&state->handle));
  return watcher;
}

SignalWatcher::~SignalWatcher() {
  uv_close(reinterpret_cast<uv_handle_t*>(&state_->handle),
           [](uv_handle_t* handle) { delete static_cast<State*>(handle->data); });
}

}  // namespace gproxy::net
