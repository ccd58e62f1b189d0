// The seam towards providers: curl in the server, a fake in tests. Everything lives on one loop.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/pause_set.h"
#include "http/headers.h"

namespace gproxy::upstream {

enum class HttpVersion : uint8_t { automatic, http1, http2 };

struct Timeouts {
  int64_t connect_ms = 10'000;      // name, TCP and TLS
  int64_t first_byte_ms = 600'000;  // from the request sent to the response head: models think
  int64_t idle_ms = 300'000;        // between two pieces of the answer
  int64_t total_ms = 0;             // 0 = none
};

// Headers and URL are copied by start(). The body's bytes, and the array of its pieces, must stay
// valid until body_taken() is true, abort() or the sink's on_complete: a long body is read from
// them.
struct Request {
  std::string_view method = {};
  std::string_view url = {};           // scheme, host, path, query; no secret
  std::string_view secret_query = {};  // appended by the client, never logged, never a cache key
  std::span<const http::HeaderView> headers = {};  // complete set; no Host, no Content-Length
  std::span<const std::string_view> body = {};     // pieces, sent in order; rewound for a retry
  bool has_body = false;
  std::string_view proxy = {};  // URL, empty = none
  HttpVersion version = HttpVersion::automatic;
  Timeouts timeouts = {};
  size_t receive_buffer = 16 * 1024;  // hint: 64 KiB for large non-stream answers
};

// The final answer's head: interim answers (1xx) are skipped, trailers are dropped.
struct Head {
  int status = 0;
  std::span<const http::HeaderView> headers = {};  // valid only during on_head
  // The answer came compressed though identity was asked for: on_data gives the plain bytes, and
  // content-encoding and content-length are not among `headers`.
  bool decoded = false;
  HttpVersion version = HttpVersion::http1;
};

enum class FailureKind : uint8_t {
  none,
  connect,
  dns,
  tls,
  connect_timeout,
  first_byte_timeout,
  idle_timeout,
  total_timeout,
  reset,
  protocol,
  too_large,
  proxy,
  aborted,
  other,
};
std::string_view name(FailureKind kind);

struct Completion {
  FailureKind failure = FailureKind::none;  // none = the whole answer arrived
  std::string_view message = {};            // for logs; no secret, no URL query
  bool head_received = false;
  bool request_sent = false;  // any request byte may have reached the upstream
  int64_t name_us = 0, connect_us = 0, tls_us = 0, first_byte_us = 0, total_us = 0;
  bool reused = false;  // ran on a kept connection
};

// Events of one transfer, in order: on_head once (unless it failed before), on_data any number,
// on_complete exactly once, last; after it, or after abort(), the sink is never called again.
class TransferSink {
 public:
  virtual void on_head(const Head& head) = 0;
  virtual void on_data(std::string_view bytes) = 0;  // may call pause(); bytes are taken either way
  virtual void on_complete(const Completion& completion) = 0;

 protected:
  ~TransferSink() = default;
};

// One running transfer. Destroying it aborts it. abort() may be called from inside any sink
// callback; the upstream then hears of it before the turn ends, else at once. While it is paused,
// neither data nor the end is delivered.
class Transfer {
 public:
  virtual ~Transfer() = default;
  virtual void pause(Pause reason) = 0;
  // The resume itself is scheduled on the deferred queue.
  virtual void resume(Pause reason) = 0;
  virtual void abort() = 0;
  // Every byte of the request's body was taken and none will be read again: its memory may go.
  virtual bool body_taken() const { return false; }
};

class Client {
 public:
  virtual ~Client() = default;
  // Never fails here: failures arrive as on_complete, never before start() has returned.
  virtual std::unique_ptr<Transfer> start(const Request& request, TransferSink& sink) = 0;
};

}  // namespace gproxy::upstream
