// One client connection: parser, output of the current turn, at most one exchange, keep-alive and
// pipelining. Lives on its worker's loop; owned by the Worker, deleted through Loop::defer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "config/publisher.h"
#include "gateway/worker_context.h"
#include "http/parser.h"
#include "net/connection.h"
#include "net/loop.h"
#include "net/timer.h"

namespace gproxy::gateway {

class Exchange;

class Session final : public net::ConnectionSink, public http::RequestSink {
 public:
  class Owner {
   public:
    // The session is over; the owner deletes it, deferred.
    virtual void on_session_end(Session& session) = 0;

   protected:
    ~Owner() = default;
  };

  Session(WorkerContext& context, Owner& owner, net::Connection::Ptr connection);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void start();
  // Closes when idle; otherwise the running exchange is the connection's last.
  void drain();
  // Ends a running exchange with its protocol's error and closes.
  void shut_down();

  // ---- for the exchange ------------------------------------------------------------------------
  // Bytes to the client: small ones are collected until the end of the loop's turn, large ones are
  // tried on the socket at once, together with what was collected.
  void write(std::span<const std::string_view> pieces);
  void write(std::string_view bytes) { write(std::span(&bytes, 1)); }
  // What is collected for this turn: a head may be appended in place.
  std::string& output();
  void output_added();
  // More than the high watermark waits: on_writable() follows.
  bool output_full() const { return output_full_; }
  // on_flushed() of the exchange follows once the kernel has every byte, in a later callback.
  void notify_flushed();
  enum class After : uint8_t { keep_alive, close, reset };
  // The exchange's last call: it is deleted, deferred.
  void exchange_finished(After after);
  const net::PeerAddress& peer() const { return connection_->peer(); }
  // The entry of a presented key: digests cost more than all the rest of a small request's head,
  // and a connection keeps presenting the same key. Null if unknown.
  const config::KeyEntry* find_key(const config::LoopSnapshotPtr& snapshot, std::string_view key);
  uint64_t bytes_written() const { return connection_->bytes_written(); }
  bool draining() const { return draining_; }

  // ---- ConnectionSink --------------------------------------------------------------------------
  void on_data(std::string_view bytes) override;
  std::span<char> read_room() override;
  void on_eof() override;
  void on_writable() override;
  void on_flushed() override;
  void on_closed(net::CloseReason reason) override;

  // ---- RequestSink -----------------------------------------------------------------------------
  http::Action on_head(const http::RequestHead& head) override;
  void on_body(std::string_view bytes) override;
  void on_end() override;

  size_t index = 0;  // the owner's

 private:
  enum class Phase : uint8_t {
    idle,  // between requests
    head,  // bytes of a head have come
    body,
    waiting,  // a body waits for memory
    running,  // the request is complete, its answer is not
    closing,
  };

  void enter(Phase next);
  void consume(std::string_view bytes);
  void begin_request();
  void run_exchange();
  void refuse(const Error& error);
  void keep_ahead(std::string_view bytes);
  void flush();
  void take_write_state(net::WriteState state);
  void on_timer();
  void watch();
  void close(After after);
  void go_on();
  void end();
  const config::Settings& settings() const { return (*snapshot_)->settings(); }

  WorkerContext& context_;
  Owner& owner_;
  net::Connection::Ptr connection_;
  http::RequestParser parser_;
  std::unique_ptr<Exchange> exchange_;
  config::LoopSnapshotPtr snapshot_;  // of the current or last request
  config::LoopSnapshotPtr known_in_;  // the snapshot that known_entry_ stands in
  const config::KeyEntry* known_entry_ = nullptr;
  Secret known_key_;
  std::string out_;    // of this turn
  std::string ahead_;  // read behind a running request
  net::Timer timer_;
  net::TurnHook flush_;
  net::TurnHook go_on_;
  int64_t phase_since_ms_ = 0;
  uint64_t window_bytes_ = 0;  // of the body, at the start of the current window
  uint64_t body_bytes_ = 0;
  uint64_t sent_mark_ = 0;  // bytes_written() when the client last took some
  int64_t sent_since_ms_ = 0;
  Phase phase_ = Phase::idle;
  bool output_full_ = false;
  bool want_flushed_ = false;
  bool draining_ = false;
  bool counted_ = false;
  bool served_ = false;  // at least one request came
  bool over_ = false;    // the owner was told
};

}  // namespace gproxy::gateway
