#include "upstream/send_batch.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace gproxy::upstream {

SendBatch::SendBatch(net::Loop& loop)
    : loop_(loop), hook_([](void* self) { static_cast<SendBatch*>(self)->flush(); }, this) {}

void SendBatch::hold([[maybe_unused]] curl_socket_t fd) {
#if defined(TCP_CORK)
  const int on = 1;
  if (fd < 0 || ::setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on) != 0) return;
  const auto index = static_cast<size_t>(fd);
  if (index >= held_.size()) held_.resize(index + 64);
  held_[index] = true;
#endif
}

void SendBatch::forget(curl_socket_t fd) {
  if (fd >= 0 && static_cast<size_t>(fd) < held_.size()) held_[static_cast<size_t>(fd)] = false;
}

void SendBatch::touch(curl_socket_t fd) {
  if (!holds(fd)) return;
  if (!touched_.empty() && touched_.back() == fd) return;
  touched_.push_back(fd);
  loop_.at_turn_end(hook_);
}

void SendBatch::flush() {
  const int on = 1;
  for (const curl_socket_t fd : touched_) {
    // Setting it, also once more, pushes what is held and leaves the cork in (tcp(7)).
    if (held_[static_cast<size_t>(fd)]) ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  touched_.clear();
}

}  // namespace gproxy::upstream
