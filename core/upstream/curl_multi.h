// One libcurl multi handle on the loop: its timer, its sockets' events, its finished transfers. A
// client has several; each carries a bounded number of transfers. Lives on the client's loop.
#pragma once

#include <curl/curl.h>

#include <cstddef>
#include <cstdint>

#include "net/loop.h"
#include "net/timer.h"
#include "upstream/socket_polls.h"

namespace gproxy::upstream {

class CurlTransfer;

class CurlMulti {
 public:
  CurlMulti(net::Loop& loop, SocketPolls& polls, size_t index, size_t max_connections);
  // Closes its connections. REQUIRES: no transfer is in it.
  ~CurlMulti();
  CurlMulti(const CurlMulti&) = delete;
  CurlMulti& operator=(const CurlMulti&) = delete;

  // `later`: not while one of its callbacks is on the stack; try again at the end of the turn.
  enum class Added : uint8_t { yes, later, no };
  Added add(CurlTransfer& transfer);
  // Not from inside a libcurl callback.
  void remove(CurlTransfer& transfer);

  // Delivers what libcurl holds back, from inside this call.
  CURLcode unpause(CurlTransfer& transfer);

  void on_socket(curl_socket_t fd, int bits);

  // libcurl is on the stack, so its callbacks are: transfers can neither enter nor leave.
  bool inside() const { return inside_; }

  size_t live() const { return live_; }
  size_t index() const { return index_; }
  // When the last transfer left; meaningful while live() is 0.
  int64_t idle_since_ms() const { return idle_since_ms_; }

 private:
  static int socket_callback(CURL* easy, curl_socket_t fd, int what, void* self, void* socket);
  static int timer_callback(CURLM* multi, long timeout_ms, void* self);
  int on_timeout_changed(long timeout_ms);
  void act(curl_socket_t fd, int bits);
  void run_tail();
  void report_finished();

  net::Loop& loop_;
  SocketPolls& polls_;
  CURLM* multi_;
  net::Timer timer_;
  // A timeout of 0 ms is run at the tail of the current turn instead of by a timer one turn later.
  net::TurnHook kick_;
  bool timeout_due_ = false;
  bool inside_ = false;
  size_t live_ = 0;
  size_t index_;
  int64_t idle_since_ms_;
};

}  // namespace gproxy::upstream
