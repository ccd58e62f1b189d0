// One libcurl easy handle with all a transfer needs besides; kept and used again for the next
// request of the same pool, with only the options that differ set anew. Owned by its client's pool.
// What the caller of Client::start holds is a small handle that refers to it (TransferHandle).
#pragma once

#include <curl/curl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "net/loop.h"
#include "net/timer.h"
#include "upstream/client.h"
#include "upstream/curl_loop.h"
#include "upstream/header_block.h"
#include "upstream/response_head.h"
#include "upstream/url_cache.h"

namespace gproxy::upstream {

class CurlMulti;
class CurlTransfer;

// What a transfer needs from its client.
class TransferHost {
 public:
  virtual net::Loop& loop() = 0;
  virtual const CurlConfig& config() const = 0;
  virtual UrlCache& urls() = 0;
  // A collector for the response head, lent until give_back().
  virtual std::unique_ptr<ResponseHead> lend_head() = 0;
  virtual void give_back(std::unique_ptr<ResponseHead> head) = 0;
  // The transfer has left its multi and may be used again. It may be destroyed in here.
  // `left` is null when it never was in one.
  virtual void recycle(CurlTransfer& transfer, CurlMulti* left) = 0;
  virtual void on_connection_opened() = 0;
  virtual void on_connection_closing(curl_socket_t fd) = 0;
  // `batch`: its sends may wait for the end of the turn (SendBatch).
  enum class Sends : uint8_t { at_once, batch };
  virtual void on_socket_opened(curl_socket_t fd, Sends sends) = 0;
  virtual void count_reused() = 0;
  virtual void use_trusted_certificates(void* ssl_ctx) = 0;

 protected:
  ~TransferHost() = default;
};

// The caller's side of a transfer. Inert once the transfer ended or the client is gone.
class TransferHandle final : public Transfer {
 public:
  explicit TransferHandle(CurlTransfer& transfer);
  ~TransferHandle() override;
  void pause(Pause reason) override;
  void resume(Pause reason) override;
  void abort() override;
  bool body_taken() const override;

 private:
  friend class CurlTransfer;
  CurlTransfer* transfer_;  // null once inert
};

class CurlTransfer {
 public:
  CurlTransfer(TransferHost& host, CURLSH* share, size_t pool);
  ~CurlTransfer();
  CurlTransfer(const CurlTransfer&) = delete;
  CurlTransfer& operator=(const CurlTransfer&) = delete;

  // Null for a handle that is not ours.
  static CurlTransfer* of(CURL* easy);

  // Takes the request in. The sink hears of a failure at the end of the turn.
  std::unique_ptr<Transfer> begin(const Request& request,
                                  Result<std::shared_ptr<const ParsedUrl>> url, TransferSink& sink,
                                  CurlMulti* multi);
  // The client goes away: nothing is called any more.
  void detach();

  // From the multi.
  void on_finished(CURLcode code);

  CURL* easy() const { return easy_; }
  bool head_seen() const { return head_seen_; }
  bool body_taken() const { return body_.empty(); }
  size_t pool() const { return pool_; }
  CurlMulti* multi() const { return multi_; }
  size_t live_index = 0;  // the client's: place in its list of live transfers

 private:
  friend class TransferHandle;
  enum class Phase : uint8_t {
    idle,     // in the pool
    waiting,  // no byte of the answer yet
    head,     // header lines arrive
    body,     // on_head was called
    aborted,  // the sink is gone; leaves the multi at the end of the turn
    failed,   // ends with failure_ at the end of the turn
  };
  enum class Method : uint8_t { get, head, post, custom };

  // What the easy handle is set to, so that only differences are set.
  struct Applied {
    CURLU* url = nullptr;           // alive: url_ holds it until another is applied
    curl_slist* headers = nullptr;  // in headers_, usually at the same place
    Method method = Method::get;
    std::string custom_method;
    std::string proxy;
    HttpVersion version = HttpVersion::automatic;
    bool tls = false;
    bool reads_body = false;
    int64_t connect_ms = -1;
    size_t receive_buffer = 0;
    size_t send_buffer = 0;
  };

  void enter_multi();
  void set_constant_options(CURLSH* share);
  void apply(const Request& request);
  void apply_method(const Request& request, size_t body_bytes);
  void apply_body(const Request& request, size_t body_bytes);

  size_t on_header(std::string_view line);
  size_t on_body(std::string_view bytes);
  size_t on_read(char* out, size_t room);
  int on_seek(curl_off_t offset);
  curl_socket_t on_open_socket(curl_sockaddr* address);

  bool deliver_head();
  void release_sent_body(size_t kept_bytes);
  bool over_ratio() const;
  void fail_later(FailureKind kind, std::string message);
  void abort();
  void resume();
  void run_tail();
  void on_timer();
  int64_t connect_limit_ms() const;
  int64_t sent_at_ms() const;  // -1: not yet
  bool send_again(CURLcode code);
  void finish(FailureKind kind, std::string message);
  void leave();

  TransferHost& host_;
  CURL* easy_;
  CurlMulti* multi_ = nullptr;
  CurlMulti* starting_in_ = nullptr;  // chosen, not yet entered
  TransferSink* sink_ = nullptr;
  TransferHandle* handle_ = nullptr;
  size_t pool_;

  Phase phase_ = Phase::idle;
  PauseSet paused_;
  bool curl_paused_ = false;
  bool head_seen_ = false;
  bool decoded_ = false;
  bool no_body_ = false;  // a HEAD request
  bool address_refused_ = false;
  bool uses_proxy_ = false;
  bool resuming_ = false;
  int resends_ = 0;
  bool held_ = false;  // the end came while paused
  CURLcode held_code_ = CURLE_OK;
  FailureKind failure_ = FailureKind::none;

  net::Timer timer_;
  net::TurnHook tail_;
  Timeouts timeouts_;
  int64_t started_ms_ = 0;
  int64_t activity_ms_ = 0;  // last piece of the answer, or of the body sent
  size_t receive_buffer_ = 0;
  size_t decoded_bytes_ = 0;

  std::shared_ptr<const ParsedUrl> url_;
  std::unique_ptr<ResponseHead> head_;
  HeaderBlock headers_;
  // A short body is copied: libcurl then sends it with the head in one call, and an aborted
  // transfer needs none of the caller's memory until it has left the multi.
  std::unique_ptr<char[]> flat_body_;
  size_t flat_capacity_ = 0;
  size_t flat_size_ = 0;
  // A long body is read from the caller's pieces.
  std::span<const std::string_view> body_;
  size_t body_piece_ = 0;
  size_t body_offset_ = 0;

  Applied applied_;
  std::string failure_message_;
  std::string secret_;  // kept only to cut it out of messages
  char error_[CURL_ERROR_SIZE] = {};
};

}  // namespace gproxy::upstream
