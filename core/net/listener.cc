#include "net/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "net/timer.h"
#include "net/uv_bits.h"

namespace gproxy::net {
namespace {

constexpr int64_t kExhaustedLogEveryMs = 5'000;

std::string strip_brackets(const std::string& host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    return host.substr(1, host.size() - 2);
  }
  return host;
}

struct AddressList {
  addrinfo* first = nullptr;
  ~AddressList() {
    if (first != nullptr) freeaddrinfo(first);
  }
};

Error listen_error(const ListenerConfig& config, std::string_view what) {
  return Error{ErrorKind::server, "listen_failed",
               "cannot listen on " + config.host + " port " + std::to_string(config.port) + ": " +
                   std::string(what),
               "host"};
}

// Accepted sockets inherit TCP_NODELAY from the listening one, which saves a call for each.
bool set_options(int fd, int family, const ListenerConfig& config) {
  const int on = 1;
  const int off = 0;
  bool good = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
              setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
  if (config.reuse == ListenerConfig::Reuse::share_port) {
    good = good && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0;
  }
  if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  return good;
}

Result<int> open_socket(const ListenerConfig& config) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  AddressList list;
  const std::string host = strip_brackets(config.host);
  const std::string port = std::to_string(config.port);
  if (const int status = getaddrinfo(host.c_str(), port.c_str(), &hints, &list.first);
      status != 0) {
    return listen_error(config, gai_strerror(status));
  }
  const addrinfo& address = *list.first;
  const int fd = ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return listen_error(config, std::strerror(errno));
  if (!set_options(fd, address.ai_family, config) ||
      ::bind(fd, address.ai_addr, address.ai_addrlen) != 0 || ::listen(fd, config.backlog) != 0) {
    const int code = errno;
    ::close(fd);
    return listen_error(config, std::strerror(code));
  }
  return fd;
}

uint16_t port_of(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
  return PeerAddress(reinterpret_cast<sockaddr*>(&address)).port();
}

bool descriptors_exhausted(int code) {
  return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM;
}

}  // namespace

// The socket is polled and accepted from by hand: libuv's own listener answers a lack of
// descriptors by accepting and closing whatever waits, without a word to anybody.
struct Listener::State {
  State(Loop& l, const ListenerConfig& c, OnAccept f)
      : loop(l), config(c), on_accept(std::move(f)), rest(l, [this] { resume_rest(); }) {}

  void arm() {
    if (fd < 0 || paused || rest.active()) return;
    uv_poll_start(&poll, UV_READABLE, [](uv_poll_t* handle, int, int) {
      static_cast<State*>(handle->data)->accept_some();
    });
  }
  void disarm() {
    if (fd >= 0) uv_poll_stop(&poll);
  }
  void resume_rest() { arm(); }

  void accept_some() {
    for (int i = 0; i < config.accepts_per_turn && fd >= 0 && !paused; ++i) {
      sockaddr_storage address{};
      socklen_t length = sizeof address;
      const int client = ::accept4(fd, reinterpret_cast<sockaddr*>(&address), &length,
                                   SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (client < 0) {
        if (descriptors_exhausted(errno)) have_a_rest();
        // A client that went away while it waited is no reason to stop.
        if (errno == ECONNABORTED || errno == EINTR) continue;
        return;
      }
      auto connection = Connection::adopt(
          loop, client, PeerAddress(reinterpret_cast<sockaddr*>(&address)), config.connection);
      if (connection == nullptr) continue;
      ++accepted;
      on_accept(std::move(connection));
    }
  }

  void have_a_rest() {
    const int code = errno;
    ++exhausted;
    disarm();
    rest.start(config.exhausted_pause_ms);
    if (last_log == 0 || loop.now_ms() - last_log >= kExhaustedLogEveryMs) {
      last_log = loop.now_ms();
      log::error("cannot accept connections",
                 {{"reason", std::strerror(code)}, {"times", exhausted}});
    }
    errno = code;
  }

  void close_socket() {
    if (fd < 0) return;
    disarm();
    rest.stop();
    ::close(std::exchange(fd, -1));
  }

  Loop& loop;
  ListenerConfig config;
  OnAccept on_accept;
  Timer rest;  // runs while accepting pauses for lack of descriptors
  uv_poll_t poll{};
  int fd = -1;
  uint16_t port = 0;
  bool paused = false;
  uint64_t accepted = 0;
  uint64_t exhausted = 0;
  int64_t last_log = 0;
};

Listener::Listener(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<Listener>> Listener::open(Loop& loop, const ListenerConfig& config,
                                                 OnAccept on_accept) {
  GP_TRY(const int fd, open_socket(config));
  auto state = std::make_unique<State>(loop, config, std::move(on_accept));
  if (const int status = uv_poll_init(loop.native(), &state->poll, fd); status != 0) {
    ::close(fd);
    return uv_error("cannot watch the listening socket", status);
  }
  state->poll.data = state.get();
  state->fd = fd;
  state->port = port_of(fd);
  state->arm();
  return std::unique_ptr<Listener>(new Listener(std::move(state)));
}

Listener::~Listener() {
  state_->close_socket();
  uv_poll_t* poll = &state_->poll;
  state_.release();  // freed when libuv lets go of the poll
  uv_close(reinterpret_cast<uv_handle_t*>(poll),
           [](uv_handle_t* handle) { delete static_cast<State*>(handle->data); });
}

uint16_t Listener::port() const {
  return state_->port;
}
void Listener::stop() {
  state_->close_socket();
}
void Listener::pause() {
  if (std::exchange(state_->paused, true)) return;
  state_->disarm();
}
void Listener::resume() {
  if (!std::exchange(state_->paused, false)) return;
  state_->arm();
}
uint64_t Listener::accepted() const {
  return state_->accepted;
}
uint64_t Listener::exhausted() const {
  return state_->exhausted;
}

}  // namespace gproxy::net
