// The running server: the main loop with the control plane, the workers with their loops and threads,
// the storage threads, and the order in which they start and stop. Main thread.
#pragma once

#include <memory>

#include "app/options.h"
#include "base/result.h"

namespace gproxy::app {

class Server {
 public:
  // Opens the store, loads modules, merges the configuration, builds the first snapshot, starts the
  // workers and listens. A failure carries the process's exit code in Error::status.
  static Result<std::unique_ptr<Server>> start(const Options& options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Serves until SIGTERM or SIGINT has drained it; a second signal ends it at once. Returns the exit code.
  int run();

  struct State;

 private:
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace gproxy::app
