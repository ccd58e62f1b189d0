#include "upstream/socket_polls.h"

#include <uv.h>

#include <utility>

#include "upstream/curl_multi.h"

namespace gproxy::upstream {
namespace {

constexpr int64_t kBusyMs = 2;

}  // namespace

struct SocketPolls::Poll {
  uv_poll_t handle{};
  SocketPolls* owner = nullptr;
  CurlMulti* multi = nullptr;
  curl_socket_t fd = -1;
  int wanted = 0;  // UV_READABLE, UV_WRITABLE: what libcurl asked for
  int armed = 0;   // what libuv watches
  bool dropped = false;
};

SocketPolls::~SocketPolls() {
  for (size_t fd = 0; fd < by_fd_.size(); ++fd) drop(static_cast<curl_socket_t>(fd));
}

void SocketPolls::arm(Poll& poll, int events) {
  if (poll.armed == events) return;
  poll.armed = events;
  if (events == 0) {
    uv_poll_stop(&poll.handle);
    return;
  }
  uv_poll_start(&poll.handle, events, [](uv_poll_t* handle, int status, int happened) {
    on_event(*static_cast<Poll*>(handle->data), status, happened);
  });
}

bool SocketPolls::want(CurlMulti& multi, curl_socket_t fd, int what) {
  if (fd < 0) return false;
  const auto index = static_cast<size_t>(fd);
  if (index >= by_fd_.size()) by_fd_.resize(index + 64, nullptr);
  Poll* poll = by_fd_[index];
  if (poll == nullptr) {
    poll = new Poll;
    if (uv_poll_init_socket(loop_.native(), &poll->handle, fd) != 0) {
      delete poll;
      return false;
    }
    poll->handle.data = poll;
    poll->owner = this;
    poll->fd = fd;
    by_fd_[index] = poll;
    ++count_;
  }
  // libcurl asks anew after the first send of each transfer, and after the last of a long body. In
  // between it waits to write, and more follows by itself.
  if ((what & CURL_POLL_OUT) == 0) sends_.touch(fd);
  poll->multi = &multi;
  poll->wanted = ((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) |
                 ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0);
  arm(*poll, poll->wanted);
  return true;
}

void SocketPolls::remove(curl_socket_t fd, Connection connection) {
  const auto index = static_cast<size_t>(fd);
  if (fd < 0 || index >= by_fd_.size() || by_fd_[index] == nullptr) return;
  if (connection == Connection::unproven) {
    drop(fd);
    return;
  }
  by_fd_[index]->wanted = 0;
  // Still armed for reading, if it was: that is what the next transfer will want.
  if ((by_fd_[index]->armed & UV_WRITABLE) != 0) arm(*by_fd_[index], 0);
}

void SocketPolls::opened(curl_socket_t fd) {
  const auto index = static_cast<size_t>(fd);
  if (fd < 0 || index >= by_fd_.size() || by_fd_[index] == nullptr) return;
  // libcurl closed the former socket in silence, and thinks of the new one as already watched when
  // it wants the same events. The kernel forgot the old registration: make it again.
  Poll& poll = *by_fd_[index];
  const int wanted = poll.wanted;
  if (wanted == 0) {
    drop(fd);
    return;
  }
  arm(poll, 0);
  arm(poll, wanted);
}

void SocketPolls::closing(curl_socket_t fd) {
  drop(fd);
}

void SocketPolls::drop(curl_socket_t fd) {
  const auto index = static_cast<size_t>(fd);
  if (fd < 0 || index >= by_fd_.size() || by_fd_[index] == nullptr) return;
  Poll* poll = std::exchange(by_fd_[index], nullptr);
  --count_;
  poll->dropped = true;
  // Takes the descriptor out of the loop at once; the memory follows when libuv is done.
  uv_close(reinterpret_cast<uv_handle_t*>(&poll->handle),
           [](uv_handle_t* handle) { delete static_cast<Poll*>(handle->data); });
}

// A step of a TLS handshake takes the better part of a millisecond, and a burst of them must not
// hold up everything else on the loop. The kernel tells of the event again in the next turn; one a
// turn is always served.
bool SocketPolls::put_off(curl_socket_t fd) {
  if (sends_.holds(fd)) return false;  // cleartext
  const uint64_t turn = loop_.stats().turns;
  if (turn == served_in_turn_ && loop_.busy_ms() >= kBusyMs) return true;
  served_in_turn_ = turn;
  return false;
}

void SocketPolls::on_event(Poll& poll, int status, int events) {
  if (status != 0) poll.armed = 0;  // libuv has stopped it
  if (poll.wanted == 0) {
    // A kept connection was closed by its peer, or talks out of turn; libcurl finds out when it
    // looks at the connection again.
    poll.owner->arm(poll, 0);
    return;
  }
  if (status == 0 && poll.owner->put_off(poll.fd)) return;
  int bits = ((events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0) |
             ((events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0);
  // An error is left to libcurl's own read or write, which knows the errno and may retry.
  if (status != 0) {
    bits = ((poll.wanted & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0) |
           ((poll.wanted & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0);
  }
  poll.multi->on_socket(poll.fd, bits);
  // The poll's memory outlives this call even when it was dropped: libuv frees in a later phase.
  if (!poll.dropped && poll.armed == 0 && poll.wanted != 0) poll.owner->arm(poll, poll.wanted);
}

}  // namespace gproxy::upstream
