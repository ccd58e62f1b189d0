// One TCP connection of a client. Lives on its loop; owned through Connection::Ptr by whoever
// accepted it. One allocation, and no buffer of its own while nothing waits to be written: reads go
// into the loop's shared block, writes try the kernel first and copy only what it did not take.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/buffer.h"
#include "net/loop.h"
#include "net/peer_address.h"
#include "net/timer.h"

namespace gproxy::net {

enum class CloseReason : uint8_t {
  finished,  // shutdown_then_close() came to its end
  reset,     // the peer reset the connection, or the network failed
  failed,    // our side: a write was refused, memory ran out
};

// Events of one connection; all come from the loop, never from inside a command of Connection.
// Inside any of them the owner may call any command, also drop its Ptr.
class ConnectionSink {
 public:
  // `bytes` are valid during the call only.
  virtual void on_data(std::string_view bytes) = 0;
  // Where the next read may put its bytes, so that a long body is not copied; on_data() gets them
  // there. Empty: into the loop's block. The memory stays valid until that on_data() or the end of
  // the connection. No command of Connection in here.
  virtual std::span<char> read_room() { return {}; }
  // The peer will send no more. The connection stays open for writing until the owner closes it.
  virtual void on_eof() = 0;
  // After a write answered `above_high`: the output fell to the low watermark.
  virtual void on_writable() {}
  // After a write answered `queued` or `above_high`: the last byte was handed to the kernel.
  virtual void on_flushed() {}
  // The connection is gone; no event follows. Not called after close().
  virtual void on_closed(CloseReason reason) = 0;

 protected:
  ~ConnectionSink() = default;
};

struct ConnectionConfig {
  size_t high_watermark = 256 * 1024;  // write() answers above_high
  size_t low_watermark = 128 * 1024;   // on_writable()
  size_t max_queued =
      64 * 1024 * 1024;  // a write beyond it fails: the bound against a mad producer
  size_t linger_bytes =
      1024 * 1024;            // read and dropped after our FIN, so that no RST kills the answer
  int64_t linger_ms = 2'000;  // how long to wait for the peer's FIN after ours
  int64_t flush_ms = 30'000;  // how long shutdown_then_close() waits for the output
};

enum class WriteState : uint8_t {
  all_sent,    // the kernel has everything
  queued,      // the rest was copied and follows
  above_high,  // the same, and more than the high watermark waits: stop producing until on_writable
  failed,      // the connection is lost, on_closed follows; or it is being closed
};

class Connection {
 public:
  struct Release {
    void operator()(Connection* connection) const { connection->release(); }
  };
  // Dropping it closes the connection (no lingering); the memory goes when libuv is done with it.
  using Ptr = std::unique_ptr<Connection, Release>;

  // Takes over a connected, non-blocking socket; null (and the socket closed) when it cannot be
  // used.
  static Ptr adopt(Loop& loop, int fd, const PeerAddress& peer, const ConnectionConfig& config);

  // Events go to `sink` from now on. It must be set before start_read().
  void set_sink(ConnectionSink& sink) { sink_ = &sink; }
  void start_read();

  // Tries the kernel at once with all pieces in one call, copies only the unsent tail. Never calls
  // the sink before it returned.
  WriteState write(std::span<const std::string_view> pieces);
  WriteState write(std::string_view bytes) { return write(std::span(&bytes, 1)); }
  size_t queued() const { return queue_.size(); }

  // Nothing is read while paused, so a closed peer is not noticed either: see check_peer().
  void pause_read();
  void resume_read();
  bool read_paused() const { return read_paused_; }

  enum class Peer : uint8_t { present, gone };
  // Asks the kernel whether the peer sent FIN or RST, also behind unread data. For a paused reader.
  Peer check_peer() const;

  // Writes out what waits, sends FIN, reads and drops for a short while so that the last answer is
  // not lost to an RST, then on_closed(finished). No on_data, on_eof or on_writable any more.
  void shutdown_then_close();
  // Closes now; what waits is dropped. No event follows.
  void close();
  bool closing() const { return phase_ != Phase::open; }

  Loop& loop() const { return loop_; }
  const PeerAddress& peer() const { return peer_; }
  // Bytes of the connection's whole life.
  uint64_t bytes_read() const { return bytes_read_; }
  uint64_t bytes_written() const { return bytes_written_; }

 private:
  enum class Phase : uint8_t {
    open,
    flushing,   // shutdown_then_close(): output still waits
    lingering,  // our FIN is out
    failed,     // lost; on_closed is scheduled
    closed,     // uv_close was called
  };
  struct Callbacks;  // libuv's, in connection.cc

  Connection(Loop& loop, const PeerAddress& peer, const ConnectionConfig& config);
  ~Connection() = default;
  void release();
  void on_read(ptrdiff_t count, const char* bytes);
  void drop_input(size_t bytes);
  void on_batch_written(int status);
  void start_batch();
  void fail_later(CloseReason reason);
  void start_lingering();
  void finish(CloseReason reason);
  void stop_reading();
  int fd() const;

  // Opaque room for libuv's objects, so that a connection is one allocation.
  static constexpr size_t kHandleBytes = 248;
  static constexpr size_t kWriteBytes = 192;
  alignas(16) std::byte handle_[kHandleBytes];
  alignas(16) std::byte write_[kWriteBytes];

  Loop& loop_;
  ConnectionSink* sink_ = nullptr;
  const ConnectionConfig config_;
  Buffer queue_;
  size_t batch_bytes_ = 0;  // at the front of queue_, in libuv's hands
  size_t dropped_ = 0;      // input read and dropped while closing
  uint64_t bytes_read_ = 0;
  uint64_t bytes_written_ = 0;
  Timer timer_;       // bounds flushing and lingering
  TurnHook failure_;  // tells the sink of a failed write after the writer returned
  PeerAddress peer_;
  Phase phase_ = Phase::open;
  CloseReason reason_ = CloseReason::finished;
  bool reading_ = false;
  bool read_paused_ = false;
  bool eof_ = false;
  bool above_high_ = false;
  bool owned_ = true;         // the Ptr still exists
  bool handle_gone_ = false;  // libuv is done with it
};

}  // namespace gproxy::net
