#include "upstream/curl_transfer.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "upstream/curl_multi.h"
#include "upstream/failure.h"

namespace gproxy::upstream {
namespace {

// Below this libcurl puts head and body into one send.
constexpr size_t kFlatBodyBytes = 64 * 1024 - 1;
constexpr size_t kKeptFlatBytes = 4 * 1024;
constexpr size_t kSmallSendBuffer = 16 * 1024;
constexpr size_t kLargeSendBuffer = 64 * 1024;
constexpr size_t kMinReceiveBuffer = 1024;
constexpr size_t kMaxReceiveBuffer = 512 * 1024;
constexpr int kMaxResends = 3;
constexpr int64_t kConnectGraceMs = 100;
constexpr long kKeepAliveIdleS = 60;
constexpr long kKeepAliveIntervalS = 30;

CurlTransfer* self_of(void* self) {
  return static_cast<CurlTransfer*>(self);
}

int64_t info_us(CURL* easy, CURLINFO which) {
  curl_off_t value = 0;
  curl_easy_getinfo(easy, which, &value);
  return value;
}

size_t body_bytes_of(const Request& request) {
  size_t bytes = 0;
  for (const auto piece : request.body) bytes += piece.size();
  return bytes;
}

long info_long(CURL* easy, CURLINFO which) {
  long value = 0;
  curl_easy_getinfo(easy, which, &value);
  return value;
}

}  // namespace

TransferHandle::TransferHandle(CurlTransfer& transfer) : transfer_(&transfer) {
  transfer.handle_ = this;
}
TransferHandle::~TransferHandle() {
  abort();
}
void TransferHandle::pause(Pause reason) {
  // Lazily: libcurl is told when it next has a piece, which it then keeps.
  if (transfer_ != nullptr) transfer_->paused_.add(reason);
}
void TransferHandle::resume(Pause reason) {
  if (transfer_ != nullptr && transfer_->paused_.remove(reason)) transfer_->resume();
}
void TransferHandle::abort() {
  if (CurlTransfer* transfer = std::exchange(transfer_, nullptr)) transfer->abort();
}

bool TransferHandle::body_taken() const {
  return transfer_ == nullptr || transfer_->body_taken();
}

CurlTransfer::CurlTransfer(TransferHost& host, CURLSH* share, size_t pool)
    : host_(host),
      easy_(curl_easy_init()),
      pool_(pool),
      timer_(host.loop(), [this] { on_timer(); }),
      tail_([](void* self) { self_of(self)->run_tail(); }, this) {
  set_constant_options(share);
}

CurlTransfer::~CurlTransfer() {
  detach();
  curl_easy_cleanup(easy_);
}

CurlTransfer* CurlTransfer::of(CURL* easy) {
  char* self = nullptr;
  if (easy != nullptr) curl_easy_getinfo(easy, CURLINFO_PRIVATE, &self);
  return reinterpret_cast<CurlTransfer*>(self);
}

void CurlTransfer::set_constant_options(CURLSH* share) {
  const auto set = [this](CURLoption option, auto value) {
    curl_easy_setopt(easy_, option, value);
  };
  const CurlConfig& config = host_.config();
  set(CURLOPT_PRIVATE, this);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_ERRORBUFFER, error_);
  set(CURLOPT_SHARE, share);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  // The environment's proxies are not ours.
  set(CURLOPT_PROXY, "");
  set(CURLOPT_NOPROXY, "");
  // An encoding that was not asked for is undone; the header that asks is the caller's own.
  set(CURLOPT_ACCEPT_ENCODING, "");
  set(CURLOPT_DNS_CACHE_TIMEOUT, static_cast<long>(config.dns_cache_s));
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_TCP_KEEPIDLE, kKeepAliveIdleS);
  set(CURLOPT_TCP_KEEPINTVL, kKeepAliveIntervalS);

  // Certificates: only the process-wide store. libcurl's defaults would read the bundle again for
  // each connection, for 16 ms.
  set(CURLOPT_CAINFO, nullptr);
  set(CURLOPT_CAPATH, nullptr);
  set(CURLOPT_PROXY_CAINFO, nullptr);
  set(CURLOPT_PROXY_CAPATH, nullptr);
  set(CURLOPT_CA_CACHE_TIMEOUT, 0L);
  if (config.verify == CurlConfig::Verify::nothing) {
    set(CURLOPT_SSL_VERIFYPEER, 0L);
    set(CURLOPT_SSL_VERIFYHOST, 0L);
  }
  set(CURLOPT_SSL_CTX_DATA, this);
  set(
      CURLOPT_SSL_CTX_FUNCTION, +[](CURL*, void* ssl_ctx, void* self) {
        self_of(self)->host_.use_trusted_certificates(ssl_ctx);
        return CURLE_OK;
      });

  set(CURLOPT_WRITEDATA, this);
  set(
      CURLOPT_WRITEFUNCTION, +[](char* bytes, size_t, size_t size, void* self) {
        return self_of(self)->on_body({bytes, size});
      });
  set(CURLOPT_HEADERDATA, this);
  set(
      CURLOPT_HEADERFUNCTION, +[](char* bytes, size_t, size_t size, void* self) {
        return self_of(self)->on_header({bytes, size});
      });
  set(CURLOPT_READDATA, this);
  set(
      CURLOPT_READFUNCTION, +[](char* out, size_t, size_t room, void* self) {
        return self_of(self)->on_read(out, room);
      });
  set(CURLOPT_SEEKDATA, this);
  set(
      CURLOPT_SEEKFUNCTION, +[](void* self, curl_off_t offset, int origin) {
        return origin == SEEK_SET ? self_of(self)->on_seek(offset) : CURL_SEEKFUNC_CANTSEEK;
      });
  set(CURLOPT_OPENSOCKETDATA, this);
  set(
      CURLOPT_OPENSOCKETFUNCTION, +[](void* self, curlsocktype, curl_sockaddr* address) {
        return self_of(self)->on_open_socket(address);
      });
  // Not this transfer: the connection outlives it.
  set(CURLOPT_CLOSESOCKETDATA, &host_);
  set(
      CURLOPT_CLOSESOCKETFUNCTION, +[](void* host, curl_socket_t fd) {
        static_cast<TransferHost*>(host)->on_connection_closing(fd);
        return ::close(fd);
      });
}

std::unique_ptr<Transfer> CurlTransfer::begin(const Request& request,
                                              Result<std::shared_ptr<const ParsedUrl>> url,
                                              TransferSink& sink, CurlMulti* multi) {
  auto handle = std::make_unique<TransferHandle>(*this);
  sink_ = &sink;
  phase_ = Phase::waiting;
  paused_.clear();
  curl_paused_ = head_seen_ = decoded_ = address_refused_ = resuming_ = held_ = false;
  failure_ = FailureKind::none;
  resends_ = 0;
  timeouts_ = request.timeouts;
  started_ms_ = activity_ms_ = host_.loop().now_ms();
  decoded_bytes_ = 0;
  error_[0] = '\0';

  curl_slist* list = headers_.build(request.headers, body_bytes_of(request));
  if (!url.ok() || list == nullptr) {
    fail_later(FailureKind::other,
               url.ok() ? "a request header is not valid" : url.error().message);
    return handle;
  }
  url_ = std::move(*url);
  secret_.assign(request.secret_query);
  if (applied_.url != url_->handle.get()) {
    applied_.url = url_->handle.get();
    curl_easy_setopt(easy_, CURLOPT_CURLU, applied_.url);
  }
  if (applied_.headers != list) {
    applied_.headers = list;
    curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, list);
  }
  apply(request);
  starting_in_ = multi;
  enter_multi();
  int64_t first = INT64_MAX;
  for (const int64_t ms : {connect_limit_ms(), timeouts_.first_byte_ms, timeouts_.total_ms}) {
    if (ms > 0) first = std::min(first, ms);
  }
  if (first != INT64_MAX) timer_.start(first);
  return handle;
}

void CurlTransfer::enter_multi() {
  CurlMulti* multi = std::exchange(starting_in_, nullptr);
  switch (multi != nullptr ? multi->add(*this) : CurlMulti::Added::no) {
    case CurlMulti::Added::yes:
      multi_ = multi;
      break;
    case CurlMulti::Added::later:
      // We are inside one of its callbacks: an event of another transfer started this one.
      starting_in_ = multi;
      host_.loop().kick(tail_);
      break;
    case CurlMulti::Added::no:
      fail_later(FailureKind::other, "the transfer could not be started");
      break;
  }
}

void CurlTransfer::apply(const Request& request) {
  const size_t body_bytes = body_bytes_of(request);
  apply_method(request, body_bytes);
  if (applied_.version != request.version || applied_.tls != url_->tls) {
    applied_.version = request.version;
    applied_.tls = url_->tls;
    long version = CURL_HTTP_VERSION_2TLS;  // by ALPN; HTTP/1.1 without TLS
    if (request.version == HttpVersion::http1) version = CURL_HTTP_VERSION_1_1;
    if (request.version == HttpVersion::http2 && !url_->tls) {
      version = CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
    }
    curl_easy_setopt(easy_, CURLOPT_HTTP_VERSION, version);
    // A burst waits for the first handshake, which may turn out to carry all of them.
    const bool may_share = url_->tls && request.version != HttpVersion::http1;
    curl_easy_setopt(easy_, CURLOPT_PIPEWAIT, may_share ? 1L : 0L);
  }
  uses_proxy_ = !request.proxy.empty();
  if (applied_.proxy != request.proxy) {
    applied_.proxy.assign(request.proxy);
    curl_easy_setopt(easy_, CURLOPT_PROXY, applied_.proxy.c_str());
  }
  if (applied_.connect_ms != request.timeouts.connect_ms) {
    applied_.connect_ms = request.timeouts.connect_ms;
    curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(applied_.connect_ms));
  }
  receive_buffer_ = std::clamp(request.receive_buffer, kMinReceiveBuffer, kMaxReceiveBuffer);
  if (applied_.receive_buffer != receive_buffer_) {
    applied_.receive_buffer = receive_buffer_;
    curl_easy_setopt(easy_, CURLOPT_BUFFERSIZE, static_cast<long>(receive_buffer_));
  }
  // With TLS libcurl holds a send buffer of this size as long as the transfer runs.
  const size_t send = body_bytes > kSmallSendBuffer ? kLargeSendBuffer : kSmallSendBuffer;
  if (applied_.send_buffer != send) {
    applied_.send_buffer = send;
    curl_easy_setopt(easy_, CURLOPT_UPLOAD_BUFFERSIZE, static_cast<long>(send));
  }
}

void CurlTransfer::apply_method(const Request& request, size_t body_bytes) {
  Method method = Method::custom;
  if (request.method == "POST") method = Method::post;
  if (request.method == "GET" && !request.has_body) method = Method::get;
  if (request.method == "HEAD") method = Method::head;
  no_body_ = method == Method::head;
  if (applied_.method == Method::custom && method != Method::custom) {
    curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, nullptr);
    applied_.custom_method.clear();
  }
  if (applied_.method == Method::head && method != Method::head) {
    curl_easy_setopt(easy_, CURLOPT_NOBODY, 0L);
    curl_easy_setopt(easy_, CURLOPT_HTTPGET, 1L);
  }
  const bool with_body = request.has_body || method == Method::post;
  if (method == Method::head) {
    if (applied_.method != Method::head) curl_easy_setopt(easy_, CURLOPT_NOBODY, 1L);
  } else if (with_body) {
    apply_body(request, body_bytes);
  } else {
    // Also undoes the POST of an earlier request with this handle.
    curl_easy_setopt(easy_, CURLOPT_HTTPGET, 1L);
  }
  if (method == Method::custom && applied_.custom_method != request.method) {
    applied_.custom_method.assign(request.method);
    curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, applied_.custom_method.c_str());
  }
  applied_.method = method;
}

void CurlTransfer::apply_body(const Request& request, size_t body_bytes) {
  body_ = {};
  body_piece_ = body_offset_ = 0;
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body_bytes));
  if (body_bytes > kFlatBodyBytes) {
    body_ = request.body;
    if (!applied_.reads_body) curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, nullptr);
    applied_.reads_body = true;
    // Chooses POST; without it a handle that last did a GET would stay at that.
    curl_easy_setopt(easy_, CURLOPT_POST, 1L);
    return;
  }
  applied_.reads_body = false;
  if (flat_capacity_ < body_bytes || flat_body_ == nullptr) {
    flat_capacity_ = std::max<size_t>((body_bytes + 511) / 512 * 512, 512);
    flat_body_ = std::make_unique_for_overwrite<char[]>(flat_capacity_);
  }
  flat_size_ = body_bytes;
  char* out = flat_body_.get();
  for (const auto piece : request.body) {
    if (piece.empty()) continue;
    std::memcpy(out, piece.data(), piece.size());
    out += piece.size();
  }
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, flat_body_.get());
}

size_t CurlTransfer::on_header(std::string_view line) {
  if (sink_ == nullptr || phase_ == Phase::failed) return 0;
  activity_ms_ = host_.loop().now_ms();
  if (phase_ == Phase::body) return line.size();  // trailers
  if (phase_ == Phase::waiting) {
    phase_ = Phase::head;
    if (head_ == nullptr) head_ = host_.lend_head();
  }
  const CurlConfig& config = host_.config();
  switch (head_->add(line, config.max_head_bytes, config.max_head_fields)) {
    case ResponseHead::Progress::more:
      return line.size();
    case ResponseHead::Progress::interim:
      head_->clear();
      return line.size();
    case ResponseHead::Progress::complete:
      return deliver_head() ? line.size() : 0;
    case ResponseHead::Progress::too_large:
      fail_later(FailureKind::too_large, "the response head exceeds the limit");
      return 0;
    case ResponseHead::Progress::malformed:
      fail_later(FailureKind::protocol, "the response head is malformed");
      return 0;
  }
  return 0;
}

// False when the sink aborted.
bool CurlTransfer::deliver_head() {
  head_seen_ = true;
  phase_ = Phase::body;
  const int status = head_->status();
  const bool has_body = !no_body_ && status != 204 && status != 304;
  decoded_ = has_body && head_->is_encoded();
  const int64_t idle_end = activity_ms_ + timeouts_.idle_ms;
  if (timeouts_.idle_ms > 0 && (!timer_.active() || timer_.deadline_ms() > idle_end)) {
    timer_.start(timeouts_.idle_ms);
  }
  Head head;
  head.status = status;
  head.headers =
      head_->fields(decoded_ ? ResponseHead::Coding::removed : ResponseHead::Coding::as_sent);
  head.decoded = decoded_;
  head.version = head_->major_version() >= 2 ? HttpVersion::http2 : HttpVersion::http1;
  // What has no length is a stream, and may be one of thousands.
  release_sent_body(http::find(head.headers, "content-length").empty() ? 0 : kKeptFlatBytes);
  sink_->on_head(head);
  host_.give_back(std::move(head_));
  return sink_ != nullptr;
}

// Once the answer has begun nothing is sent again, so a body that went out whole is not needed: a
// stream may run for minutes.
void CurlTransfer::release_sent_body(size_t kept_bytes) {
  if (body_piece_ == body_.size()) body_ = {};
  if (flat_capacity_ <= kept_bytes) return;
  curl_off_t sent = 0;
  curl_easy_getinfo(easy_, CURLINFO_SIZE_UPLOAD_T, &sent);
  if (static_cast<size_t>(sent) < flat_size_) return;
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, "");
  flat_body_.reset();
  flat_capacity_ = 0;
}

size_t CurlTransfer::on_body(std::string_view bytes) {
  if (sink_ == nullptr || phase_ != Phase::body) return 0;
  if (paused_.paused()) {
    curl_paused_ = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  activity_ms_ = host_.loop().now_ms();
  if (decoded_) {
    decoded_bytes_ += bytes.size();
    if (over_ratio()) {
      fail_later(FailureKind::too_large, "a compressed answer expands beyond the limit");
      return 0;
    }
  }
  sink_->on_data(bytes);
  return sink_ != nullptr ? bytes.size() : 0;
}

bool CurlTransfer::over_ratio() const {
  const CurlConfig& config = host_.config();
  if (decoded_bytes_ <= config.decode_free_bytes) return false;
  curl_off_t raw = 0;
  curl_easy_getinfo(easy_, CURLINFO_SIZE_DOWNLOAD_T, &raw);
  // libcurl counts a buffer after it was delivered.
  const size_t received = static_cast<size_t>(raw) + receive_buffer_;
  return decoded_bytes_ / config.max_decode_ratio > received;
}

size_t CurlTransfer::on_read(char* out, size_t room) {
  // After an abort the caller's memory is not ours to read any more.
  if (sink_ == nullptr) return CURL_READFUNC_ABORT;
  activity_ms_ = host_.loop().now_ms();
  size_t filled = 0;
  while (filled < room && body_piece_ < body_.size()) {
    const std::string_view rest = body_[body_piece_].substr(body_offset_);
    const size_t n = std::min(rest.size(), room - filled);
    if (n > 0) std::memcpy(out + filled, rest.data(), n);
    filled += n;
    body_offset_ += n;
    if (n == rest.size()) {
      ++body_piece_;
      body_offset_ = 0;
    }
  }
  return filled;
}

int CurlTransfer::on_seek(curl_off_t offset) {
  if (sink_ == nullptr || offset < 0) return CURL_SEEKFUNC_FAIL;
  auto left = static_cast<size_t>(offset);
  body_piece_ = body_offset_ = 0;
  while (body_piece_ < body_.size() && left >= body_[body_piece_].size()) {
    left -= body_[body_piece_++].size();
  }
  if (body_piece_ == body_.size() && left > 0) return CURL_SEEKFUNC_FAIL;
  body_offset_ = left;
  return CURL_SEEKFUNC_OK;
}

curl_socket_t CurlTransfer::on_open_socket(curl_sockaddr* address) {
  const auto& guard = host_.config().address_guard;
  if (guard && !guard(&address->addr)) {
    address_refused_ = true;
    return CURL_SOCKET_BAD;
  }
  const curl_socket_t fd =
      ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (fd >= 0) {
    // Through a proxy, TLS or HTTP/2 a send may follow what nobody here sees.
    const bool plain = !url_->tls && !uses_proxy_ && applied_.version != HttpVersion::http2;
    host_.on_socket_opened(fd, plain ? TransferHost::Sends::batch : TransferHost::Sends::at_once);
    host_.on_connection_opened();
  }
  return fd;
}

void CurlTransfer::fail_later(FailureKind kind, std::string message) {
  phase_ = Phase::failed;
  failure_ = kind;
  failure_message_ = std::move(message);
  host_.loop().kick(tail_);
}

void CurlTransfer::abort() {
  handle_ = nullptr;
  sink_ = nullptr;
  phase_ = Phase::aborted;
  timer_.stop();
  if (multi_ != nullptr && multi_->inside()) {
    // Removing a transfer is not allowed while libcurl is on the stack.
    host_.loop().kick(tail_);
    return;
  }
  leave();
}

void CurlTransfer::resume() {
  activity_ms_ = host_.loop().now_ms();
  if ((!curl_paused_ && !held_) || sink_ == nullptr) return;
  // Later: libcurl delivers what it kept from inside curl_easy_pause.
  resuming_ = true;
  host_.loop().kick(tail_);
}

void CurlTransfer::run_tail() {
  if (phase_ == Phase::aborted) {
    leave();
    return;
  }
  if (phase_ == Phase::failed) {
    finish(failure_, std::move(failure_message_));
    return;
  }
  if (starting_in_ != nullptr) {
    enter_multi();
    return;
  }
  if (!resuming_) return;
  resuming_ = false;
  if (paused_.paused()) return;
  if (held_) {
    on_finished(held_code_);
    return;
  }
  if (!curl_paused_) return;
  curl_paused_ = false;
  activity_ms_ = host_.loop().now_ms();
  const CURLcode code = multi_->unpause(*this);
  if (code == CURLE_OK || sink_ == nullptr || phase_ == Phase::failed) return;
  finish(classify(code, {}), failure_message(code, error_, secret_));
}

// libcurl times the connection itself, but not the wait of a transfer that hopes to share
// another's.
int64_t CurlTransfer::connect_limit_ms() const {
  return timeouts_.connect_ms > 0 ? timeouts_.connect_ms + kConnectGraceMs : 0;
}

int64_t CurlTransfer::sent_at_ms() const {
  const int64_t until_sent_us = info_us(easy_, CURLINFO_PRETRANSFER_TIME_T);
  if (until_sent_us <= 0) return -1;
  return std::max(started_ms_ + until_sent_us / 1000, body_.empty() ? 0 : activity_ms_);
}

// One timer for all: it looks at what has happened and goes to sleep until the next deadline. A
// piece of the answer costs one store.
void CurlTransfer::on_timer() {
  const int64_t now = host_.loop().now_ms();
  int64_t next = INT64_MAX;
  if (timeouts_.total_ms > 0) {
    next = started_ms_ + timeouts_.total_ms;
    if (now >= next) {
      finish(FailureKind::total_timeout, "the answer took too long");
      return;
    }
  }
  if (phase_ == Phase::body) {
    if (timeouts_.idle_ms > 0) {
      // A pause is the client's doing, not the upstream's.
      const int64_t since = paused_.paused() || curl_paused_ ? now : activity_ms_;
      if (now >= since + timeouts_.idle_ms) {
        finish(FailureKind::idle_timeout, "nothing came for too long in the middle of the answer");
        return;
      }
      next = std::min(next, since + timeouts_.idle_ms);
    }
  } else if (const int64_t sent = sent_at_ms(); sent < 0) {
    if (connect_limit_ms() > 0) {
      if (now >= started_ms_ + connect_limit_ms()) {
        finish(FailureKind::connect_timeout, "no connection in time");
        return;
      }
      next = std::min(next, started_ms_ + connect_limit_ms());
    }
  } else if (timeouts_.first_byte_ms > 0) {
    if (now >= sent + timeouts_.first_byte_ms) {
      finish(FailureKind::first_byte_timeout, "no answer began in time");
      return;
    }
    next = std::min(next, sent + timeouts_.first_byte_ms);
  }
  if (next != INT64_MAX) timer_.start(std::max<int64_t>(next - now, 1));
}

void CurlTransfer::on_finished(CURLcode code) {
  if (phase_ == Phase::aborted) {
    leave();
    return;
  }
  if (phase_ == Phase::failed) {
    finish(failure_, std::move(failure_message_));
    return;
  }
  if (paused_.paused()) {
    // The end keeps its place behind what the sink did not want to hear yet.
    held_ = true;
    held_code_ = code;
    return;
  }
  if (code == CURLE_OK && phase_ != Phase::body) {
    finish(FailureKind::reset, "the upstream closed before its answer's head was complete");
    return;
  }
  if (code == CURLE_OK) {
    finish(FailureKind::none, {});
    return;
  }
  if (send_again(code)) return;
  TransferFacts facts;
  facts.uses_proxy = uses_proxy_;
  facts.connect_code = info_long(easy_, CURLINFO_HTTP_CONNECTCODE);
  facts.address_refused = address_refused_;
  finish(classify(code, facts), address_refused_
                                    ? std::string("the upstream's address is not allowed")
                                    : failure_message(code, error_, secret_));
}

// A kept connection may die in the moment it is used. libcurl then sends the request again by
// itself, but not when it notices while it still sends a long body; the same is done here.
bool CurlTransfer::send_again(CURLcode code) {
  if (code != CURLE_SEND_ERROR || phase_ != Phase::waiting || resends_ >= kMaxResends) return false;
  if (info_long(easy_, CURLINFO_NUM_CONNECTS) != 0) return false;
  ++resends_;
  body_piece_ = body_offset_ = 0;
  error_[0] = '\0';
  starting_in_ = std::exchange(multi_, nullptr);
  starting_in_->remove(*this);
  host_.loop().kick(tail_);
  return true;
}

void CurlTransfer::finish(FailureKind kind, std::string message) {
  Completion completion;
  completion.failure = kind;
  completion.message = message;
  completion.head_received = head_seen_;
  if (multi_ != nullptr) {
    completion.request_sent = head_seen_ || info_long(easy_, CURLINFO_REQUEST_SIZE) > 0;
    completion.name_us = info_us(easy_, CURLINFO_NAMELOOKUP_TIME_T);
    completion.connect_us = info_us(easy_, CURLINFO_CONNECT_TIME_T);
    completion.tls_us = info_us(easy_, CURLINFO_APPCONNECT_TIME_T);
    completion.first_byte_us = info_us(easy_, CURLINFO_STARTTRANSFER_TIME_T);
    completion.total_us = info_us(easy_, CURLINFO_TOTAL_TIME_T);
    completion.reused = completion.request_sent && info_long(easy_, CURLINFO_NUM_CONNECTS) == 0;
    if (completion.reused) host_.count_reused();
  }
  TransferSink* sink = std::exchange(sink_, nullptr);
  if (handle_ != nullptr) std::exchange(handle_, nullptr)->transfer_ = nullptr;
  leave();  // *this may be gone or in use again from here on
  if (sink != nullptr) sink->on_complete(completion);
}

// Out of the multi and back to the pool.
void CurlTransfer::leave() {
  CurlMulti* multi = multi_;
  detach();
  phase_ = Phase::idle;
  host_.recycle(*this, multi);
}

void CurlTransfer::detach() {
  timer_.stop();
  tail_.cancel();
  sink_ = nullptr;
  starting_in_ = nullptr;
  if (handle_ != nullptr) std::exchange(handle_, nullptr)->transfer_ = nullptr;
  // Still head_seen() and all: libcurl asks about the socket while it lets the transfer go.
  if (multi_ != nullptr) std::exchange(multi_, nullptr)->remove(*this);
  if (head_ != nullptr) host_.give_back(std::move(head_));
  body_ = {};
  if (!secret_.empty()) {
    // The URL with the secret goes with the request.
    curl_easy_setopt(easy_, CURLOPT_CURLU, nullptr);
    applied_.url = nullptr;
    url_.reset();
    secret_.clear();
  }
  headers_.shrink();
  if (flat_capacity_ > kKeptFlatBytes) {
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, "");
    flat_body_.reset();
    flat_capacity_ = 0;
  }
}

}  // namespace gproxy::upstream
