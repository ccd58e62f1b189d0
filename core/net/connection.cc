#include "net/connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <new>

#include "base/result.h"
#include "net/uv_bits.h"

namespace gproxy::net {
namespace {

constexpr size_t kPiecesPerCall = 32;  // iovecs of one direct write
constexpr size_t kBlocksPerBatch = 4;  // 64 KiB handed to libuv at a time: on_writable comes early

}  // namespace

struct Connection::Callbacks {
  static uv_tcp_t* tcp(Connection& c) {
    static_assert(sizeof(uv_tcp_t) <= kHandleBytes && alignof(uv_tcp_t) <= 16);
    return std::launder(reinterpret_cast<uv_tcp_t*>(c.handle_));
  }
  static uv_stream_t* stream(Connection& c) { return reinterpret_cast<uv_stream_t*>(tcp(c)); }
  static uv_handle_t* handle(Connection& c) { return reinterpret_cast<uv_handle_t*>(tcp(c)); }
  static uv_write_t* write(Connection& c) {
    static_assert(sizeof(uv_write_t) <= kWriteBytes && alignof(uv_write_t) <= 16);
    return std::launder(reinterpret_cast<uv_write_t*>(c.write_));
  }
  static void alloc(uv_handle_t* handle, size_t, uv_buf_t* buffer) {
    auto* self = static_cast<Connection*>(handle->data);
    auto block = self->phase_ == Phase::open ? self->sink_->read_room() : std::span<char>();
    if (block.empty()) block = self->loop_.read_block();
    *buffer = uv_buf_init(block.data(), static_cast<unsigned>(block.size()));
  }
  static void read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) {
    static_cast<Connection*>(stream->data)->on_read(count, buffer->base);
  }
  static void written(uv_write_t* request, int status) {
    static_cast<Connection*>(request->data)->on_batch_written(status);
  }
  static void closed(uv_handle_t* handle) {
    auto* self = static_cast<Connection*>(handle->data);
    self->handle_gone_ = true;
    if (!self->owned_) delete self;
  }
};

Connection::Connection(Loop& loop, const PeerAddress& peer, const ConnectionConfig& config)
    : loop_(loop),
      config_(config),
      queue_(config.max_queued),
      timer_(loop, [this] { finish(CloseReason::finished); }),
      failure_(
          [](void* self) {
            auto* c = static_cast<Connection*>(self);
            c->finish(c->reason_);
          },
          this),
      peer_(peer) {
  new (handle_) uv_tcp_t{};
  new (write_) uv_write_t{};
}

Connection::Ptr Connection::adopt(Loop& loop, int fd, const PeerAddress& peer,
                                  const ConnectionConfig& config) {
  auto* connection = new Connection(loop, peer, config);
  uv_tcp_t* tcp = Callbacks::tcp(*connection);
  uv_tcp_init(loop.native(), tcp);
  tcp->data = connection;
  Ptr owner(connection);
  if (uv_tcp_open(tcp, fd) != 0) {
    ::close(fd);
    return nullptr;
  }
  return owner;
}

void Connection::release() {
  owned_ = false;
  sink_ = nullptr;
  if (handle_gone_) {
    delete this;
    return;
  }
  close();
}

void Connection::start_read() {
  GP_ASSERT(sink_ != nullptr);
  if (reading_ || eof_ || read_paused_ || phase_ == Phase::closed) return;
  const int status = uv_read_start(Callbacks::stream(*this), &Callbacks::alloc, &Callbacks::read);
  reading_ = status == 0;
  if (!reading_) fail_later(CloseReason::failed);
}

void Connection::pause_read() {
  read_paused_ = true;
  stop_reading();
}

void Connection::resume_read() {
  if (!read_paused_) return;
  read_paused_ = false;
  if (phase_ == Phase::open) start_read();
}

void Connection::stop_reading() {
  if (!reading_) return;
  reading_ = false;
  uv_read_stop(Callbacks::stream(*this));
}

void Connection::on_read(ptrdiff_t count, const char* bytes) {
  if (count == 0) return;  // would block
  if (count > 0) {
    const auto size = static_cast<size_t>(count);
    bytes_read_ += size;
    if (phase_ == Phase::open) {
      sink_->on_data({bytes, size});
    } else {
      drop_input(size);
    }
    return;
  }
  stop_reading();
  if (count == UV_EOF) {
    eof_ = true;
    if (phase_ == Phase::lingering) {
      finish(CloseReason::finished);
    } else if (phase_ == Phase::open) {
      sink_->on_eof();
    }
    return;
  }
  finish(phase_ == Phase::lingering ? CloseReason::finished : CloseReason::reset);
}

// A client that still sends while it is told to go away: its bytes are read so that the kernel does
// not answer them with an RST, which would drop our last answer at the client.
void Connection::drop_input(size_t bytes) {
  dropped_ += bytes;
  if (dropped_ <= config_.linger_bytes) return;
  if (phase_ == Phase::lingering) {
    finish(CloseReason::finished);
  } else {
    stop_reading();
  }
}

WriteState Connection::write(std::span<const std::string_view> pieces) {
  if (phase_ != Phase::open) return WriteState::failed;
  size_t next = 0;
  size_t skip = 0;  // of pieces[next], already sent
  if (queue_.empty()) {
    while (next < pieces.size()) {
      std::array<uv_buf_t, kPiecesPerCall> buffers;
      size_t count = 0;
      size_t offered = 0;
      size_t last = next;
      for (; last < pieces.size() && count < buffers.size(); ++last) {
        std::string_view piece = pieces[last];
        if (last == next) piece.remove_prefix(skip);
        if (piece.empty()) continue;
        // libuv does not write through the pointer; its type only says so.
        buffers[count++] =
            uv_buf_init(const_cast<char*>(piece.data()), static_cast<unsigned>(piece.size()));
        offered += piece.size();
      }
      if (count == 0) return WriteState::all_sent;
      const int sent =
          uv_try_write(Callbacks::stream(*this), buffers.data(), static_cast<unsigned>(count));
      if (sent < 0 && sent != UV_EAGAIN) {
        fail_later(CloseReason::reset);
        return WriteState::failed;
      }
      size_t taken = sent > 0 ? static_cast<size_t>(sent) : 0;
      bytes_written_ += taken;
      const bool all = taken == offered;
      while (next < last && taken >= pieces[next].size() - skip) {
        taken -= pieces[next].size() - skip;
        skip = 0;
        ++next;
      }
      skip += taken;
      if (!all) break;
    }
    if (next == pieces.size()) return WriteState::all_sent;
  }
  for (; next < pieces.size(); ++next) {
    if (!queue_.append(pieces[next].substr(skip))) {
      fail_later(CloseReason::failed);
      return WriteState::failed;
    }
    skip = 0;
  }
  if (queue_.empty()) return WriteState::all_sent;
  start_batch();
  if (phase_ != Phase::open) return WriteState::failed;
  if (queue_.size() <= config_.high_watermark) return WriteState::queued;
  above_high_ = true;
  return WriteState::above_high;
}

void Connection::start_batch() {
  if (batch_bytes_ > 0) return;
  std::array<std::string_view, kBlocksPerBatch> slices;
  const size_t count = queue_.slices(slices);
  std::array<uv_buf_t, kBlocksPerBatch> buffers;
  for (size_t i = 0; i < count; ++i) {
    buffers[i] =
        uv_buf_init(const_cast<char*>(slices[i].data()), static_cast<unsigned>(slices[i].size()));
    batch_bytes_ += slices[i].size();
  }
  uv_write_t* request = Callbacks::write(*this);
  request->data = this;
  const int status = uv_write(request, Callbacks::stream(*this), buffers.data(),
                              static_cast<unsigned>(count), &Callbacks::written);
  if (status != 0) {
    batch_bytes_ = 0;
    fail_later(CloseReason::reset);
  }
}

void Connection::on_batch_written(int status) {
  const size_t bytes = std::exchange(batch_bytes_, 0);
  if (phase_ == Phase::closed || phase_ == Phase::failed) return;
  if (status != 0) {
    finish(CloseReason::reset);
    return;
  }
  bytes_written_ += bytes;
  queue_.consume(bytes);
  if (!queue_.empty()) start_batch();
  if (phase_ == Phase::flushing) {
    if (queue_.empty()) start_lingering();
    return;
  }
  if (phase_ != Phase::open) return;
  const bool flushed = queue_.empty();
  if (above_high_ && queue_.size() <= config_.low_watermark) {
    above_high_ = false;
    sink_->on_writable();
    // The sink may have written again, or closed; then there is nothing to report.
    if (phase_ != Phase::open || !queue_.empty()) return;
  }
  if (flushed) sink_->on_flushed();
}

void Connection::fail_later(CloseReason reason) {
  if (phase_ == Phase::failed || phase_ == Phase::closed) return;
  phase_ = Phase::failed;
  reason_ = reason;
  stop_reading();
  loop_.kick(failure_);
}

Connection::Peer Connection::check_peer() const {
  if (phase_ == Phase::closed || phase_ == Phase::failed || eof_) return Peer::gone;
  // RDHUP tells of a FIN even while unread bytes wait in front of it, which a peek would not.
  pollfd entry{.fd = fd(), .events = POLLRDHUP, .revents = 0};
  if (::poll(&entry, 1, 0) <= 0) return Peer::present;
  return (entry.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0 ? Peer::gone
                                                                           : Peer::present;
}

void Connection::shutdown_then_close() {
  if (phase_ != Phase::open) return;
  phase_ = Phase::flushing;
  above_high_ = false;
  read_paused_ = false;
  start_read();
  if (phase_ != Phase::flushing) return;
  if (queue_.empty()) {
    start_lingering();
  } else {
    timer_.start(config_.flush_ms);
  }
}

void Connection::start_lingering() {
  ::shutdown(fd(), SHUT_WR);
  phase_ = Phase::lingering;
  if (eof_ || !reading_) {
    // Nothing to wait for. The sink hears of it after the caller has returned.
    fail_later(CloseReason::finished);
    return;
  }
  timer_.start(config_.linger_ms);
}

void Connection::finish(CloseReason reason) {
  if (phase_ == Phase::closed) return;
  ConnectionSink* sink = sink_;
  close();
  if (sink != nullptr) sink->on_closed(reason);
}

void Connection::close() {
  if (phase_ == Phase::closed) return;
  phase_ = Phase::closed;
  reading_ = false;
  timer_.stop();
  failure_.cancel();
  queue_.clear();  // libuv closes the descriptor at once and does not look at the bytes again
  uv_close(Callbacks::handle(*this), &Callbacks::closed);
}

int Connection::fd() const {
  uv_os_fd_t fd = -1;
  uv_fileno(reinterpret_cast<const uv_handle_t*>(handle_), &fd);
  return fd;
}

}  // namespace gproxy::net
