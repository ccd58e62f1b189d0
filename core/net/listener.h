// A listening socket of one loop. Each worker opens its own with SO_REUSEPORT, so that the kernel
// spreads connections over the workers without a shared lock. Owned by its worker.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "net/connection.h"
#include "net/loop.h"

namespace gproxy::net {

struct ListenerConfig {
  std::string host = "0.0.0.0";  // an address: 127.0.0.1, ::1, [::1], or localhost
  uint16_t port = 0;             // 0 = the kernel chooses; see port()
  enum class Reuse : uint8_t { exclusive, share_port } reuse = Reuse::share_port;
  int backlog = 1024;
  int accepts_per_turn = 64;         // so that a flood of connects cannot starve the open ones
  int64_t exhausted_pause_ms = 100;  // accepting rests this long when descriptors run out
  ConnectionConfig connection;
};

class Listener {
 public:
  // Takes the new connection; dropping it closes it. Called with the sink not yet set.
  using OnAccept = std::function<void(Connection::Ptr)>;

  static Result<std::unique_ptr<Listener>> open(Loop& loop, const ListenerConfig& config,
                                                OnAccept on_accept);
  // Closes the socket; connections accepted before stay.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  uint16_t port() const;
  // Closes the listening socket; open connections stay. What waits in the backlog is refused by the
  // kernel, so all workers stop together.
  void stop();
  // Accepting rests while the connection limit is reached; waiting clients stay in the backlog.
  void pause();
  void resume();

  uint64_t accepted() const;
  uint64_t exhausted() const;  // how often descriptors ran out

 private:
  struct State;
  explicit Listener(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace gproxy::net
