#include "gateway/session.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/log.h"
#include "gateway/exchange.h"
#include "gateway/local_reply.h"

namespace gproxy::gateway {
namespace {

// Up to here output is collected for the turn; what is more goes to the socket with it. libcurl
// hands out 16 KiB at a time: four of them in one write cost less than the copy of three.
constexpr size_t kCollectBytes = 60 * 1024;
constexpr int64_t kWatchMs = 1000;
constexpr int64_t kMemoryPollMs = 100;

http::ParserLimits parser_limits(const config::Limits& limits) {
  http::ParserLimits out;
  out.max_header_bytes = limits.max_header_bytes;
  out.max_headers = limits.max_header_count;
  out.max_target_bytes = limits.max_request_line_bytes;
  out.max_body_bytes = limits.max_request_bytes;
  return out;
}

}  // namespace

Session::Session(WorkerContext& context, Owner& owner, net::Connection::Ptr connection)
    : context_(context),
      owner_(owner),
      connection_(std::move(connection)),
      parser_(*this),
      snapshot_(context.snapshots.current()),
      timer_(context.loop, [this] { on_timer(); }),
      flush_([](void* self) { static_cast<Session*>(self)->flush(); }, this),
      go_on_([](void* self) { static_cast<Session*>(self)->go_on(); }, this) {
  connection_->set_sink(*this);
  parser_.set_limits(parser_limits(settings().limits));
}

Session::~Session() {
  exchange_.reset();
  context_.give_back(std::move(out_));
  if (counted_) {
    context_.shared.connections.leave(connection_->peer());
    context_.metrics.connections.add(-1);
  }
}

void Session::start() {
  const auto& limits = settings().limits;
  counted_ = context_.shared.connections.enter(
      connection_->peer(), {limits.max_connections, limits.max_connections_per_address});
  if (!counted_ || context_.draining) {
    end();
    return;
  }
  context_.metrics.connections.add();
  enter(Phase::idle);
  connection_->start_read();
}

void Session::enter(Phase next) {
  phase_ = next;
  const auto& times = settings().timeouts;
  int64_t ms = 0;
  switch (next) {
    case Phase::idle:
      ms = served_ ? times.keep_alive_ms : times.idle_ms;
      break;
    case Phase::head:
      ms = times.header_ms;
      break;
    case Phase::body:
      ms = times.body_ms;
      window_bytes_ = body_bytes_;
      break;
    case Phase::waiting:
      ms = kMemoryPollMs;
      break;
    case Phase::running:
    case Phase::closing:
      break;
  }
  phase_since_ms_ = context_.loop.now_ms();
  if (ms > 0) {
    timer_.start(ms);
  } else {
    timer_.stop();
  }
}

const config::KeyEntry* Session::find_key(const config::LoopSnapshotPtr& snapshot,
                                          std::string_view key) {
  if (known_entry_ != nullptr && known_in_ == snapshot && known_key_.equals(key))
    return known_entry_;
  if (context_.hasher == nullptr) return nullptr;
  // The digest is keyed and the table is hashed by it: no comparison leaks how near a guess was.
  const auto* entry = (*snapshot)->find_key(context_.hasher->digest(key));
  if (entry != nullptr) {
    known_in_ = snapshot;
    known_entry_ = entry;
    known_key_ = Secret(key);
  }
  return entry;
}

// ---- reading
// -------------------------------------------------------------------------------------

void Session::on_data(std::string_view bytes) {
  if (phase_ == Phase::closing) return;
  if (phase_ == Phase::running || phase_ == Phase::waiting || go_on_.scheduled()) {
    keep_ahead(bytes);
    return;
  }
  consume(bytes);
}

std::span<char> Session::read_room() {
  return phase_ == Phase::body ? exchange_->body_room() : std::span<char>();
}

void Session::begin_request() {
  snapshot_ = context_.snapshots.current();
  exchange_ = std::make_unique<Exchange>(context_, *this, snapshot_);
  parser_.begin(exchange_->arena());
  body_bytes_ = 0;
  served_ = true;
  enter(Phase::head);
}

void Session::consume(std::string_view bytes) {
  while (!bytes.empty()) {
    if (phase_ == Phase::idle) begin_request();
    if (phase_ != Phase::head && phase_ != Phase::body) break;
    const auto used = parser_.feed(bytes);
    if (phase_ == Phase::closing) return;
    if (!used.ok()) {
      refuse(used.error());
      return;
    }
    bytes.remove_prefix(*used);
    if (parser_.done()) {
      run_exchange();
    } else if (phase_ == Phase::running) {  // on_head stopped the message: what follows is not read
      run_exchange();
      return;
    } else if (phase_ == Phase::waiting) {
      break;
    }
  }
  if (!bytes.empty() && phase_ != Phase::closing) keep_ahead(bytes);
}

http::Action Session::on_head(const http::RequestHead& head) {
  const auto action = exchange_->on_head(head);
  switch (action) {
    case http::Action::proceed:
      enter(Phase::body);
      break;
    case http::Action::pause:
      enter(Phase::waiting);
      connection_->pause_read();
      break;
    case http::Action::stop:
      enter(Phase::running);
      break;
  }
  return action;
}

void Session::on_body(std::string_view bytes) {
  body_bytes_ += bytes.size();
  exchange_->on_body(bytes);
}

void Session::on_end() {}

void Session::run_exchange() {
  if (phase_ != Phase::running) enter(Phase::running);
  exchange_->run();
}

void Session::refuse(const Error& error) {
  enter(Phase::running);
  connection_->pause_read();
  exchange_->fail_request(error, parser_.head(), parser_.line());
}

void Session::keep_ahead(std::string_view bytes) {
  ahead_.append(bytes);
  if (phase_ != Phase::waiting && phase_ != Phase::running) {
    context_.loop.kick(go_on_);
    return;
  }
  // One read may overshoot the bound by the loop's block; nothing more is read then.
  if (ahead_.size() >= settings().limits.pipeline_bytes && !connection_->read_paused()) {
    connection_->pause_read();
    watch();
  }
}

// What was read behind the last request.
void Session::go_on() {
  if (phase_ == Phase::closing || phase_ == Phase::running || phase_ == Phase::waiting) return;
  const auto bytes = std::exchange(ahead_, {});
  if (!bytes.empty()) consume(bytes);
  if (phase_ != Phase::closing && ahead_.size() < settings().limits.pipeline_bytes &&
      phase_ != Phase::waiting) {
    connection_->resume_read();
  }
}

void Session::on_eof() {
  switch (phase_) {
    case Phase::running:
    case Phase::waiting:
      // Half-closed: nobody waits for the answer (house rule: end of file counts as gone).
      exchange_->cancel(Exchange::Cancel::client_gone);
      break;
    case Phase::closing:
      break;
    default:
      end();
  }
}

void Session::on_closed(net::CloseReason) {
  if (exchange_ != nullptr && phase_ != Phase::closing) {
    exchange_->cancel(Exchange::Cancel::client_gone);
  }
  end();
}

// ---- writing
// -------------------------------------------------------------------------------------

std::string& Session::output() {
  if (out_.capacity() == 0) out_ = context_.take_string();
  return out_;
}

void Session::output_added() {
  if (!flush_.scheduled()) context_.loop.at_turn_end(flush_);
}

void Session::write(std::span<const std::string_view> pieces) {
  size_t bytes = 0;
  for (const auto piece : pieces) bytes += piece.size();
  if (bytes == 0) return;
  if (out_.size() + bytes <= kCollectBytes) {
    auto& out = output();
    for (const auto piece : pieces) out.append(piece);
    output_added();
    return;
  }
  std::array<std::string_view, 8> all;
  size_t n = 0;
  if (!out_.empty()) all[n++] = out_;
  for (const auto piece : pieces) {
    if (n == all.size()) break;
    all[n++] = piece;
  }
  const auto state = connection_->write(std::span(all.data(), n));
  context_.give_back(std::exchange(out_, {}));
  take_write_state(state);
}

void Session::flush() {
  if (phase_ == Phase::closing && !want_flushed_) return;
  auto state = net::WriteState::all_sent;
  if (!out_.empty()) {
    state = connection_->write(out_);
    context_.give_back(std::exchange(out_, {}));
  } else if (connection_->queued() > 0) {
    state = net::WriteState::queued;
  }
  take_write_state(state);
  if (want_flushed_ && out_.empty() && connection_->queued() == 0 &&
      state != net::WriteState::failed) {
    want_flushed_ = false;
    if (exchange_ != nullptr) exchange_->on_flushed();
  }
}

void Session::take_write_state(net::WriteState state) {
  if (state == net::WriteState::above_high && !output_full_) {
    output_full_ = true;
    if (exchange_ != nullptr) exchange_->on_output_full();
  }
  if (state == net::WriteState::queued || state == net::WriteState::above_high) watch();
}

void Session::notify_flushed() {
  want_flushed_ = true;
  output_added();
}

void Session::on_writable() {
  output_full_ = false;
  if (exchange_ != nullptr) exchange_->on_writable();
}

void Session::on_flushed() {
  if (want_flushed_) output_added();
}

// ---- ends
// ----------------------------------------------------------------------------------------

void Session::exchange_finished(After after) {
  context_.bury(std::move(exchange_));
  want_flushed_ = false;
  if (phase_ == Phase::closing) return;
  if (after != After::keep_alive || draining_) {
    close(after == After::reset ? After::reset : After::close);
    return;
  }
  enter(Phase::idle);
  if (!ahead_.empty() || connection_->read_paused()) context_.loop.kick(go_on_);
}

void Session::close(After after) {
  enter(Phase::closing);
  if (!out_.empty()) {
    connection_->write(out_);
    context_.give_back(std::exchange(out_, {}));
  }
  if (after == After::reset) {
    end();
    return;
  }
  connection_->shutdown_then_close();
}

void Session::end() {
  if (over_) return;
  over_ = true;
  enter(Phase::closing);
  flush_.cancel();
  go_on_.cancel();
  connection_->close();
  if (exchange_ != nullptr) exchange_->cancel(Exchange::Cancel::client_gone);
  owner_.on_session_end(*this);
}

void Session::drain() {
  draining_ = true;
  if (phase_ == Phase::idle && ahead_.empty()) close(After::close);
}

void Session::shut_down() {
  draining_ = true;
  if (phase_ == Phase::closing) {
    end();
  } else if (exchange_ != nullptr && (phase_ == Phase::running || phase_ == Phase::waiting)) {
    exchange_->cancel(Exchange::Cancel::shutdown);
  } else if (phase_ == Phase::body) {
    refuse(shutting_down());
  } else {
    end();
  }
}

// ---- time
// ----------------------------------------------------------------------------------------

// While an exchange runs the timer looks at the peer: reads may be paused, output may be stuck.
void Session::watch() {
  if (phase_ != Phase::running || timer_.active()) return;
  sent_mark_ = connection_->bytes_written();
  sent_since_ms_ = context_.loop.now_ms();
  timer_.start(kWatchMs);
}

void Session::on_timer() {
  const auto& times = settings().timeouts;
  const auto now = context_.loop.now_ms();
  switch (phase_) {
    case Phase::idle:
      close(After::close);
      break;
    case Phase::head: {
      Error error{ErrorKind::timeout, "request_timeout",
                  "the request's head did not arrive in time"};
      refuse(std::move(error).with_status(408));
      break;
    }
    case Phase::body: {
      const auto wanted =
          settings().limits.min_body_bytes_per_second * static_cast<uint64_t>(times.body_ms) / 1000;
      const auto came = body_bytes_ - window_bytes_;
      if (came > 0 && came >= wanted) {
        window_bytes_ = body_bytes_;
        timer_.start(times.body_ms);
        break;
      }
      Error error{ErrorKind::timeout, "request_timeout", "the request's body came too slowly"};
      refuse(std::move(error).with_status(408));
      break;
    }
    case Phase::waiting:
      switch (exchange_->retry_memory(now - phase_since_ms_)) {
        case Exchange::Memory::granted:
          enter(Phase::body);
          context_.loop.kick(go_on_);
          break;
        case Exchange::Memory::wait:
          if (connection_->check_peer() == net::Connection::Peer::gone) {
            exchange_->cancel(Exchange::Cancel::client_gone);
          } else {
            timer_.start(kMemoryPollMs);
          }
          break;
        case Exchange::Memory::refused:
          enter(Phase::running);
          exchange_->run();
          break;
      }
      break;
    case Phase::running: {
      if (connection_->read_paused() && connection_->check_peer() == net::Connection::Peer::gone) {
        exchange_->cancel(Exchange::Cancel::client_gone);
        break;
      }
      if (connection_->queued() > 0) {
        if (connection_->bytes_written() != sent_mark_) {
          sent_mark_ = connection_->bytes_written();
          sent_since_ms_ = now;
        } else if (times.downstream_stall_ms > 0 &&
                   now - sent_since_ms_ >= times.downstream_stall_ms) {
          exchange_->cancel(Exchange::Cancel::stalled);
          break;
        }
      }
      if (connection_->read_paused() || connection_->queued() > 0) timer_.start(kWatchMs);
      break;
    }
    case Phase::closing:
      break;
  }
}

}  // namespace gproxy::gateway
