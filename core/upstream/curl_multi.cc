#include "upstream/curl_multi.h"

#include "base/result.h"
#include "upstream/curl_transfer.h"

namespace gproxy::upstream {

CurlMulti::CurlMulti(net::Loop& loop, SocketPolls& polls, size_t index, size_t max_connections)
    : loop_(loop),
      polls_(polls),
      multi_(curl_multi_init()),
      timer_(loop,
             [this] {
               timeout_due_ = true;
               loop_.kick(kick_);
             }),
      kick_([](void* self) { static_cast<CurlMulti*>(self)->run_tail(); }, this),
      index_(index),
      idle_since_ms_(loop.now_ms()) {
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlMulti::socket_callback);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlMulti::timer_callback);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(max_connections));
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
}

CurlMulti::~CurlMulti() {
  GP_ASSERT(live_ == 0);
  curl_multi_cleanup(multi_);
}

CurlMulti::Added CurlMulti::add(CurlTransfer& transfer) {
  if (inside_) return Added::later;
  if (curl_multi_add_handle(multi_, transfer.easy()) != CURLM_OK) return Added::no;
  ++live_;
  return Added::yes;
}

void CurlMulti::remove(CurlTransfer& transfer) {
  curl_multi_remove_handle(multi_, transfer.easy());
  if (--live_ == 0) idle_since_ms_ = loop_.now_ms();
}

CURLcode CurlMulti::unpause(CurlTransfer& transfer) {
  inside_ = true;
  const CURLcode code = curl_easy_pause(transfer.easy(), CURLPAUSE_CONT);
  inside_ = false;
  return code;
}

void CurlMulti::on_socket(curl_socket_t fd, int bits) {
  act(fd, bits);
}

void CurlMulti::act(curl_socket_t fd, int bits) {
  int running = 0;
  inside_ = true;
  curl_multi_socket_action(multi_, fd, bits, &running);
  inside_ = false;
  // What finished is told at the tail of the turn, where nothing of libcurl is on the stack.
  if (static_cast<size_t>(running) < live_) loop_.kick(kick_);
}

int CurlMulti::socket_callback(CURL* easy, curl_socket_t fd, int what, void* self, void*) {
  auto& multi = *static_cast<CurlMulti*>(self);
  if (what != CURL_POLL_REMOVE) {
    // -1 would kill the whole multi; a socket that cannot be watched ends by its own timeout.
    multi.polls_.want(multi, fd, what);
    return 0;
  }
  const CurlTransfer* transfer = CurlTransfer::of(easy);
  multi.polls_.remove(fd, transfer != nullptr && transfer->head_seen()
                              ? SocketPolls::Connection::proven
                              : SocketPolls::Connection::unproven);
  return 0;
}

int CurlMulti::timer_callback(CURLM*, long timeout_ms, void* self) {
  return static_cast<CurlMulti*>(self)->on_timeout_changed(timeout_ms);
}

int CurlMulti::on_timeout_changed(long timeout_ms) {
  if (timeout_ms < 0) {
    timer_.stop();
    timeout_due_ = false;
  } else if (timeout_ms == 0) {
    timer_.stop();
    timeout_due_ = true;
    loop_.kick(kick_);
  } else {
    timeout_due_ = false;
    timer_.start(timeout_ms);
  }
  return 0;
}

void CurlMulti::run_tail() {
  if (timeout_due_) {
    timeout_due_ = false;
    act(CURL_SOCKET_TIMEOUT, 0);
  }
  report_finished();
}

void CurlMulti::report_finished() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CurlTransfer* transfer = CurlTransfer::of(message->easy_handle);
    const CURLcode code = message->data.result;
    if (transfer != nullptr) transfer->on_finished(code);
  }
}

}  // namespace gproxy::upstream
