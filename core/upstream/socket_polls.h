// The uv_polls of libcurl's sockets, found by descriptor. "Sticky": when libcurl lets go of a
// socket whose connection goes back to its cache, the poll stays armed, so that the next request on
// it costs no epoll calls. One per client, on its loop.
//
// The safe rule: a poll is kept only when the transfer had got a response head. libcurl closes a
// socket that never became a connection without telling anybody; a poll kept on such a descriptor
// would be armed on a closed or, worse, reused number.
#pragma once

#include <curl/curl.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "net/loop.h"
#include "upstream/send_batch.h"

namespace gproxy::upstream {

class CurlMulti;

class SocketPolls {
 public:
  SocketPolls(net::Loop& loop, SendBatch& sends) : loop_(loop), sends_(sends) {}
  ~SocketPolls();
  SocketPolls(const SocketPolls&) = delete;
  SocketPolls& operator=(const SocketPolls&) = delete;

  // libcurl wants events (CURL_POLL_IN, _OUT, _INOUT) of `fd`. False when it cannot be watched.
  bool want(CurlMulti& multi, curl_socket_t fd, int what);
  enum class Connection : uint8_t { proven, unproven };
  // libcurl wants no more events.
  void remove(curl_socket_t fd, Connection connection);
  // A new socket got this number: whatever was watched under it is closed.
  void opened(curl_socket_t fd);
  // The socket is about to be closed.
  void closing(curl_socket_t fd);

  size_t size() const { return count_; }

 private:
  struct Poll;
  void arm(Poll& poll, int events);
  void drop(curl_socket_t fd);
  static void on_event(Poll& poll, int status, int events);

  bool put_off(curl_socket_t fd);

  net::Loop& loop_;
  SendBatch& sends_;
  uint64_t served_in_turn_ = 0;  // the turn in which an event that could wait was last served
  std::vector<Poll*> by_fd_;
  size_t count_ = 0;
};

}  // namespace gproxy::upstream
